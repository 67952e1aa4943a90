"""Who is in the gallery of an evaluation, what is positive there and how much it counts, against a loop over the queries."""

import inspect
import itertools
import time
from functools import partial

import numpy as np
import pytest
import torch

import rankbook as rb
from metrics.cases import METRICS
from rankbook.evaluation import RETRIEVAL_METRICS, evaluate_retrieval

B, M = 12, 16
NAMED = {case.name: case for case in METRICS}
#: Evaluated in one pass; both gains, cuts, and grades.
ALL = {name: case.metric for name, case in NAMED.items()}


def draw(seed, *, own=False, by="labels", mask=None, levels=False):
    """Arguments of an evaluation with tied scores, unequal classes, and queries that stand in the reference set."""
    g = torch.Generator().manual_seed(seed)
    m = B if own else M
    x, ref_x = (torch.randn(n, 4, generator=g, dtype=torch.float64).mul(2).round() for n in (B, m))
    kwargs = {} if own else {"ref_embeddings": ref_x, "self_index": torch.randint(-1, m, (B,), generator=g)}
    if by == "labels":
        y = torch.randint(6, (B + m,), generator=g) * torch.randint(1, 3, (B + m,), generator=g)
        y = torch.stack([y, y // 3], 1) if levels else y
        kwargs |= {"labels": y[:B]} | ({} if own else {"ref_labels": y[B:]})
    else:
        kwargs["relevance"] = torch.randint(0, 4, (B, m), generator=g) * torch.randint(0, 2, (B, m), generator=g)
    if mask is not None:
        kwargs["where"] = torch.rand((m,) if mask == "[m]" else (B, m), generator=g) < 0.7
    return {"embeddings": x, **kwargs}


def lists_of(arguments):
    """For each query, the places of its gallery, their scores and their relevance, one item at a time."""
    x = arguments["embeddings"]
    own = "ref_embeddings" not in arguments
    ref_x = arguments.get("ref_embeddings", x)
    for q in range(len(x)):
        place = q if own else int(arguments["self_index"][q])
        gallery, scores, relevance = [], [], []
        for j in range(len(ref_x)):
            where = arguments.get("where")
            if j == place or (where is not None and not (where[j] if where.dim() == 1 else where[q, j])):
                continue
            if "relevance" in arguments:
                rel = arguments["relevance"][q, j].item()
            else:
                ours, theirs = arguments["labels"], arguments.get("ref_labels", arguments["labels"])
                rel = int((ours[q] == theirs[j]).sum())
            gallery.append(j)
            scores.append(float(x[q] @ ref_x[j]))
            relevance.append(rel)
        yield gallery, scores, relevance


def worst(scores, relevance):
    """Distinct scores in the worst order, for the oracles."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], relevance[i], i))
    places = {i: float(-place) for place, i in enumerate(order)}
    return [places[i] for i in range(len(scores))]


def expected_values(case, lists, item_weights=None):
    values = []
    for gallery, scores, relevance in lists:
        weights = None if item_weights is None else [item_weights[j].item() for j in gallery]
        if not any(rel > 0 and (weights is None or weights[i] > 0) for i, rel in enumerate(relevance)):
            values.append(None)
            continue
        graded = case.name.startswith(("ndcg", "dcg", "hier", "asi"))
        as_oracle = case.name.startswith(("average_precision", "hier"))
        ordered = scores if as_oracle else worst(scores, relevance if graded else [rel > 0 for rel in relevance])
        values.append(case.oracle(ordered, relevance, weights=weights))
    return values


SCENES = [
    {"own": own, "by": by, "mask": mask, "levels": levels}
    for own, by, mask, levels in itertools.product((True, False), ("labels", "relevance"), (None, "[m]", "[b, m]"), (False, True))
    if by == "labels" or not levels
]


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: " ".join(str(value) for value in scene.values()))
def test_every_metric_is_a_loop_over_the_queries(scene, weighted):
    arguments = draw(SCENES.index(scene), **scene)
    m = len(arguments.get("ref_embeddings", arguments["embeddings"]))
    weights = {}
    if weighted:
        weights = {"item_weights": torch.randint(0, 4, (m,)).double(), "query_weights": torch.rand(B, dtype=torch.float64)}
    each = evaluate_retrieval(**arguments, metrics=ALL, reduction="none", **weights)
    mean = evaluate_retrieval(**arguments, metrics=ALL, **weights)
    lists = list(lists_of(arguments))
    for name, case in NAMED.items():
        values = expected_values(case, lists, weights.get("item_weights"))
        np.testing.assert_allclose(each[name], [value or 0.0 for value in values], rtol=0, atol=1e-9, err_msg=name)
        q = weights.get("query_weights", torch.ones(B)).tolist()
        counted = [(w, value) for w, value in zip(q, values, strict=True) if value is not None]
        assert mean[name] == pytest.approx(sum(w * v for w, v in counted) / sum(w for w, _ in counted), abs=1e-9), name


@pytest.mark.parametrize("by", ["labels", "relevance"])
@pytest.mark.parametrize("m", [60, 400])
def test_long_lists_are_those_of_the_metrics(by, m):
    """Lists of more than 16 positives are filled up; labels and grades with ties, and scores with ties."""
    g = torch.Generator().manual_seed(m)
    x, ref_x = (torch.randn(n, 3, generator=g, dtype=torch.float64).mul(2).round() for n in (20, m))
    ref_x[0] = 9 * ref_x[0] + 1  # far from all others
    where, weights = torch.rand(20, m, generator=g) < 0.8, torch.rand(m, generator=g, dtype=torch.float64)
    if by == "labels":
        y, ref_y = (torch.randint(2, (n,), generator=g) + torch.randint(2, (n,), generator=g) for n in (20, m))
        how, relevance = {"labels": y, "ref_labels": ref_y}, rb.same_label(y, ref_y)
    else:
        relevance = torch.randint(4, (20, m), generator=g) * (torch.rand(20, m, generator=g) < torch.rand(20, 1, generator=g))
        relevance[:, 0] = 3  # a positive of everybody
        how = {"relevance": relevance}
    found = evaluate_retrieval(x, ref_embeddings=ref_x, where=where, item_weights=weights, metrics=ALL, reduction="none", **how)
    for name, metric in ALL.items():
        expected = metric(x @ ref_x.T, relevance, where=where, item_weights=weights, reduction="none")
        torch.testing.assert_close(found[name], expected, rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("by", ["labels", "relevance"])
@pytest.mark.parametrize("m", [90, 500])
def test_chunks_leave_no_trace_in_the_last_digit(by, m):
    """Queries with numbers of positives of their own, counted and sorted."""
    g = torch.Generator().manual_seed(0)
    x, ref_x = (torch.nn.functional.normalize(torch.randn(n, 17, generator=g).sign(), dim=1) for n in (30, m))
    arguments = {"ref_embeddings": ref_x, "where": torch.rand(30, m, generator=g) < 0.8, "item_weights": torch.rand(m, generator=g)}
    if by == "labels":
        arguments |= {"labels": torch.randint(4, (30,), generator=g), "ref_labels": torch.randint(4, (m,), generator=g)}
    else:
        arguments["relevance"] = torch.rand(30, m, generator=g) * (torch.rand(30, m, generator=g) < torch.rand(30, 1, generator=g))
    one, *others = (evaluate_retrieval(x, metrics=ALL, chunk_size=size, **arguments) for size in (1, 7, 1000))
    for other in others:
        assert other == one


def test_the_metrics_that_read_positives_get_short_lists():
    """All but the correlations: none sees a list of the length of the gallery, but for a look at lists made for that."""
    x, y = torch.randn(300, 4), torch.arange(300) % 30
    seen = {name: [] for name in ALL}

    def watched(metric, name):
        own = inspect.signature(metric).parameters["rank_fn"].default

        def call(scores, relevance, *, rank_fn=own, where=None, reduction="mean"):
            seen[name].append(scores.shape[1])
            return metric(scores, relevance, rank_fn=rank_fn, where=where, reduction=reduction)

        return call

    evaluate_retrieval(x, y, metrics={name: watched(metric, name) for name, metric in ALL.items()})
    for name, lengths in seen.items():
        assert lengths, name
        assert max(lengths[4:]) <= 9, name


@pytest.mark.parametrize("mask", [None, "[m]", "[b, m]"])
@pytest.mark.parametrize("by", ["labels", "relevance"])
def test_a_metric_that_reads_the_negatives(mask, by):
    arguments = draw(3, by=by, mask=mask)
    items = torch.rand(M, dtype=torch.float64)
    expected = []
    for gallery, scores, relevance in lists_of(arguments):
        value = rb.spearman(
            torch.tensor(scores, dtype=torch.float64), torch.tensor(relevance), item_weights=items[gallery], reduction="none"
        )
        expected.append(value.item() if any(relevance) else 0.0)
    found = evaluate_retrieval(**arguments, item_weights=items, metrics={"rho": rb.spearman}, reduction="none")
    np.testing.assert_allclose(found["rho"], expected, rtol=0, atol=1e-9)


def test_the_reference_set_may_be_the_batch_itself():
    x, y = torch.randn(40, 5), torch.arange(40) % 9
    expected = evaluate_retrieval(x, y, reduction="none")
    found = evaluate_retrieval(x, y, x, y, self_index=torch.arange(40), reduction="none")
    by_relevance = evaluate_retrieval(x, relevance=rb.same_label(y), reduction="none")
    for name, values in expected.items():
        assert torch.equal(found[name], values)
        assert torch.equal(by_relevance[name], values)


def test_values_of_queries_have_the_documented_form():
    x, y = torch.randn(6, 3), torch.tensor([0, 0, 1, 1, 2, 3])
    values = evaluate_retrieval(x, y, reduction="none")
    assert set(values) == set(RETRIEVAL_METRICS)
    for value in values.values():
        assert value.shape == (6,)
        assert value[4:].eq(0).all()
    mean = evaluate_retrieval(x, y)
    assert mean == pytest.approx({name: value[:4].mean().item() for name, value in values.items()})
    alone = evaluate_retrieval(x, torch.arange(6), reduction="none")
    assert all(value.eq(0).all() for value in alone.values())


def unweighted(scores, relevance, *, rank_fn=rb.exact_ranks, where=None, reduction="mean"):
    return rb.average_precision(scores, relevance, rank_fn=rank_fn, where=where, reduction=reduction)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"reduction": "sum"}, ValueError, 'reduction must be "mean" or "none"'),
        ({"item_weights": torch.ones(3)}, ValueError, r"item_weights must have shape \(4,\)"),
        ({"query_weights": -torch.ones(4)}, ValueError, "query_weights must be >= 0"),
        ({"query_weights": torch.zeros(4)}, ValueError, "metrics: R@1 has no value on any query whose query_weights are above 0"),
        ({"item_weights": torch.zeros(4)}, ValueError, "labels: no query has a positive .* where and item_weights"),
        ({"where": torch.zeros(4, dtype=torch.bool)}, ValueError, "labels: no query has a positive"),
        ({"relevance": torch.ones(4, 4)}, ValueError, "labels or relevance must be given, one of the two, got both"),
        ({"labels": None}, ValueError, "labels or relevance must be given, one of the two, got neither"),
        ({"labels": None, "relevance": torch.zeros(4, 4)}, ValueError, "relevance: no query has a positive"),
        ({"labels": None, "relevance": torch.eye(4)}, ValueError, "relevance: no query has a positive"),
        ({"self_index": torch.arange(4)}, ValueError, "self_index tells where the queries stand in ref_embeddings"),
        (
            {"item_weights": torch.ones(4), "metrics": {"mine": unweighted}},
            TypeError,
            r"metrics\['mine'\] takes no item_weights",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_named(change, error, message):
    arguments = {"embeddings": torch.randn(4, 2), "labels": torch.tensor([0, 0, 1, 1])} | change
    with pytest.raises(error, match=message):
        evaluate_retrieval(**arguments)


def seconds(function):
    """Of the process, the best of two."""
    times = []
    for _ in range(2):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("by", ["labels", "relevance", "relevance of many"])
def test_the_cost_is_that_of_a_few_sorts(by):
    """Few classes of many items; and a relevance, with which every query has its own number of positives: up to 2 and 40 %."""
    m, b = 8000, 128
    x, ref_x = torch.randn(b, 16), torch.randn(m, 16)
    if by == "labels":
        how = {"labels": torch.arange(b) % 6, "ref_labels": torch.arange(m) % 6}
    else:
        how = {"relevance": torch.rand(b, m) < torch.rand(b, 1) * (0.02 if by == "relevance" else 0.4)}
    scores = (x @ ref_x.T).numpy()
    ours = seconds(lambda: evaluate_retrieval(x, ref_embeddings=ref_x, **how))
    assert ours < 10 * seconds(lambda: np.argsort(-scores, axis=1))  # 2 to 5; a group for each number of positives takes 30


def test_partial_rankers_share_ranks(monkeypatch):
    """Metrics of one ranker call it once a chunk."""
    calls, check = [], rb.ranks.exact.check_scores
    x, y = torch.randn(60, 4), torch.arange(60) % 10
    metrics = {str(k): partial(rb.recall_at_k, k=k, rank_fn=partial(rb.exact_ranks, ties="worst")) for k in (1, 2, 3)}
    expected = {name: evaluate_retrieval(x, y, metrics={name: one})[name] for name, one in metrics.items()}
    monkeypatch.setattr("rankbook.ranks.exact.check_scores", lambda scores, where: calls.append(scores.shape) or check(scores, where))
    assert evaluate_retrieval(x, y, metrics=metrics) == expected
    assert len([shape for shape in calls if shape[0] > 1]) == 1
