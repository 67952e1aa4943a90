"""Retrieval metrics of a whole gallery, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from rankbook.metrics import average_precision, hit_at_k, map_at_r
from rankbook.ranks.exact import ExactStep, exact_ranks
from rankbook.ranks.pairs import count as count_at
from rankbook.retrieval.batch import check_batch, queries_by_positives
from rankbook.types import RankFn

#: What retrieval papers print; their R@k is `hit_at_k`.
RETRIEVAL_METRICS: Mapping[str, Callable[..., Tensor]] = {
    "R@1": partial(hit_at_k, k=1),
    "R@10": partial(hit_at_k, k=10),
    "mAP@R": map_at_r,
    "AP": average_precision,
}

_SCORES = 1 << 22  # scores of one chunk by default: 16 MiB of float32


@torch.no_grad()
def evaluate_retrieval(
    embeddings: Tensor,
    labels: Tensor,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    *,
    metrics: Mapping[str, Callable[..., Tensor]] | None = None,
    chunk_size: int | None = None,
) -> dict[str, float]:
    r"""Every item is a query; rank the gallery by the dot product, and average each metric over the queries.

    .. math:: \frac{1}{|Q|} \sum_{q \in Q} \mathrm{metric}\bigl( (\langle q, g \rangle)_{g}, (\mathbb{1}[y_q = y_g])_{g} \bigr)

    Args:
        embeddings: ``[n, d]``, normalized if the cosine is meant.
        labels: ``[n]``, integers; or ``[n, levels]``, fine to coarse.
        ref_embeddings, ref_labels: the gallery ``[m, d]``, ``[m]``. None: the items are their own gallery, and each query is
            left out of it.
        metrics: name -> metric of `rankbook.metrics`, its knobs bound by ``functools.partial``. The default is
            ``RETRIEVAL_METRICS`` (R@1 and R@10 as `hit_at_k`, mAP@R, AP) on the finest level. Metrics of yours get the number
            of levels that query and item share as relevance.
        chunk_size: queries at a time; None: as many as make 16 MiB of scores, from 16 to 1024. Smaller takes less memory.

    Returns: name -> mean over the queries that have a positive. Tied items share the last of their places.

    Cost: one matrix product and one comparison for each (query, positive, gallery item); memory :math:`O(\text{chunk} \cdot m)`.
    Nothing is sorted: a retrieval metric reads the ranks of the positives only, and these are counted.

    Raises:
        ValueError: NaN or inf, shapes that do not match, no query with a positive.

    >>> rb.evaluate_retrieval(torch.eye(3)[[0, 0, 1, 2]], torch.tensor([0, 0, 1, 1]), metrics={"R@1": partial(rb.hit_at_k, k=1)})
    {'R@1': 0.5}
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    if metrics is None:
        metrics, batch = RETRIEVAL_METRICS, batch.finest()
    if chunk_size is None:
        chunk_size = min(max(_SCORES // len(batch.gallery), 16), 1024)
    if not isinstance(chunk_size, int) or chunk_size < 1:
        raise ValueError(f"chunk_size must be a whole number of at least 1, got {chunk_size!r}")
    totals, count = dict.fromkeys(metrics, 0.0), 0
    chunk = batch.queries.new_empty(min(chunk_size, len(batch.queries)), len(batch.gallery))  # one for all: fresh memory costs time
    for rows, places, relevance in queries_by_positives(batch, include_query=False, limit=chunk_size):
        count += len(rows)
        scores = torch.mm(batch.queries[rows], batch.gallery.T, out=chunk[: len(rows)])
        if batch.own_gallery:
            scores.scatter_(1, rows[:, None], -torch.inf)
        at_positives = scores.gather(1, places)  # [chunk, R]
        rank_fn = _known(count_at(scores, at_positives, 1.0, ExactStep().sums).double())
        for name, metric in metrics.items():
            totals[name] += metric(at_positives.double(), relevance, rank_fn=rank_fn, reduction="sum").item()
    if count == 0:
        raise ValueError("labels: no query has a positive in the gallery, so there is nothing to average; does each label occur twice?")
    return {name: total / count for name, total in totals.items()}


def _known(ranks: Tensor) -> RankFn:
    """A ranker for the short list of positives: their ranks in the gallery are known, those among a subset are computed."""

    def rank_fn(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        return ranks if where is None else exact_ranks(scores, where=where)

    return rank_fn
