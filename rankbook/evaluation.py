"""Retrieval metrics of a whole gallery, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from rankbook.checks import check_callable, check_choice, check_count
from rankbook.metrics import average_precision, hit_at_k, map_at_r
from rankbook.metrics.reduction import over_lists, with_weight
from rankbook.precision import full_precision, wide
from rankbook.relevance import Labels
from rankbook.retrieval.batch import Batch, check_batch
from rankbook.retrieval.counts import takes
from rankbook.retrieval.positives import Positives
from rankbook.retrieval.products import Products
from rankbook.retrieval.readers import of_positives, of_whole_lists, reads_positives
from rankbook.retrieval.short_lists import short_lists

Metrics = Mapping[str, Callable[..., Tensor]]
#: What retrieval papers print; their R@k is `hit_at_k`.
RETRIEVAL_METRICS: Metrics = {
    "R@1": partial(hit_at_k, k=1),
    "R@10": partial(hit_at_k, k=10),
    "mAP@R": map_at_r,
    "AP": average_precision,
}

_SCORES = 1 << 22  # scores of one chunk by default: 16 MiB of float32
_MORE = 16  # and so many times that off the CPU, where each chunk costs a hundred launches


@torch.no_grad()
@full_precision
def evaluate_retrieval(
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
    r"""Every item is a query; rank the gallery by the dot product, and average each metric over the queries.

    .. math:: \frac{1}{|Q|} \sum_{q \in Q} \mathrm{metric}\bigl( (\langle q, g \rangle)_{g}, (\mathbb{1}[y_q = y_g])_{g} \bigr)

    Args:
        embeddings: ``[b, d]``, normalized if the cosine is meant. Half precision is computed in float32.
        labels: ``[b]``, integers or strings; or ``[b, levels]``, fine to coarse.
        ref_embeddings, ref_labels: the gallery ``[m, d]``, ``[m]``. None: the items are their own gallery, and each query is
            left out of it.
        self_index: ``[b]``, where each query stands in ``ref_embeddings`` (-1: nowhere): it is left out there.
        where: ``[m]`` or ``[b, m]``, True for the items that are in the gallery, of all queries or of each. To ignore what comes
            from the camera of the query: ``where = camera[:, None] != ref_camera``.
        relevance: ``[b, m]`` >= 0 in the place of labels: above 0 is a positive, whatever the kind: several labels an item, pairs
            of pictures and texts, grades.
        query_weights: ``[b]`` >= 0, for a weighted mean over the queries.
        item_weights: ``[m]`` >= 0, what a positive counts for within its query (see `rankbook.metrics`).
        metrics: name -> metric of `rankbook.metrics`, its knobs bound by ``functools.partial``. The default is
            ``RETRIEVAL_METRICS`` (R@1 and R@10 as `hit_at_k`, mAP@R, AP) on the finest level. Metrics of yours get as relevance
            the number of levels that query and item share, or the given one. Each ranks by its own default ranker. All of them
            share the products, the sorting and the ranks.
        chunk_size: queries at a time; None: as many as make 16 MiB of scores, from 16 to 1024 (on a GPU 256 MiB). Smaller takes
            less memory, and gives the same numbers to the last bit.
        reduction: ``"none"`` gives the value of each query; one that has no value reads 0, as in the metrics.

    Returns: name -> mean over the queries that have a positive (and on which the metric has a value), or its values ``[b]``. A
    negative that ties with a positive stands before it, so embeddings that tell nothing apart never look better than chance.

    Cost: one matrix product, and for each query a count of the gallery for each of its R positives, or one sort if R is large;
    memory :math:`O(\text{chunk} \cdot m)`. A metric gets whole lists, and ranks them, if it reads the negatives too (`spearman`),
    which is found out on lists made for that, or if its ranker is not `exact_ranks` with ``ties="max"`` or ``"worst"``.

    Raises:
        ValueError: NaN or inf, shapes that do not match, no query with a positive, a metric without a value on any query.
        TypeError: ``metrics`` that map no names to functions, or that take no ``item_weights`` if there are some.

    >>> x, y = torch.eye(3)[[0, 0, 1, 2]], torch.tensor([0, 0, 1, 1])
    >>> rb.evaluate_retrieval(x, y, metrics={"R@1": partial(rb.hit_at_k, k=1)})
    {'R@1': 0.5}

    By class, from the values of the queries:

    >>> values = rb.evaluate_retrieval(x, y, reduction="none")["R@1"]
    >>> {c: values[y == c].mean().item() for c in y.unique().tolist()}
    {0: 1.0, 1: 0.0}
    """
    batch = check_batch(
        embeddings,
        labels,
        ref_embeddings,
        ref_labels,
        self_index=self_index,
        where=where,
        relevance=relevance,
        query_weights=query_weights,
        item_weights=item_weights,
    )
    check_choice("reduction", reduction, ("mean", "none"))
    values, positive = of_each_query(batch, metrics, chunk_size)
    return reduce_queries(values, reduction, batch.query_weights, positive, name="labels" if relevance is None else "relevance")


def of_each_query(batch: Batch, metrics: Metrics | None, chunk_size: int | None) -> tuple[dict[str, Tensor], int]:
    """name -> the metric's value on each query ``[b]``, NaN where it has none; and how many queries have a positive."""
    if metrics is None:
        metrics, batch = RETRIEVAL_METRICS, batch.finest()
    check_metrics(metrics, weighted=batch.item_weights is not None)
    positives = Positives(batch, "absent")
    return values_of_queries(positives, metrics, queries_at_once(batch, chunk_size)), positives.total


