"""The JavaScript of the live figures equals rankbook and torch autograd, in float64, to 1e-12."""

from collections import Counter
from functools import partial
from itertools import pairwise, permutations

import pytest
import torch

import rankbook as rb

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def cases(count=40):
    """Random lists of 1 to 12 items with ties, some graded; at least one item is relevant."""
    generator = torch.Generator().manual_seed(7)
    draw = partial(torch.rand, generator=generator, dtype=torch.float64)
    made = []
    for i in range(count):
        n = 1 + i % 12
        scores = draw(n)
        if i % 3 == 0:
            scores = (scores * 5).round() / 5  # ties
        relevance = (draw(n) < 0.4).long()
        relevance[int(draw(1) * n)] = 1
        tau = 10 ** float(-2.5 + 2.5 * draw(1))
        made.append({"scores": scores.tolist(), "relevance": relevance.tolist(), "tau": tau, "k": 1 + i % n})
    return made


CASES = cases()


def tensors(case, **kwargs):
    return torch.tensor(case["scores"], dtype=torch.float64, **kwargs), torch.tensor(case["relevance"])


def equal(found, expected):
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), expected.detach(), **CLOSE)


def test_the_cases_have_ties_and_all_sizes():
    assert any(len(set(c["scores"])) < len(c["scores"]) for c in CASES)
    assert {len(c["scores"]) for c in CASES} == set(range(1, 13))


def test_exact_ranks(run_math):
    for case, found in zip(CASES, run_math("math.exactRanks(c.scores)", CASES), strict=True):
        equal(found, rb.exact_ranks(tensors(case)[0]))


def test_worst_order(run_math):
    for case, found in zip(CASES, run_math("metrics.worstOrder(c.scores, c.relevance)", CASES), strict=True):
        scores, relevance = tensors(case)
        equal(found, rb.exact_ranks(scores, relevance, ties="worst"))


def test_sigmoid_ranks(run_math):
    for case, found in zip(CASES, run_math("math.sigmoidRanks(c.scores, c.tau)", CASES), strict=True):
        equal(found, rb.sigmoid_ranks(tensors(case)[0], tau=case["tau"]))


def test_jacobian_rows(run_math):
    for case, found in zip(CASES, run_math("math.sigmoidRankJacobian(c.scores, c.tau)", CASES), strict=True):
        equal(found, torch.autograd.functional.jacobian(partial(rb.sigmoid_ranks, tau=case["tau"]), tensors(case)[0]))


def test_sigmoid_at_the_ends(run_math):
    found = run_math("[math.sigmoid(c), math.sigmoidSlope(c)]", [-800, -40, 0, 40, 800])
    assert [value for value, _ in found] == pytest.approx([0, 4.248354255291589e-18, 0.5, 1, 1], rel=1e-12)
    assert [slope for _, slope in found] == pytest.approx([0, 4.248354255291589e-18, 0.25, 4.248354255291589e-18, 0], rel=1e-12)


@pytest.mark.parametrize(
    ("expression", "metric"),
    [
        ("metrics.averagePrecision(c.scores, c.relevance)", lambda s, r, c: rb.average_precision(s, r)),
        ("metrics.recallAtK(c.scores, c.relevance, c.k)", lambda s, r, c: rb.recall_at_k(s, r, k=c["k"])),
        ("metrics.ndcg(c.scores, c.relevance)", lambda s, r, c: rb.ndcg(s, r)),
        # Graded relevance: twice the label for every second item.
        (
            "metrics.ndcg(c.scores, c.relevance.map((rel, i) => rel * (1 + i % 2)))",
            lambda s, r, c: rb.ndcg(s, r * (1 + torch.arange(len(r)) % 2)),
        ),
        (
            "metrics.averagePrecision(c.scores, c.relevance, (s) => math.sigmoidRanks(s, c.tau))",
            lambda s, r, c: rb.average_precision(s, r, rank_fn=partial(rb.sigmoid_ranks, tau=c["tau"])),
        ),
    ],
    ids=["ap", "recall", "ndcg", "graded-ndcg", "smooth-ap"],
)
def test_metrics(run_math, expression, metric):
    for case, found in zip(CASES, run_math(expression, CASES), strict=True):
        equal(found, metric(*tensors(case), case))


SEVEN = ["precision_at_k", "recall_at_k", "hit_at_k", "reciprocal_rank", "average_precision", "map_at_r", "ndcg"]


def seven(scores, relevance, k, **options):
    knob = {name: {"k": k} for name in SEVEN[:3]}
    return {name: getattr(rb, name)(scores, relevance, **knob.get(name, {}), **options) for name in SEVEN}


