"""Whole-gallery metrics against a loop over the queries, and the memory that they take."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

import rankbook as rb
from rankbook.evaluation import RETRIEVAL_METRICS, evaluate_retrieval


def problem(seed, n=60, d=8, classes=12, rounded=False):
    """Classes of unequal sizes in any order, some of one item; rounded embeddings make tied scores."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g, dtype=torch.float64)
    return (x.round() if rounded else x), torch.randint(classes, (n,), generator=g)


def loop(x, y, ref_x, ref_y, leave_out):
    """One query at a time in numpy: sort, look, average. Ties go to the last of their places."""
    x, y, ref_x, ref_y = (np.asarray(v) for v in (x, y, ref_x, ref_y))
    rows = []
    for i in range(len(x)):
        keep = np.arange(len(ref_x)) != i if leave_out else np.ones(len(ref_x), bool)
        scores, positive = (ref_x @ x[i])[keep], (ref_y == y[i])[keep]
        if not positive.any():
            continue
        ranks = np.sort((scores[None, :] >= scores[positive][:, None]).sum(1))
        among = (scores[positive][None, :] >= scores[positive][:, None]).sum(1)
        all_ranks = (scores[None, :] >= scores[positive][:, None]).sum(1)
        r = positive.sum()
        rows.append(
            {
                "R@1": float(ranks[0] <= 1),
                "R@10": float(ranks[0] <= 10),
                "mAP@R": np.where(all_ranks <= r, among / all_ranks, 0).sum() / r,
                "AP": average_precision_score(positive, scores),
            }
        )
    return {name: np.mean([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "tied"])
@pytest.mark.parametrize("seed", range(3))
def test_equals_a_loop_over_the_queries(seed, rounded):
    x, y = problem(seed, rounded=rounded)
    assert evaluate_retrieval(x, y) == pytest.approx(loop(x, y, x, y, leave_out=True), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_reference_set_is_ranked_whole(seed):
    x, y = problem(seed)
    ref_x, ref_y = problem(seed + 10, n=45)
    assert evaluate_retrieval(x, y, ref_x, ref_y) == pytest.approx(loop(x, y, ref_x, ref_y, leave_out=False), abs=1e-12)


@pytest.mark.parametrize("chunk_size", [1, 7, 1000])
def test_chunks_change_nothing(chunk_size):
    x, y = problem(0)
    assert evaluate_retrieval(x, y, chunk_size=chunk_size) == pytest.approx(evaluate_retrieval(x, y), abs=1e-12)


def test_blocks_of_comparisons_change_nothing(monkeypatch):
    x, y = problem(0, classes=3)
    expected = evaluate_retrieval(x, y)
    monkeypatch.setattr("rankbook.ranks.pairs.BLOCK", 150)  # two thresholds, one query at a time
    assert evaluate_retrieval(x, y) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "metric",
    [
        rb.average_precision,
        rb.map_at_r,
        rb.ndcg,
        partial(rb.ndcg, k=5),
        rb.reciprocal_rank,
        rb.hierarchical_ap,
        partial(rb.recall_at_k, k=4),
        partial(rb.precision_at_k, k=4),
        partial(rb.hit_at_k, k=2),
    ],
)
def test_any_metric_of_the_package(metric):
    """The short list of positives with known ranks gives the same as the whole list; also with graded relevance."""
    x, y = problem(1)
    levels = torch.stack([y, y // 3], dim=1)
    expected = metric(x @ x.T, rb.shared_levels(levels), where=rb.leave_query_out(len(x)))
    assert evaluate_retrieval(x, levels, metrics={"m": metric})["m"] == pytest.approx(expected.item(), abs=1e-12)


def test_the_default_reads_the_finest_level():
    x, y = problem(2)
    assert evaluate_retrieval(x, torch.stack([y, y // 3], dim=1)) == evaluate_retrieval(x, y)
    assert set(evaluate_retrieval(x, y)) == set(RETRIEVAL_METRICS) == {"R@1", "R@10", "mAP@R", "AP"}


def test_constant_embeddings_earn_the_worst():
    """Nothing is told apart: each positive stands last. Three classes of two: AP is 1/5."""
    values = evaluate_retrieval(torch.ones(6, 4), torch.tensor([0, 0, 1, 1, 2, 2]))
    assert values == {"R@1": 0, "R@10": 1, "mAP@R": 0, "AP": pytest.approx(1 / 5)}


def test_memory_is_one_chunk_not_the_square():
    """6,000 items: all scores would take 144 MB; a chunk takes 1.5 MB, and its comparisons 0.5 MB at a time."""
    n = 6000
    x, y = torch.randn(n, 16), torch.arange(n) // 4
    with torch.profiler.profile(profile_memory=True) as profile:
        evaluate_retrieval(x, y, chunk_size=64)
    held = peak = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    assert 64 * n * 4 <= peak < 3 * 64 * n * 4


def test_inputs_stay_as_they_are():
    x, y = problem(0)
    x.requires_grad_()
    before = x.detach().clone(), y.clone()
    assert all(isinstance(value, float) for value in evaluate_retrieval(x, y).values())
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


def test_half_precision_is_computed_in_float32():
    x, y = problem(0)
    assert evaluate_retrieval(x.half(), y) == evaluate_retrieval(x.half().float(), y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": torch.tensor([[1.0], [torch.nan]])}, r"embeddings\[1, 0\] is nan"),
        ({"labels": torch.tensor([0, 0, 0])}, "labels must have one entry for each of the 2 embeddings"),
        ({"labels": torch.tensor([0, 1])}, "no query has a positive"),
        ({"ref_labels": torch.tensor([0, 1])}, "ref_embeddings is missing"),
        ({"chunk_size": 0}, "chunk_size must be a whole number"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_named(change, message):
    arguments = {"embeddings": torch.ones(2, 1), "labels": torch.tensor([0, 0])} | change
    with pytest.raises(ValueError, match=message):
        evaluate_retrieval(**arguments)
