"""Weights of items and of queries: by slow loops, and what they must not change."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import rankdata, weightedtau

import oracles
import rankbook as rb
from metrics.cases import CORRELATIONS, METRICS, SOFT_CUTS, lists

SMOOTH = partial(rb.sigmoid_ranks, tau=0.3)
every_metric = pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)
every_call = pytest.mark.parametrize(
    "call", [case.metric for case in METRICS] + list(CORRELATIONS.values()), ids=[case.name for case in METRICS] + list(CORRELATIONS)
)


def problem(batch=6, n=9, grid=None):
    """Lists with weights from 0 to 5, a weight above 0 at a positive of each."""
    scores, relevance = lists(batch, n, grid=grid)
    weights = 5 * torch.rand(batch, n, dtype=torch.float64) * (torch.rand(batch, n) < 0.8)
    weights[:, 1] = 0.7
    return scores, relevance, weights


@every_metric
@pytest.mark.parametrize("rank_fn", [rb.exact_ranks, SMOOTH], ids=["exact", "sigmoid"])
def test_item_weights_by_loops(case, rank_fn):
    scores, relevance, weights = problem(grid=2)
    step = oracles.at_or_above if rank_fn is rb.exact_ranks else oracles.sigmoid(0.3)
    expected = [case.oracle(*one, step, weights=w) for *one, w in zip(scores.tolist(), relevance.tolist(), weights.tolist(), strict=True)]
    values = case.metric(scores, relevance, rank_fn=rank_fn, item_weights=weights, reduction="none")
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_a_weighted_kendall_is_that_of_scipy():
    scores, target, weights = problem(20, 8, grid=2)
    expected = [
        weightedtau(s, t, rank=np.arange(8), weigher=lambda i, w=w: float(w[i]), additive=False).statistic
        for s, t, w in zip(scores.numpy(), target.numpy(), weights.numpy(), strict=True)
    ]
    values = rb.kendall(scores, target, item_weights=weights, reduction="none")
    np.testing.assert_allclose(values, np.nan_to_num(expected), rtol=0, atol=1e-12)


def test_a_weighted_spearman_is_that_of_numpy():
    scores, target, weights = problem(20, 8)
    expected = []
    for s, t, w in zip(scores.numpy(), target.numpy(), weights.numpy(), strict=True):
        c = np.cov(rankdata(-s), rankdata(-t), aweights=w)
        expected.append(c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) if c[0, 0] * c[1, 1] > 1e-12 else 0.0)
    values = rb.spearman(scores, target, item_weights=weights, reduction="none")
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


@every_call
@pytest.mark.parametrize("scale", [1e-30, 1, 1e30, 1e300], ids=str)
def test_equal_weights_change_nothing(call, scale):
    """But to DCG, whose gains they multiply."""
    if getattr(call, "func", call) is rb.dcg:
        scale = 1
    scores, relevance = lists(6, 9)
    weights = torch.full((9,), scale, dtype=torch.float64)
    for s in (scores, scores.float()):
        torch.testing.assert_close(call(s, relevance, item_weights=weights, reduction="none"), call(s, relevance, reduction="none"))
        torch.testing.assert_close(call(s, relevance, query_weights=torch.full((6,), scale, dtype=torch.float64)), call(s, relevance))


def test_weights_multiply_dcg():
    scores, relevance = lists(6, 9)
    value = rb.dcg(scores, relevance, item_weights=torch.full((9,), 2.5))
    torch.testing.assert_close(value, 2.5 * rb.dcg(scores, relevance))


@every_call
def test_absent_items_have_no_weight(call):
    scores, relevance, weights = problem()
    where = torch.rand(6, 9) < 0.7
    where[:, :4] = True
    where[0] = True
    expected = [call(s[w], r[w], item_weights=x[w], reduction="none") for s, r, w, x in zip(scores, relevance, where, weights, strict=True)]
    spoiled = torch.where(where, weights, torch.nan)
    found = call(scores, relevance, where=where, item_weights=spoiled, reduction="none")
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=1e-12)


@every_call
def test_query_weights_repeat_and_drop_lists(call):
    """2 is the list twice, 0 is none; a mean over lists without a value stays without them."""
    scores, relevance = lists(5, 9)
    relevance[3] = 0
    weights, twice = torch.tensor([2, 0, 1, 5, 1]), torch.tensor([0, 0, 2, 3, 4])
    values = call(scores, relevance, reduction="none")
    for reduction in ("mean", "sum"):
        found = call(scores, relevance, query_weights=weights, reduction=reduction)
        torch.testing.assert_close(found, call(scores[twice], relevance[twice], reduction=reduction))
    assert torch.equal(call(scores, relevance, query_weights=weights, reduction="none"), values)
    seen = call(scores, relevance, query_weights=weights, reduction=lambda values, defined, weights: weights)
    assert torch.equal(seen, weights)
    with pytest.raises(ValueError, match="query_weights are 0 there"):
        call(scores, relevance, query_weights=torch.tensor([0, 0, 0, 1, 0]))


@every_metric
def test_losses_take_weights(case):
    scores, relevance, weights = problem()
    relevance[3] = 0
    queries = torch.tensor([1.0, 0.0, 2.0, 4.0, 0.5, 1.0], dtype=torch.float64)
    values = case.metric(scores, relevance, rank_fn=SMOOTH, item_weights=weights, reduction="none")
    losses = torch.where(relevance.any(-1), 1 - values, 0.0)
    for reduction, expected in (
        ("none", losses),
        ("sum", (queries * losses).sum()),
        ("mean", (queries * losses).sum() / (queries.sum() - queries[3])),
    ):
        for loss in (rb.as_loss(case.metric, SMOOTH, reduction=reduction), rb.RankLoss(case.metric, SMOOTH, reduction=reduction)):
            found = loss(scores, relevance, item_weights=weights, query_weights=queries)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    with pytest.warns(UserWarning, match="teaches nothing"):
        assert rb.as_loss(case.metric, SMOOTH)(scores, relevance, query_weights=torch.zeros(6)) == 0


@every_metric
def test_gradients_of_weighted_losses(case):
    scores, relevance, weights = problem(2, 6)
    queries = torch.tensor([1.0, 3.0])
    loss = rb.as_loss(case.metric, SMOOTH)
    leaf = weights.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s: loss(s, relevance, item_weights=leaf, query_weights=queries), scores.requires_grad_(), atol=1e-5
    )
    loss(scores, relevance, item_weights=leaf).backward()
    assert leaf.grad is None


@every_call
@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.float32])
def test_weights_of_any_kind(call, kind):
    scores, relevance = lists(4, 9, dtype=torch.float32)
    items, queries = torch.tensor([1, 1, 0, 1, 0, 1, 1, 0, 1]), torch.tensor([1, 0, 1, 1])
    expected = call(scores, relevance, item_weights=items.double(), query_weights=queries.double())
    torch.testing.assert_close(call(scores, relevance, item_weights=items.to(kind), query_weights=queries.to(kind)), expected)


BAD_WEIGHTS = {
    "nan": (lambda w: w.index_fill(-1, torch.tensor(1), torch.nan), ValueError, r"{0}\[(0, )?1\] is nan"),
    "inf": (lambda w: w.index_fill(-1, torch.tensor(1), torch.inf), ValueError, r"{0}\[(0, )?1\] is inf"),
    "negative": (lambda w: w.index_fill(-1, torch.tensor(1), -2.0), ValueError, r"{0} must be >= 0 .*{0}\[(0, )?1\] is -2"),
    "too short": (lambda w: w[..., :-1], ValueError, "{0} must have .*got"),
    "a number": (lambda w: 2.0, TypeError, "{0} must be a torch.Tensor, got float"),
    "a list": (lambda w: w.tolist(), TypeError, "{0} must be a torch.Tensor, got list"),
    "complex": (lambda w: w.to(torch.complex64), TypeError, "{0} must be real"),
    "another device": (lambda w: w.to("meta"), ValueError, "{0} must be on the device of"),
}


@every_call
@pytest.mark.parametrize("bad", BAD_WEIGHTS)
def test_bad_weights(call, bad):
    spoil, error, message = BAD_WEIGHTS[bad]
    scores, relevance = lists(2, 9)
    for name, good in (("item_weights", torch.ones(2, 9)), ("query_weights", torch.ones(2))):
        with pytest.raises(error, match=message.format(name)):
            call(scores, relevance, **{name: spoil(good)})


@every_call
def test_a_list_without_weight_has_no_value(call):
    scores, relevance = lists(2, 9)
    weights = torch.tensor([[1.0], [0.0]]).expand(2, 9)
    values = call(scores, relevance, item_weights=weights, reduction="none")
    assert values[1] == 0
    torch.testing.assert_close(call(scores, relevance, item_weights=weights), values[0])
    with pytest.raises(ValueError, match="item_weights or query_weights are 0 there"):
        call(scores, relevance, item_weights=torch.zeros(9))


@pytest.mark.parametrize("gain", ["exponential", "linear", lambda r: r], ids=["exponential", "linear", "own"])
def test_a_large_grade_without_weight_hides_nobody(gain):
    """Gains are scaled by those that count: 1 would be nothing beside 2^1000."""
    scores, grades = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1000, 0, 1])
    value = rb.ndcg(scores, grades, gain=gain, item_weights=torch.tensor([0.0, 1.0, 1.0]))
    assert value.item() == pytest.approx(1 / 2)
