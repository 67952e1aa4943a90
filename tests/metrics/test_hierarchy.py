"""H-AP: its three ways to count agree, and its cost knows no grade that is too many or too strange."""

import time
from functools import partial

import numpy as np
import pytest
import torch

import oracles
import rankbook as rb
from metrics.cases import lists
from rankbook.metrics import hierarchy
from rankbook.metrics.lower_grades import lower_grades_ahead
from rankbook.ranks import pairs

STEPS = {
    "exact": (rb.exact_ranks, oracles.at_or_above),
    "sigmoid": (partial(rb.sigmoid_ranks, tau=0.3), oracles.sigmoid(0.3)),
    "laplace": (partial(rb.laplace_ranks, tau=0.3), oracles.laplace(0.3)),
    "box": (partial(rb.box_ranks, width=0.7), oracles.box(0.7)),
}
RANKERS = {
    **{name: ranker for name, (ranker, _) in STEPS.items()},
    **{f"exact {ties}": partial(rb.exact_ranks, ties=ties) for ties in ("min", "average", "worst")},
    "suprank": partial(rb.sup_ranks, tau=0.3, rho=2.0, delta=0.5),
    "neuralsort": partial(rb.neuralsort_ranks, tau=0.3),
    "projection": partial(rb.projection_ranks, tau=3.0),
    "blackbox": rb.blackbox_ranks,
    "sorter": rb.load_sorter("kernel"),
}


def one_call_a_grade(scores, relevance, *, rank_fn, where=None):
    """The definition by levels, a list and a grade at a time."""
    values = []
    for s, rel, present in zip(scores, relevance, torch.ones_like(scores, dtype=torch.bool) if where is None else where, strict=True):
        h_rank, below = torch.zeros_like(s), 0.0
        for level in sorted({x for x, there in zip(rel.tolist(), present.tolist(), strict=True) if there and x > 0}):
            reach = (rel >= level) & present
            worst = isinstance(rank_fn, partial) and rank_fn.keywords.get("ties") == "worst"
            among = rank_fn(s, rel if worst else reach, where=reach)
            h_rank = h_rank + (level - below) * torch.where(reach, among, 0.0)
            below = level
        ranks = rank_fn(s, rel, where=None if where is None else present)
        value = torch.where((rel > 0) & present, h_rank / ranks, 0.0).sum() / rel[present].sum()
        values.append(value - (value - 1).detach().clamp(min=0))  # no more than 1, with the gradient as it was
    return torch.stack(values)


