"""Evaluation is the metric itself, query by query: with every ranker, in any order of the items, whatever the first of them looks like."""

from functools import partial

import pytest
import torch

import rankbook as rb
from metrics.cases import METRICS
from rankbook.ranks.exact import TIES
from ranks.contract import RANKERS, Ranker

#: `exact_ranks` with each of its ties, and whatever else is a ranker.
EXACT = [Ranker(f"exact-{ties}", partial(rb.exact_ranks, ties=ties), None) for ties in TIES]
B = 12


def tied(m):
    """Queries that have three positives each; tied scores, and a first query that ties with everything."""
    g = torch.Generator().manual_seed(0)
    x, ref_x = (torch.randn(n, 3, generator=g, dtype=torch.float64).mul(2).round() / 2 for n in (B, m))
    x[0] = 0
    relevance = torch.zeros(B, m, dtype=torch.int64)
    places = torch.stack([torch.randperm(m, generator=g)[:3] for _ in range(B)])
    return x, ref_x, relevance.scatter_(1, places, torch.randint(1, 4, (B, 3), generator=g))


@pytest.mark.parametrize("ranker", [*EXACT, *RANKERS], ids=str)
def test_every_metric_takes_every_ranker(ranker):
    x, ref_x, relevance = tied(ranker.length or 10)
    metrics = {case.name: partial(case.metric, rank_fn=ranker.soft) for case in METRICS}
    if ranker.name not in ("suprank", "exact-worst"):  # which need a relevance
        metrics["spearman"] = partial(rb.spearman, rank_fn=ranker.soft)
    for order in (torch.arange(B), torch.arange(B).flip(0)):
        found = rb.evaluate_retrieval(
            x[order], ref_embeddings=ref_x, relevance=relevance[order], metrics=metrics, reduction="none", chunk_size=B
        )
        for name, metric in metrics.items():
            expected = metric(x[order] @ ref_x.T, relevance[order], reduction="none")
            torch.testing.assert_close(found[name], expected, rtol=0, atol=1e-12, msg=f"{name}: {found[name]} {expected}")


def hits_of_those_who_are_there(scores, relevance, *, k, rank_fn=rb.exact_ranks, where=None, reduction="mean"):
    """Precision in a list that may be shorter than k."""
    there = torch.ones_like(relevance, dtype=torch.bool) if where is None else where
    values = rb.precision_at_k(scores, relevance, k=k, rank_fn=rank_fn, where=where, reduction="none")
    return rb.reduce_lists(values * k / there.sum(-1).clamp(max=k), (relevance > 0).any(-1), reduction)


def hidden(scores, relevance, **kwargs):
    """Whose ranker stands in no signature: that of `map_at_r`."""
    return rb.map_at_r(scores, relevance, **kwargs)


OF_OTHERS = [partial(hits_of_those_who_are_there, k=15), hidden, rb.spearman, partial(rb.spearman, rank_fn=rb.exact_ranks)]


@pytest.mark.parametrize("metric", OF_OTHERS, ids=["precision", "map_at_r", "spearman", "spearman of exact ranks"])
@pytest.mark.parametrize("scene", ["a dead embedding", "only positives", "ties"])
def test_the_order_of_the_items_has_no_say(scene, metric):
    g = torch.Generator().manual_seed(1)
    x, i = torch.randn(24, 4, generator=g, dtype=torch.float64), torch.arange(24)
    labels, where = torch.stack([i // 4, i // 12], 1), rb.leave_query_out(24)
    if scene == "a dead embedding":
        x[0] = 0
    elif scene == "only positives":
        where[0] &= labels[:, 1] == labels[0, 1]
    else:
        x = x.sign()
    relevance = rb.shared_levels(labels)
    expected = metric(x @ x.T, relevance, where=where, reduction="none")
    for order in (i, i.flip(0)):
        found = rb.evaluate_retrieval(x[order], labels[order], where=where[order][:, order], metrics={"m": metric}, reduction="none")
        torch.testing.assert_close(found["m"], expected[order], rtol=0, atol=1e-12)
