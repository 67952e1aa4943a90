"""Whole-gallery metrics against a loop over the queries, and the memory that they take."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

import rankbook as rb
from modes import MODES, WITHOUT_GRADIENT
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


@pytest.mark.parametrize("seed", range(3))
def test_equals_a_loop_over_the_queries(seed):
    x, y = problem(seed)
    assert evaluate_retrieval(x, y) == pytest.approx(loop(x, y, x, y, leave_out=True), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_tied_scores_rank_as_each_metric_ranks_them(seed):
    x, y = problem(seed, rounded=True)
    where, relevance = rb.leave_query_out(len(x)), rb.same_label(y)
    whole = {name: metric(x @ x.T, relevance, where=where).item() for name, metric in RETRIEVAL_METRICS.items()}
    assert evaluate_retrieval(x, y) == pytest.approx(whole, abs=1e-12)
    assert whole["AP"] == pytest.approx(loop(x, y, x, y, leave_out=True)["AP"], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_reference_set_is_ranked_whole(seed):
    x, y = problem(seed)
    ref_x, ref_y = problem(seed + 10, n=45)
    assert evaluate_retrieval(x, y, ref_x, ref_y) == pytest.approx(loop(x, y, ref_x, ref_y, leave_out=False), abs=1e-12)


@pytest.mark.parametrize("classes", [3, 12], ids=["sorted", "counted"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_chunks_leave_no_trace_in_the_last_digit(dtype, classes):
    x, y = problem(0, n=301, d=17, classes=classes)
    x = torch.nn.functional.normalize(x.to(dtype).sign(), dim=1)  # scores that would tie but for their rounding
    one, *others = (evaluate_retrieval(x, y, chunk_size=size) for size in (1, 7, 16, 17, 64, 100, 1000))
    assert all(other == one for other in others)


def test_blocks_of_comparisons_change_nothing(monkeypatch):
    x, y = problem(0, classes=20)
    expected = evaluate_retrieval(x, y)
    monkeypatch.setattr("rankbook.ranks.pairs.BLOCK", 150)  # two thresholds, one query at a time
    assert evaluate_retrieval(x, y) == expected


@pytest.mark.parametrize("few", [0.0, 1e9], ids=["sorted", "counted"])
def test_counting_and_sorting_agree(monkeypatch, few):
    x, y = problem(0, rounded=True, classes=5)
    expected = evaluate_retrieval(x, y)
    monkeypatch.setattr("rankbook.retrieval.short_lists.math.log2", lambda m: few)
    assert evaluate_retrieval(x, y) == expected


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


@pytest.mark.parametrize("chunk_size", [1, 7, 64, 301])
@pytest.mark.parametrize("dimensions", [4, 512])
def test_constant_embeddings_never_look_better_than_chance(dimensions, chunk_size):
    """Nothing is told apart: all 297 negatives stand before the first of the 3 positives."""
    x = torch.nn.functional.normalize(torch.randn(1, dimensions), dim=1).expand(300, -1).contiguous()
    values = evaluate_retrieval(x, torch.arange(300) // 4, chunk_size=chunk_size)
    assert values["R@1"] == values["R@10"] == values["mAP@R"] == 0
    assert values["AP"] == pytest.approx(3 / 299)


def weighted_share(scores, relevance, *, where=None, **_):
    """A metric of somebody else: no ranker of its own, and one value a list whatever the reduction."""
    weights = scores.exp() if where is None else torch.where(where, scores.exp(), 0.0)
    return (weights * relevance).sum(-1) / weights.sum(-1)


@pytest.mark.parametrize("metric", [rb.spearman, rb.kendall, weighted_share])
def test_a_metric_that_reads_the_negatives_gets_whole_lists(metric):
    x, y = problem(1)
    levels = torch.stack([y, y // 3], dim=1)
    where, relevance = rb.leave_query_out(len(x)), rb.shared_levels(levels)
    counted = ((relevance > 0) & where).any(1)
    expected = metric((x @ x.T)[counted], relevance[counted], where=where[counted]).mean()
    found = evaluate_retrieval(x, levels, metrics={"m": metric, "AP": rb.average_precision}, chunk_size=16)
    assert found["m"] == pytest.approx(expected.item(), abs=1e-9)
    assert found["AP"] == evaluate_retrieval(x, levels, metrics={"AP": rb.average_precision})["AP"]


def test_a_query_on_which_a_metric_has_no_value_is_not_in_its_mean():
    """Two of three queries see positives only: no correlation with a constant."""
    x, y = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]]), torch.tensor([[0, 0], [0, 0], [1, 0]])
    expected = rb.spearman(x @ x.T, rb.shared_levels(y), where=rb.leave_query_out(3), reduction="none")
    assert evaluate_retrieval(x, y, metrics={"rho": rb.spearman})["rho"] == pytest.approx((expected[:2].sum() / 2).item())


def test_many_positives_are_quick():
    """6 classes of 8,000 items: the gallery is sorted once a query, not counted for each of 1,333 positives."""
    calls, count = [], rb.retrieval.short_lists.count_exactly
    x, y = torch.randn(8000, 8), torch.arange(8000) % 6
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rankbook.retrieval.short_lists.count_exactly", lambda *arguments: calls.append(arguments) or count(*arguments))
        evaluate_retrieval(x[:4], y[:4], x, y, metrics={"R@1": partial(rb.hit_at_k, k=1)})
    assert not [scores for scores, _ in calls if scores.shape[1] == 8000]


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    x, y = problem(0)
    assert evaluate_retrieval(x.to(dtype), y) == evaluate_retrieval(x.to(dtype).float(), y)


@pytest.mark.parametrize("mode", [*MODES, *WITHOUT_GRADIENT])
def test_the_modes_of_torch_change_nothing(mode):
    x, y = problem(0)
    metrics = {**RETRIEVAL_METRICS, "rho": rb.spearman}
    expected = evaluate_retrieval(x.float(), y, metrics=metrics)
    with {**MODES, **WITHOUT_GRADIENT}[mode]():
        assert evaluate_retrieval(x.float(), y, metrics=metrics) == expected


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**-83, 2.0**64, 2.0**100])
def test_embeddings_of_any_magnitude(scale):
    """Products of 1e-60 to 1e60: a power of two changes no digit, so the ranks are the same."""
    x, y = problem(0)
    assert evaluate_retrieval(x.float() * scale, y) == evaluate_retrieval(x.float().double(), y)


def test_labels_of_any_form():
    x, y = problem(0)
    names = [f"class {label}" for label in y.tolist()]
    assert evaluate_retrieval(x, names) == evaluate_retrieval(x, y.numpy()) == evaluate_retrieval(x, y)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (["R@1"], r'^metrics must map names to functions, such as \{"R@1": partial\(rb.hit_at_k, k=1\)'),
        ({}, "^metrics must map names to functions"),
        ({"R@1": "hit"}, r"^metrics\['R@1'\] must be callable"),
    ],
    ids=["names", "nothing", "a name"],
)
def test_metrics_are_functions_by_name(metrics, message):
    with pytest.raises(TypeError, match=message):
        evaluate_retrieval(*problem(0), metrics=metrics)


def test_a_metric_without_any_value_is_named():
    with pytest.raises(ValueError, match="metrics: rho has no value on any query"):
        evaluate_retrieval(torch.eye(2), torch.tensor([0, 0]), metrics={"rho": rb.spearman})


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
