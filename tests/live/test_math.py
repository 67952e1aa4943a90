"""The JavaScript of the live figures equals rankbook and torch autograd, in float64, to 1e-12."""

from functools import partial

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
        ("math.averagePrecision(c.scores, c.relevance)", lambda s, r, c: rb.average_precision(s, r)),
        ("math.recallAtK(c.scores, c.relevance, c.k)", lambda s, r, c: rb.recall_at_k(s, r, k=c["k"])),
        ("math.ndcg(c.scores, c.relevance)", lambda s, r, c: rb.ndcg(s, r)),
        # Graded relevance: twice the label for every second item.
        (
            "math.ndcg(c.scores, c.relevance.map((rel, i) => rel * (1 + i % 2)))",
            lambda s, r, c: rb.ndcg(s, r * (1 + torch.arange(len(r)) % 2)),
        ),
        (
            "math.averagePrecision(c.scores, c.relevance, (s) => math.sigmoidRanks(s, c.tau))",
            lambda s, r, c: rb.average_precision(s, r, rank_fn=partial(rb.sigmoid_ranks, tau=c["tau"])),
        ),
    ],
    ids=["ap", "recall", "ndcg", "graded-ndcg", "smooth-ap"],
)
def test_metrics(run_math, expression, metric):
    for case, found in zip(CASES, run_math(expression, CASES), strict=True):
        equal(found, metric(*tensors(case), case))


@pytest.mark.parametrize(("rho", "delta"), [(100, 0.05), (1, 0.3), (20, 0.01)])
def test_sup_ranks(run_math, rho, delta):
    knobs = f"c.scores, c.relevance, c.tau, {rho}, {delta}"
    found = run_math(f"[math.supRanks({knobs}), math.supRankJacobian({knobs})]", CASES)
    for case, (ranks, jacobian) in zip(CASES, found, strict=True):
        scores, relevance = tensors(case)
        ranker = partial(rb.sup_ranks, relevance=relevance, tau=case["tau"], rho=rho, delta=delta)
        equal(ranks, ranker(scores))
        equal(jacobian, torch.autograd.functional.jacobian(ranker, scores))


def test_hierarchical_ap(run_math):
    tree = [c | {"levels": [rel * (1 + i % 3) for i, rel in enumerate(c["relevance"])]} for c in CASES]
    expression = "[math.hierarchicalRelevance(c.levels, c.tau), math.hierarchicalAP(c.scores, math.hierarchicalRelevance(c.levels, c.tau))]"
    assert {level for c in tree for level in c["levels"]} == {0, 1, 2, 3}
    for case, (relevance, value) in zip(tree, run_math(expression, tree), strict=True):
        expected = rb.hierarchical_relevance(torch.tensor(case["levels"]), alpha=case["tau"], dtype=torch.float64)
        equal(relevance, expected)
        equal(value, rb.hierarchical_ap(tensors(case)[0], expected))


def test_metrics_without_a_positive_are_undefined(run_math):
    expression = "[math.averagePrecision(c, [0, 0]), math.recallAtK(c, [0, 0], 1), math.ndcg(c, [0, 0]), math.hierarchicalAP(c, [0, 0])]"
    assert run_math(expression, [[0.1, 0.2]]) == [[None, None, None, None]]


def test_smooth_ap_loss_and_gradient(run_math):
    for case, found in zip(CASES, run_math("math.smoothAPLoss(c.scores, c.relevance, c.tau)", CASES), strict=True):
        scores, relevance = tensors(case, requires_grad=True)
        loss = rb.as_loss(rb.average_precision, partial(rb.sigmoid_ranks, tau=case["tau"]))(scores, relevance)
        (gradient,) = torch.autograd.grad(loss, scores)
        equal(found["loss"], loss)
        equal(found["gradient"], gradient)
