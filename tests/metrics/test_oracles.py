"""Against slow loops, scikit-learn and scipy, on random lists with and without ties."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau, rankdata, spearmanr
from sklearn.metrics import average_precision_score, dcg_score, ndcg_score
from torchmetrics.functional.retrieval import retrieval_average_precision, retrieval_r_precision, retrieval_reciprocal_rank

import oracles
import rankbook as rb
from metrics.cases import METRICS, SOFT_CUTS, lists

STEPS = {
    "exact": (rb.exact_ranks, oracles.at_or_above),
    "sigmoid": (partial(rb.sigmoid_ranks, tau=0.3), oracles.sigmoid(0.3)),
}


@pytest.mark.parametrize("grid", [None, 2], ids=["distinct", "ties"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)
def test_loops(case, step, grid):
    rank_fn, slow_step = STEPS[step]
    scores, relevance = lists(8, grid=grid)
    values = case.metric(scores, relevance, rank_fn=rank_fn, reduction="none")
    expected = [case.oracle(s, r, slow_step) for s, r in zip(scores.tolist(), relevance.tolist(), strict=True)]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("grid", [None, 3, 1], ids=["distinct", "ties", "heavy ties"])
def test_average_precision_is_that_of_scikit_learn(grid):
    scores, relevance = lists(50, 12, grid=grid)
    expected = [average_precision_score(r > 0, s) for s, r in zip(scores.numpy(), relevance.numpy(), strict=True)]
    np.testing.assert_allclose(rb.average_precision(scores, relevance, reduction="none"), expected, atol=1e-12)


@pytest.mark.parametrize("k", [None, 1, 4, 12, 100])
def test_ndcg_is_that_of_scikit_learn(k):
    scores, relevance = lists(50, 12)  # scikit-learn averages over ties, so: none
    expected = [ndcg_score([2.0**r - 1], [s], k=k) for s, r in zip(scores.numpy(), relevance.numpy(), strict=True)]
    np.testing.assert_allclose(rb.ndcg(scores, relevance, k=k, reduction="none"), expected, atol=1e-12)


@pytest.mark.parametrize("k", [None, 1, 4, 100])
def test_linear_gains_are_those_of_scikit_learn(k):
    scores, relevance = lists(50, 12)
    for metric, theirs in ((rb.dcg, dcg_score), (rb.ndcg, ndcg_score)):
        expected = [theirs([r], [s], k=k) for s, r in zip(scores.numpy(), relevance.numpy(), strict=True)]
        np.testing.assert_allclose(metric(scores, relevance, k=k, gain="linear", reduction="none"), expected, atol=1e-12)


@pytest.mark.parametrize("k", [1, 4, 100])
def test_cuts_are_those_of_torchmetrics(k):
    """Whose AP divides by the positives found in the top k, where ours divides by those that fit."""
    scores, relevance = lists(50, 12)
    scores, found = scores.sigmoid(), relevance > 0  # it drops scores of 0 and less
    ours = rb.average_precision(scores, found, k=k, reduction="none") * found.sum(-1).clamp(max=k)
    hits = rb.recall_at_k(scores, found, k=k, reduction="none") * found.sum(-1)
    for theirs, expected in (
        (partial(retrieval_average_precision, top_k=k), ours / hits.clamp(min=1)),
        (partial(retrieval_reciprocal_rank, top_k=k), rb.reciprocal_rank(scores, found, k=k, reduction="none")),
        (retrieval_r_precision, rb.r_precision(scores, found, reduction="none")),
    ):
        np.testing.assert_allclose(expected, [theirs(s, r) for s, r in zip(scores, found, strict=True)], atol=1e-6)


@pytest.mark.parametrize("grid", [None, 2, 1], ids=["distinct", "ties", "heavy ties"])
def test_correlations_are_those_of_scipy(grid):
    scores, target = lists(50, 12, grid=grid)
    for ours, theirs in ((rb.spearman, spearmanr), (rb.kendall, kendalltau)):
        expected = [theirs(s, t).statistic for s, t in zip(scores.numpy(), target.numpy(), strict=True)]
        np.testing.assert_allclose(ours(scores, target, reduction="none"), expected, atol=1e-12, err_msg=ours.__name__)


@pytest.mark.parametrize("ties", ["max", "min", "average"])
def test_exact_ranks_are_those_of_scipy(ties):
    scores, _ = lists(20, 12, grid=2)
    np.testing.assert_array_equal(rb.exact_ranks(scores, ties=ties), rankdata(-scores.numpy(), method=ties, axis=-1))


def test_spearman_of_smooth_ranks_is_pearson_of_the_ranks():
    scores, target = lists(5, 10)
    rank_fn = partial(rb.sigmoid_ranks, tau=0.5)
    expected = [np.corrcoef(r, rankdata(-t))[0, 1] for r, t in zip(rank_fn(scores).numpy(), target.numpy(), strict=True)]
    np.testing.assert_allclose(rb.spearman(scores, target, rank_fn=rank_fn, reduction="none"), expected, atol=1e-12)


@pytest.mark.parametrize("case", METRICS, ids=repr)
def test_ten_thousand_items(case):
    scores = torch.rand(10_000)
    relevance = (torch.rand(10_000) < 0.01).long()
    in_float32 = case.metric(scores, relevance)
    assert in_float32.item() == pytest.approx(case.metric(scores.double(), relevance).item(), abs=1e-5)


def test_average_precision_of_ten_thousand_items_is_that_of_scikit_learn():
    scores, relevance = torch.rand(10_000).mul(500).round(), torch.rand(10_000) < 0.02
    expected = average_precision_score(relevance.numpy(), scores.numpy())
    assert rb.average_precision(scores, relevance).item() == pytest.approx(expected, abs=1e-6)