@pytest.mark.parametrize("grades", ["few", "real"])
@pytest.mark.parametrize("grid", [None, 2], ids=["distinct", "ties"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", RANKERS)
def test_all_ways_are_one_call_a_grade(name, masked, grid, grades):
    scores, relevance = lists(5, 20, grid=grid)
    if grades == "real":
        relevance = relevance * torch.rand(relevance.shape, dtype=torch.float64)
    where = torch.rand(5, 20) < 0.8 if masked else None
    if masked:
        where[:, :2] = True
    rank_fn = RANKERS[name]
    if name == "sorter":  # its weights are float32, and that in blocks of another size
        scores, relevance = scores.float(), relevance.float()
    scores.requires_grad_()
    values = rb.hierarchical_ap(scores, relevance, rank_fn=rank_fn, where=where, reduction="none")
    expected = one_call_a_grade(scores, relevance, rank_fn=rank_fn, where=where)
    tolerance = 1e-5 if name == "sorter" else 1e-12
    torch.testing.assert_close(values, expected, rtol=0, atol=tolerance, check_dtype=False)
    finite_step = name == "blackbox"  # no sum over grades
    at_a_kink = name == "projection" and grid is not None  # ties of levels: each cut into blocks is right, and rounding picks one
    if expected.requires_grad and not finite_step and not at_a_kink:
        gradients = (torch.autograd.grad(v.sum(), scores)[0] for v in (values, expected))
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=100 * tolerance)


@pytest.mark.parametrize("elements", [1, 100, 1000])
@pytest.mark.parametrize("name", ["exact", "exact average", "sigmoid", "laplace"])
def test_blocks_of_any_size_agree(name, elements, monkeypatch):
    scores, relevance = lists(5, 20, grid=2)
    relevance = relevance * torch.rand(relevance.shape)
    scores.requires_grad_()

    def value_and_gradient():
        value = rb.as_loss(rb.hierarchical_ap, RANKERS[name])(scores, relevance)
        return value.detach(), torch.autograd.grad(value, scores)[0] if value.requires_grad else None

    whole = value_and_gradient()
    monkeypatch.setattr(hierarchy, "BLOCK", elements)
    monkeypatch.setattr(pairs, "BLOCK", elements)
    torch.testing.assert_close(value_and_gradient(), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [*RANKERS, "perturbed"])
def test_binary_relevance_makes_it_ap(name):
    """With every ranker; one that draws noise draws it in the same order."""
    scores, relevance = lists(4, 12, grid=2)
    values = []
    for metric in (rb.average_precision, rb.hierarchical_ap):
        noisy = partial(rb.perturbed_ranks, sigma=0.5, generator=torch.Generator().manual_seed(0))
        rank_fn = noisy if name == "perturbed" else RANKERS[name]
        values.append(metric(scores, 0.7 * (relevance > 0), rank_fn=rank_fn, reduction="none"))
    torch.testing.assert_close(*values, rtol=0, atol=1e-12)


@pytest.mark.parametrize("step", STEPS)
def test_real_grades_by_loops(step):
    rank_fn, slow_step = STEPS[step]
    scores, relevance = lists(6, 15, grid=3)
    relevance = relevance * torch.rand(relevance.shape, dtype=torch.float64)
    expected = [oracles.hierarchical_ap(s, r, slow_step) for s, r in zip(scores.tolist(), relevance.tolist(), strict=True)]
    np.testing.assert_allclose(rb.hierarchical_ap(scores, relevance, rank_fn=rank_fn, reduction="none"), expected, rtol=0, atol=1e-12)


def test_gradcheck_of_real_grades():
    scores, relevance = lists(2, 12)
    relevance = relevance + torch.rand(relevance.shape, dtype=torch.float64)
    loss = rb.as_loss(rb.hierarchical_ap, partial(rb.sigmoid_ranks, tau=0.5))
    assert torch.autograd.gradcheck(lambda s: loss(s, relevance), scores.requires_grad_())


def test_a_second_derivative_of_pairs_is_refused():
    """It would be zero in silence: the first one is computed by hand."""
    scores, relevance = torch.rand(12, requires_grad=True), torch.rand(12)
    loss = rb.as_loss(rb.hierarchical_ap, partial(rb.sigmoid_ranks, tau=0.5))(scores, relevance)
    (gradient,) = torch.autograd.grad(loss, scores, create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiable once"):
        gradient.square().sum().backward()


def test_pairs_under_functional_transforms():
    scores, relevance = lists(4, 12)
    relevance = relevance + torch.rand(relevance.shape, dtype=torch.float64)
    metric = partial(rb.hierarchical_ap, rank_fn=RANKERS["sigmoid"], reduction="sum")
    leaf = scores.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(metric(leaf, relevance), leaf)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(metric))(scores, relevance), gradient)


@pytest.mark.parametrize("name", ["exact", "sigmoid", "neuralsort"])
@pytest.mark.parametrize("few", [True, False], ids=["few grades", "many grades"])
def test_only_ratios_of_grades_matter(name, few):
    """From the smallest subnormal number to the largest: no overflow, no endless loop."""
    scores, relevance = lists(3, 12)
    if not few:
        relevance = torch.randint(1, 50, relevance.shape)
    expected = rb.hierarchical_ap(scores, relevance, rank_fn=RANKERS[name])
    for scale in (1e-300, 1e-30, 1e30, 1e300):
        torch.testing.assert_close(
            rb.hierarchical_ap(scores, relevance * torch.tensor(scale, dtype=torch.float64), rank_fn=RANKERS[name]), expected
        )
    in_float = rb.hierarchical_ap(scores.float(), relevance.double() * 1e300, rank_fn=RANKERS[name])
    torch.testing.assert_close(in_float, expected.float())


