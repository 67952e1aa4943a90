"""Ties: what a metric says lies within what the orders of the tied items can give, and a constant score gains nothing."""

from functools import cache, partial
from itertools import groupby, pairwise, permutations, product

import pytest
import torch
from scipy.stats import rankdata

import rankbook as rb
from metrics.cases import CORRELATIONS, METRICS, SOFT_CUTS, lists

WORST = partial(rb.exact_ranks, ties="worst")
#: Metrics whose default says what a well-known library says, out of the reach of any order: two positives tied behind a negative
#: earn AP 2/3 in scikit-learn, 7/12 in both of their orders.
AS_ORACLES = {"average_precision", "average_precision@2", "average_precision@2 tau_rank", "hierarchical_ap"}
SMALL = [
    (scores, relevance)
    for n in (1, 2, 3, 4)
    for scores in product((0, 1), repeat=n)
    for relevance in product((0, 1, 3), repeat=n)
    if any(relevance)
][::7]


@cache
def orders_of(scores):
    """The orders of the items that no tie forbids."""
    descending = lambda order: all(scores[a] >= scores[b] for a, b in pairwise(order))  # noqa: E731
    return list(filter(descending, permutations(range(len(scores)))))


def worst_of_orders(case, scores, relevance):
    """The least of a metric's slow version over the orders of the tied items."""
    among = {tuple(relevance[i] for i in order) for order in orders_of(scores)}
    return min(case.oracle(list(range(len(scores), 0, -1)), list(one)) for one in among)


@pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)
def test_a_tie_is_worth_its_worst_order(case):
    for n, group in groupby(SMALL, key=lambda one: len(one[0])):
        lists = list(group)
        s, r = torch.tensor([s for s, _ in lists], dtype=torch.float64), torch.tensor([r for _, r in lists])
        assert s.shape == r.shape == (len(lists), n)
        found = [case.metric(s, r, reduction="none", **kwargs).tolist() for kwargs in ({"rank_fn": WORST}, {})]
        for (scores, relevance), by_worst, default in zip(lists, *found, strict=True):
            least = worst_of_orders(case, scores, relevance)
            assert by_worst == pytest.approx(least, abs=1e-12), (scores, relevance)
            expected = case.oracle(scores, relevance) if case.name in AS_ORACLES else least
            assert default == pytest.approx(expected, abs=1e-12), (scores, relevance)


@pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)
def test_constant_scores_are_no_better_than_any_order(case):
    for relevance in ([1, 1, 0], [0, 3, 1, 0], [2, 2], [1, 0, 0, 0, 0]):
        constant = case.metric(torch.zeros(len(relevance), dtype=torch.float64), torch.tensor(relevance)).item()
        orders = [case.oracle(list(range(len(relevance), 0, -1)), list(order)) for order in permutations(relevance)]
        if case.name in AS_ORACLES:
            assert constant == pytest.approx(case.oracle([0.0] * len(relevance), relevance), abs=1e-12)  # as scikit-learn
        else:
            assert constant == pytest.approx(min(orders), abs=1e-12)


@pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)
def test_without_ties_the_rule_does_not_matter(case):
    scores, relevance = lists(20, 12)
    values = case.metric(scores, relevance, reduction="none")
    for ties in ("max", "min", "average", "worst"):
        assert torch.equal(case.metric(scores, relevance, rank_fn=partial(rb.exact_ranks, ties=ties), reduction="none"), values)


@pytest.mark.parametrize("name", CORRELATIONS)
def test_correlations_of_ties_are_those_of_scipy(name):
    """Their ties are averaged or left out, whatever the order of the tied items; see test_oracles.py for the values."""
    scores, target = lists(20, 12, grid=1)
    order = torch.randperm(12)
    values = CORRELATIONS[name](scores, target, reduction="none")
    torch.testing.assert_close(CORRELATIONS[name](scores[:, order], target[:, order], reduction="none"), values)


@pytest.mark.parametrize("host", [True, False], ids=["by numpy", "by torch"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("grid", [None, 2, 0.3], ids=["distinct", "ties", "heavy ties"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_worst_order_is_a_permutation(host, dtype, grid, masked, monkeypatch):
    """By score; then from the least relevant up; then as they came. Both ways of sorting agree with a stable sort of tuples."""
    monkeypatch.setattr("rankbook.ranks.exact._LONG", 1 if host else 10**9)
    scores, relevance = lists(20, 12, grid=grid, dtype=dtype)
    where = torch.rand(20, 12) < 0.7 if masked else torch.ones(20, 12, dtype=torch.bool)
    ranks = WORST(scores, relevance, where=where if masked else None)
    assert ranks.dtype == dtype
    for r, s, rel, w in zip(ranks.tolist(), scores.tolist(), relevance.tolist(), where.tolist(), strict=True):
        order = sorted((i for i in range(12) if w[i]), key=lambda i: (-s[i], rel[i], i))
        assert [r[i] for i in order] == list(range(1, len(order) + 1))
        assert {r[i] for i in range(12) if not w[i]} <= {len(order) + 1}


@pytest.mark.parametrize("host", [True, False], ids=["by numpy", "by torch"])
@pytest.mark.parametrize("ties", ["max", "min", "average"])
@pytest.mark.parametrize("shape", [(12,), (1, 12), (20, 12), (2, 3, 12), (0, 12), (4, 1)])
def test_both_ways_of_sorting_are_scipy_s(host, ties, shape, monkeypatch):
    monkeypatch.setattr("rankbook.ranks.exact._LONG", 1 if host else 10**9)
    for grid in (1, 1000):
        scores = (torch.randn(shape) * grid).round()
        expected = rankdata(-scores.numpy(), method=ties, axis=-1) if scores.numel() else torch.empty(shape).numpy()
        assert rb.exact_ranks(scores, ties=ties).tolist() == expected.tolist()
        where = torch.rand(shape) < 0.6
        ranks = rb.exact_ranks(scores, where=where, ties=ties)
        for r, s, w in zip(ranks.reshape(-1, shape[-1]), scores.reshape(-1, shape[-1]), where.reshape(-1, shape[-1]), strict=True):
            assert r[w].tolist() == rankdata(-s[w].numpy(), method=ties).tolist()
            assert r[~w].eq(w.sum() + 1).all()


def test_grades_beyond_float32_break_a_tie():
    seconds = 1_700_000_000 + torch.tensor([3, 0, 2, 1])  # one float32 number
    assert WORST(torch.zeros(4), seconds).tolist() == [4, 1, 3, 2]
    assert WORST(torch.zeros(4), seconds.double() / 1e10).tolist() == [4, 1, 3, 2]


def test_the_worst_order_needs_relevance():
    with pytest.raises(ValueError, match=r'relevance must be given for ties="worst".*ties="max"'):
        WORST(torch.rand(3))
