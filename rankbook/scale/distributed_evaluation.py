"""Retrieval metrics of a gallery that several processes hold together."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rankbook.checks import check_choice
from rankbook.evaluation import (
    RETRIEVAL_METRICS,
    Metrics,
    check_metrics,
    evaluate_retrieval,
    of_each_query,
    reduce_queries,
)
from rankbook.precision import full_precision, wide
from rankbook.relevance import Labels
from rankbook.retrieval.roles import check_weights
from rankbook.scale.processes import Call, agree, gather_rows, world
from rankbook.scale.shared_batch import shared_batch


@torch.no_grad()
@full_precision
def evaluate_distributed(
    embeddings: Tensor,
    labels: Labels | None = None,
    ref_embeddings: Tensor | None = None,
    ref_labels: Labels | None = None,
    *,
    self_index: Tensor | None = None,
    where: Tensor | None = None,
    relevance: Tensor | None = None,
    query_weights: Tensor | None = None,
    item_weights: Tensor | None = None,
    metrics: Metrics | None = None,
    chunk_size: int | None = None,
    reduction: Literal["mean", "none"] = "mean",
) -> dict[str, float] | dict[str, Tensor]:
    """`evaluate_retrieval` of the items of all processes: each ranks the gallery of all for its own queries.

    Args:
        embeddings, labels, ref_embeddings, ref_labels, self_index, where, relevance, query_weights, item_weights: the part of this
            process, as for `DistributedLoss`; a process may have no queries (tensors with 0 rows).
        metrics, chunk_size: as for `evaluate_retrieval`.
        reduction: ``"mean"``, or ``"none"`` for the value of each query of this process.

    Returns: as `evaluate_retrieval`. The means are the same on all processes, and those of one process that has all items in the
    order of the ranks, to rounding of the products.

    A sampler that repeats items so that all processes have equally many (as ``DistributedSampler`` does) makes copies, which find each
    other: hand over each item once.

    Cost: the time of `evaluate_retrieval`, shared by the processes; each holds the embeddings of all.

    Raises: as `evaluate_retrieval`, and as `DistributedLoss` where the processes differ; on all processes.

    >>> x, y = torch.eye(3)[[0, 0, 1, 2]], torch.tensor([0, 0, 1, 1])
    >>> rb.evaluate_distributed(x, y, metrics={"R@1": partial(rb.hit_at_k, k=1)})
    {'R@1': 0.5}
    """
    arguments = {
        "embeddings": embeddings,
        "labels": labels,
        "ref_embeddings": ref_embeddings,
        "ref_labels": ref_labels,
        "self_index": self_index,
        "where": where,
        "relevance": relevance,
        "query_weights": query_weights,
        "item_weights": item_weights,
    }
    if world() == 1:
        return evaluate_retrieval(**arguments, metrics=metrics, chunk_size=chunk_size, reduction=reduction)
    check_choice("reduction", reduction, ("mean", "none"))
    if metrics is not None:
        check_metrics(metrics, weighted=item_weights is not None)
    names = list(RETRIEVAL_METRICS if metrics is None else metrics)
    same = {"reduction": reduction, "metrics": names}
    batch, rows = shared_batch("evaluate_distributed", same, empty=True, **arguments)
    device = embeddings.device
    (values, positive), error = ({name: torch.empty(0, dtype=wide(device), device=device) for name in names}, 0), None
    if batch is not None:
        try:
            values, positive = of_each_query(batch, metrics, chunk_size)
        except Exception as failure:  # of a metric of the caller's, on the queries of this process
            error = failure
    positives, _ = agree(Call("evaluate_distributed", {}), [positive], device, error)
    weights = check_weights("query_weights", query_weights, embeddings)
    if reduction == "mean":
        values = {name: gather_rows(of_queries, rows) for name, of_queries in values.items()}
        weights = None if weights is None else gather_rows(weights, rows)
    return reduce_queries(values, reduction, weights, sum(positives), name="labels" if relevance is None else "relevance")
