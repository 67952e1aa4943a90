"""The decomposability gap against loops over queries and batches, its bounds on embeddings, its memory and its errors."""

from functools import partial

import pytest
import torch

import oracles
import rankbook as rb
from modes import MODES, WITHOUT_GRADIENT


def problem(seed=0, n=40, d=6, classes=6, rounded=False):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g, dtype=torch.float64)
    return (x.round() if rounded else x), torch.randint(classes, (n,), generator=g), torch.randperm(n, generator=g)


def of_query(q, items, x, relevance, metric):
    """The metric of one query in some items, itself left out; None without a positive."""
    items = [j for j in items if j != q]
    rel = [float(relevance[q, j]) for j in items]
    return metric([float(x[q] @ x[j]) for j in items], rel) if any(rel) else None


def loop(x, relevance, batches, metric):
    rows = {}
    for q in range(len(x)):
        found = [of_query(q, batch, x, relevance, metric) for batch in batches if q in batch]
        found = [value for value in found if value is not None]
        if found:
            batch, whole = sum(found) / len(found), of_query(q, range(len(x)), x, relevance, metric)
            rows[q] = {"gap": batch - whole, "batch": batch, "whole": whole}
    return rows


LISTS = {
    "partition": lambda order: order.split(5),
    "of two sizes": lambda order: [order[:25], order[25:]],
    "overlapping": lambda order: [order[:20], order[10:25], order[5:8], order[25:]],
    "not all": lambda order: [order[:9], order[25:36]],
}