def test_seven_metrics_with_ties(run_math):
    for case, found in zip(CASES, run_math("seven.measured(c.scores, c.relevance, c.k)", CASES), strict=True):
        expected = seven(*tensors(case), case["k"])
        assert list(found) == SEVEN
        for name in SEVEN:
            equal(found[name], expected[name])


def test_tie_orders_are_all_orders_of_the_tied_items(run_math):
    """Against the slow way: every permutation of the items that does not put a lower score first."""
    lists = [c for c in CASES if len(c["scores"]) <= 6]
    assert any(len(set(c["scores"])) < len(c["scores"]) for c in lists)
    for case, found in zip(lists, run_math("seven.tieOrders(c.scores, c.relevance)", lists), strict=True):
        scores, relevance = case["scores"], case["relevance"]
        orders = [p for p in permutations(range(len(scores))) if all(scores[a] >= scores[b] for a, b in pairwise(p))]
        places = [tuple(place for place, i in enumerate(order, 1) if relevance[i]) for order in orders]
        assert sorted(map(tuple, found)) == sorted(set(places))
        counts = Counter(places)
        assert len(set(counts.values())) == 1  # each as likely as the others


def test_places_make_the_seven_metrics(run_math):
    lists = [c for c in CASES if len(set(c["scores"])) == len(c["scores"])]
    for case, (found,) in zip(
        lists, run_math("seven.tieOrders(c.scores, c.relevance).map((p) => seven.ofPlaces(p, c.k))", lists), strict=True
    ):
        for name, value in seven(*tensors(case), case["k"]).items():
            equal(found[name], value)


def test_scores_in_steps(run_math):
    found = run_math("seven.inSteps(c.scores, c.step)", [{"scores": [0.1, 0.1499, 0.15, 0.3, 1], "step": s} for s in (0.1, 0.2, 0)])
    assert found == [[1, 1, 1, 3, 10], [1, 1, 1, 1, 5], [0.1, 0.1499, 0.15, 0.3, 1]]


@pytest.mark.parametrize(("tau", "rho", "delta"), [(0.01, 100, 0.05), (0.1, 1, 0.3), (0.003, 20, 0.01)])
def test_sup_rank_step(run_math, tau, rho, delta):
    """The step of one negative, and its slope, are what the rank of a positive makes of it."""
    gaps = [-0.5, -0.02, -1e-9, 0.0, 1e-9, 0.004, 0.02, delta - 1e-9, delta + 1e-9, 0.4, 2.0]  # at delta itself there is no slope
    knobs = f"c, {tau}, {rho}, {delta}"
    for gap, (step, slope) in zip(gaps, run_math(f"[suprank.supStep({knobs}), suprank.supStepSlope({knobs})]", gaps), strict=True):
        scores = torch.tensor([0.0, gap], dtype=torch.float64, requires_grad=True)
        rank = rb.sup_ranks(scores, torch.tensor([1, 0]), tau=tau, rho=rho, delta=delta)[0]
        equal(step, rank - 1)
        equal(slope, torch.autograd.grad(rank, scores)[0][1])


def test_hierarchical_ap(run_math):
    tree = [c | {"levels": [rel * (1 + i % 3) for i, rel in enumerate(c["relevance"])]} for c in CASES]
    relevance = "metrics.hierarchicalRelevance(c.levels, c.tau)"
    expression = f"[{relevance}, metrics.hierarchicalAP(c.scores, {relevance})]"
    assert {level for c in tree for level in c["levels"]} == {0, 1, 2, 3}
    for case, (relevance, value) in zip(tree, run_math(expression, tree), strict=True):
        expected = rb.hierarchical_relevance(torch.tensor(case["levels"]), alpha=case["tau"], dtype=torch.float64)
        equal(relevance, expected)
        equal(value, rb.hierarchical_ap(tensors(case)[0], expected))


def test_metrics_without_a_positive_are_undefined(run_math):
    for expression in ("averagePrecision(c, [0, 0])", "recallAtK(c, [0, 0], 1)", "ndcg(c, [0, 0])", "hierarchicalAP(c, [0, 0])"):
        assert run_math(f"metrics.{expression}", [[0.1, 0.2]]) == [None], expression


def test_smooth_ap_loss_and_gradient(run_math):
    for case, found in zip(CASES, run_math("soft_metrics.smoothAPLoss(c.scores, c.relevance, c.tau)", CASES), strict=True):
        scores, relevance = tensors(case, requires_grad=True)
        loss = rb.as_loss(rb.average_precision, partial(rb.sigmoid_ranks, tau=case["tau"]))(scores, relevance)
        (gradient,) = torch.autograd.grad(loss, scores)
        equal(found["loss"], loss)
        equal(found["gradient"], gradient)