def queries_at_once(batch: Batch, chunk_size: int | None) -> int:
    """The checked size of a chunk; None: what takes little memory."""
    if chunk_size is None:
        more = 1 if batch.queries.device.type == "cpu" else _MORE
        chunk_size = min(max(more * _SCORES // len(batch.gallery), 16), more * 1024)
    return check_count("chunk_size", chunk_size)


def values_of_queries(positives: Positives, metrics: Metrics, chunk_size: int) -> dict[str, Tensor]:
    """Name -> the values of the queries [b]; NaN where a metric has none."""
    batch, device = positives.batch, positives.batch.queries.device
    values = {name: torch.full((len(batch.queries),), torch.nan, dtype=wide(device), device=device) for name in metrics}
    products = Products(batch, chunk_size)
    whole: dict[str, Callable[..., Tensor]] | None = None
    for group in short_lists(positives, chunk_size):
        scores = products(group.rows)
        if whole is None:
            whole = {name: metric for name, metric in metrics.items() if not reads_positives(metric, batch)}
        for name, metric in whole.items():
            values[name][group.rows] = of_whole_lists(metric, batch, group, scores)
        for name, found in of_positives({n: m for n, m in metrics.items() if n not in whole}, group, scores).items():
            values[name][group.rows] = found
    return values


def reduce_queries(
    values: dict[str, Tensor], reduction: str, query_weights: Tensor | None, positive: int, *, name: str
) -> dict[str, float] | dict[str, Tensor]:
    """Values with 0 for NaN; or the means over the queries that have one, in their order: the chunks leave no trace in the last digit."""
    if reduction == "none":
        return {metric: of_queries.masked_fill_(of_queries.isnan(), 0) for metric, of_queries in values.items()}
    if not positive:
        raise ValueError(
            f"{name}: no query has a positive in the gallery, so there is nothing to average; does each label occur twice, "
            "and do where and item_weights leave something?"
        )
    means = {}
    for metric, of_queries in values.items():
        defined = ~of_queries.isnan()
        if not with_weight(defined, query_weights).any():
            said = "" if query_weights is None else " whose query_weights are above 0"
            raise ValueError(f"metrics: {metric} has no value on any query{said}, so there is nothing to average")
        means[metric] = over_lists(of_queries, defined, query_weights, mean=True).item()
    return means


def check_metrics(metrics: Metrics, *, weighted: bool) -> None:
    if not isinstance(metrics, Mapping) or not metrics:
        raise TypeError(
            'metrics must map names to functions, such as {"R@1": partial(rb.hit_at_k, k=1), "AP": rb.average_precision}; '
            f"None gives {', '.join(RETRIEVAL_METRICS)}; got {metrics!r}"
        )
    for name, metric in metrics.items():
        check_callable(f"metrics[{name!r}]", metric)
        if weighted and not takes(metric, "item_weights"):
            raise TypeError(f"metrics[{name!r}] takes no item_weights; evaluate it in a call without them")