@pytest.mark.parametrize("lists", LISTS)
@pytest.mark.parametrize(
    ("metric", "oracle"),
    [
        (rb.average_precision, oracles.average_precision),
        (partial(rb.hit_at_k, k=2), partial(oracles.hit_at_k, k=2)),
        (rb.ndcg, oracles.ndcg),
        (
            partial(rb.average_precision, rank_fn=partial(rb.sigmoid_ranks, tau=1.0)),
            partial(oracles.average_precision, step=oracles.sigmoid(1)),
        ),
    ],
    ids=["AP", "hit@2", "NDCG", "smooth AP"],
)
def test_equals_loops_over_queries_and_batches(metric, oracle, lists):
    x, y, order = problem()
    labels = y if metric is rb.average_precision else torch.stack([y, y // 2], 1)
    relevance, batches = rb.shared_levels(labels), LISTS[lists](order)
    expected = loop(x, relevance, [batch.tolist() for batch in batches], oracle)
    assert len(expected) > 5
    values = rb.decomposability_gap(x, labels, batches, metric=metric, reduction="none")
    means = rb.decomposability_gap(x, labels, batches, metric=metric, chunk_size=7)
    for name in ("gap", "batch", "whole"):
        by_query = [expected[q][name] if q in expected else 0 for q in range(len(x))]
        assert values[name].tolist() == pytest.approx(by_query, abs=1e-12)
        assert means[name] == pytest.approx(sum(by_query) / len(expected), abs=1e-12)


def test_a_query_may_look_worse_in_its_batches_than_it_is():
    """ROADMAP's definition: the query ranks each of two batches, so it stands in both. From the code's issue 7."""
    scores = [9, 8, 7, 1, 6, 5, 4, 3]  # three positives and a negative; a negative and three positives
    x, y = torch.tensor([1.0, *scores])[:, None], torch.tensor([0, 0, 0, 0, 1, 2, 0, 0, 0])
    result = rb.decomposability_gap(x, y, [[0, 1, 2, 3, 4], [0, 5, 6, 7, 8]], reduction="none")
    batch = (1 + (1 / 2 + 2 / 3 + 3 / 4) / 3) / 2
    whole = (3 + 4 / 5 + 5 / 6 + 6 / 7) / 6
    assert result["batch"][0] == pytest.approx(batch) == pytest.approx(0.82, abs=0.001)
    assert result["gap"][0] == pytest.approx(batch - whole) == pytest.approx(-0.095, abs=0.001)


def test_one_batch_of_everything_has_no_gap():
    x, y, order = problem(rounded=True)
    result = rb.decomposability_gap(x, y, [order])
    assert result["gap"] == pytest.approx(0, abs=1e-12)
    assert result["bound"] == result["calibrated_bound"] == 0


@pytest.mark.parametrize("lists", LISTS)
def test_a_query_that_ranks_each_batch_perfectly_stays_within_both(lists):
    """Embeddings that rank batches well, but on two scales: what is shorter stands behind the other negatives."""
    g = torch.Generator().manual_seed(1)
    y, order = torch.tensor([0, 1, 2, 3]).repeat_interleave(torch.tensor([14, 11, 9, 6])), torch.randperm(40, generator=g)
    x = torch.cat([torch.eye(4)[y], torch.ones(40, 1)], 1).double() + 0.15 * torch.randn(40, 5, generator=g)
    x[order[25:]] *= 0.4
    batches, relevance = [batch.tolist() for batch in LISTS[lists](order)], rb.same_label(y)
    alpha, beta = 1.8, 1.3
    result = rb.decomposability_gap(x, y, batches, alpha=alpha, beta=beta, chunk_size=9, reduction="none")
    perfect = [
        q
        for q in result["batch"].nonzero().flatten().tolist()
        if all(of_query(q, batch, x, relevance, oracles.average_precision) in (None, 1.0) for batch in batches)
    ]
    assert len(perfect) > 10 and result["gap"][perfect].max() > 0.1
    assert (result["gap"] <= result["calibrated_bound"] + 1e-9)[perfect].all()
    assert (result["calibrated_bound"] <= result["bound"] + 1e-9).all()
    assert (result["calibrated_bound"] < result["bound"] - 0.01).any()
    if lists in ("partition", "of two sizes"):
        for q in range(0, 40, 3):
            if not result["batch"][q]:
                continue
            of = {(positive, bad): [0] * len(batches) for positive in (True, False) for bad in (True, False)}
            for b, batch in enumerate(batches):
                for j in set(batch) - {q}:
                    score, positive = float(x[q] @ x[j]), bool(relevance[q, j])
                    of[positive, score < alpha if positive else score > beta][b] += 1
            p, n = (torch.tensor(of[positive, True]) + torch.tensor(of[positive, False]) for positive in (True, False))
            bad = {"bad_positives": torch.tensor(of[True, True]), "bad_negatives": torch.tensor(of[False, True])}
            assert result["bound"][q] == rb.gap_bound(p, n)
            assert result["calibrated_bound"][q] == rb.calibrated_gap_bound(p, n, **bad)


def test_other_metrics_have_no_bound():
    x, y, order = problem()
    assert set(rb.decomposability_gap(x, y, [order], metric=rb.map_at_r)) == {"gap", "batch", "whole"}


def test_queries_alone_in_their_batches_read_zero():
    values = rb.decomposability_gap(torch.ones(4, 1), torch.tensor([0, 0, 1, 1]), [[0, 2], [1, 3]], reduction="none")
    assert {name: of.tolist() for name, of in values.items()} == dict.fromkeys(
        ("gap", "batch", "whole", "bound", "calibrated_bound"), [0] * 4
    )


def test_memory_is_one_chunk_not_the_square():
    """10,000 items: all scores would take 400 MB; a chunk of 128 takes 5 MB, and what is counted in it as much again."""
    n, chunk = 10_000, 128
    x, y = torch.randn(n, 4), torch.arange(n) % 2500
    batches = torch.cat([torch.randperm(2500) + 2500 * i for i in range(4)]).reshape(4, 50, 50).transpose(0, 1).reshape(50, 200)
    with torch.profiler.profile(profile_memory=True) as profile:
        rb.decomposability_gap(x, y, batches, chunk_size=chunk)
    held = peak = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    assert chunk * n * 4 <= peak < 5 * chunk * n * 4


@pytest.mark.parametrize("mode", [*MODES, *WITHOUT_GRADIENT])
def test_the_modes_of_torch_change_nothing(mode):
    x, y, order = problem()
    x = torch.nn.functional.normalize(x.float(), dim=1)
    thinned = {"AP": partial(rb.thinned_average_precision, kept_positives=2, kept_negatives=5)}
    expected = rb.decomposability_gap(x, y, order.split(9)), rb.evaluate_retrieval(x, y, metrics=thinned)
    with {**MODES, **WITHOUT_GRADIENT}[mode]():
        assert (rb.decomposability_gap(x, y, order.split(9)), rb.evaluate_retrieval(x, y, metrics=thinned)) == expected


def test_batches_of_any_form():
    x, y, order = problem()
    batches = [*order.split(10)]
    expected = rb.decomposability_gap(x, y, batches)
    for form in (tuple(batches), iter(batches), torch.stack(batches), [b.tolist() for b in batches], [b.int().numpy() for b in batches]):
        assert rb.decomposability_gap(x, [f"class {label}" for label in y.tolist()], form) == expected


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batches": 3}, TypeError, r"^batches must be a list of index tensors, such as torch.randperm"),
        ({"batches": torch.arange(4)}, TypeError, "^batches must be a list of index tensors"),
        ({"batches": []}, ValueError, "^batches must be a list of index tensors.*empty"),
        ({"batches": [["a"]]}, TypeError, r"^batches\[0\] must be integers"),
        ({"batches": [[0, 1], []]}, ValueError, r"^batches\[1\] must be integers"),
        ({"batches": [[0.5, 1]]}, ValueError, r"^batches\[0\] must be integers"),
        ({"batches": [torch.ones(4, dtype=torch.bool)]}, ValueError, r"^batches\[0\] must be integers"),
        ({"batches": [torch.tensor([0, 1], device="meta")]}, ValueError, r"^batches\[0\] must be on the device of embeddings"),
        ({"batches": [[0, 1], [2, 4]]}, ValueError, r"batches\[1\] must be places in embeddings, 0..3, but batches\[1\]\[1\] is 4"),
        ({"batches": [[0, -1]]}, ValueError, r"batches\[0\]\[1\] is -1"),
        ({"batches": [[0, 1, 0]]}, ValueError, r"batches\[0\] must hold an item once"),
        ({"batches": [[0, 2], [1, 3]]}, ValueError, "^batches: no query has a positive in its batch"),
        ({"alpha": 0.5}, ValueError, "^alpha must be above beta"),
        ({"embeddings": torch.tensor([[1.0], [torch.nan], [0.0], [0.0]])}, ValueError, r"embeddings\[1, 0\] is nan"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_named(change, error, message):
    arguments = {"embeddings": torch.ones(4, 1), "labels": torch.tensor([0, 0, 1, 1]), "batches": [[0, 1], [2, 3]]} | change
    with pytest.raises(error, match=message):
        rb.decomposability_gap(**arguments)