@pytest.mark.parametrize("relevance", [[1e300, 0.0, 0.0], [1e300, 5.0, 5e-324], [5e-324, 0.0, 5e-324], [2.0**60, 2.0**-60, 1.0]])
def test_strange_grades(relevance):
    value = rb.hierarchical_ap(torch.tensor([0.3, 0.2, 0.1], dtype=torch.float64), torch.tensor(relevance, dtype=torch.float64))
    scaled = [grade / max(relevance) for grade in relevance]
    assert value.item() == pytest.approx(oracles.hierarchical_ap([0.3, 0.2, 0.1], scaled), rel=1e-12)


@pytest.mark.parametrize("ties", ["max", "min", "average", "worst"])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 33])
def test_exact_counts_by_loops(n, ties):
    """Every rule for ties, lists of any length, grades that repeat, absent items."""
    tied = {"max": 1.0, "min": 0.0, "average": 0.5}
    for grid in (1, 3):
        scores, relevance = (torch.randn(20, n, dtype=torch.float64) * grid).round(), torch.randint(0, 12, (20, n)).double()
        where = torch.rand(20, n) < 0.9
        rank_fn = partial(rb.exact_ranks, ties=ties)
        ranks = rank_fn(scores, relevance, where=where)
        grades = relevance * where
        counted = lower_grades_ahead(ranks, grades, tied.get(ties, 1.0))
        for s, g, r, there, row in zip(scores.tolist(), grades.tolist(), ranks.tolist(), where.tolist(), counted.tolist(), strict=True):
            for k in (k for k in range(n) if there[k]):
                expected = g[k]
                for j in (j for j in range(n) if there[j] and j != k):
                    ahead = float(r[j] < r[k]) if ties == "worst" or s[j] != s[k] else tied[ties]
                    expected += ahead * min(g[j], g[k])
                assert row[k] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_many_grades_cost_a_few_sorts(dtype):
    scores, relevance = torch.rand(1, 20_000, dtype=dtype), torch.rand(1, 20_000, dtype=dtype)
    times = {}
    for name, call in (("sort", lambda: scores.argsort()), ("H-AP", lambda: rb.hierarchical_ap(scores, relevance))):
        start = time.process_time()
        for _ in range(3):
            call()
        times[name] = time.process_time() - start
    assert times["H-AP"] < 50 * times["sort"]  # 8 to 15; all pairs take 400
    wide = rb.hierarchical_ap(scores.double(), relevance.double())
    torch.testing.assert_close(rb.hierarchical_ap(scores, relevance).double(), wide, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    "rank_fn", [rb.exact_ranks, rb.sup_ranks, rb.sigmoid_ranks, rb.laplace_ranks, rb.box_ranks], ids=lambda f: f.__name__
)
def test_the_ranker_is_not_called_once_a_grade(rank_fn):
    """Pairs are counted, or many lists go into one call: never a call for each of 100 grades."""
    scores, relevance = torch.rand(4, 100), torch.rand(4, 100)
    calls = 0

    def counted(*args, **kwargs):
        nonlocal calls
        calls += 1
        return rank_fn(*args, **kwargs)

    rb.hierarchical_ap(scores, relevance, rank_fn=counted)
    assert calls <= 3
    scores, relevance = torch.rand(4, 300), torch.rand(4, 300)
    start = time.process_time()
    rb.hierarchical_ap(scores, relevance, rank_fn=rank_fn)
    assert time.process_time() - start < 1
