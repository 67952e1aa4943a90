"""Retrieval metrics of a whole gallery, in bounded memory."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import check_callable, check_count
from rankbook.metrics import average_precision, hit_at_k, map_at_r
from rankbook.precision import full_precision, wide
from rankbook.ranks.exact import exact_ranks
from rankbook.ranks.pairs import count_exactly
from rankbook.relevance import Labels
from rankbook.retrieval.batch import Batch, check_batch
from rankbook.retrieval.counts import leave_negatives, ranks_from_counts
from rankbook.retrieval.positives import Group, Positives
from rankbook.retrieval.products import Products
from rankbook.types import RankFn

#: What retrieval papers print; their R@k is `hit_at_k`.
RETRIEVAL_METRICS: Mapping[str, Callable[..., Tensor]] = {
    "R@1": partial(hit_at_k, k=1),
    "R@10": partial(hit_at_k, k=10),
    "mAP@R": map_at_r,
    "AP": average_precision,
}

_SCORES = 1 << 22  # scores of one chunk by default: 16 MiB of float32
_PROBE = 64  # positives, and as many negatives, of the list on which a metric shows what it reads
_UNSURE = 1e-6  # of two values of a metric, in float64, that should be one


@torch.no_grad()
@full_precision
def evaluate_retrieval(
    embeddings: Tensor,
    labels: Labels,
    ref_embeddings: Tensor | None = None,
    ref_labels: Labels | None = None,
    *,
    metrics: Mapping[str, Callable[..., Tensor]] | None = None,
    chunk_size: int | None = None,
) -> dict[str, float]:
    r"""Every item is a query; rank the gallery by the dot product, and average each metric over the queries.

    .. math:: \frac{1}{|Q|} \sum_{q \in Q} \mathrm{metric}\bigl( (\langle q, g \rangle)_{g}, (\mathbb{1}[y_q = y_g])_{g} \bigr)

    Args:
        embeddings: ``[n, d]``, normalized if the cosine is meant. Half precision is computed in float32.
        labels: ``[n]``, integers or strings; or ``[n, levels]``, fine to coarse.
        ref_embeddings, ref_labels: the gallery ``[m, d]``, ``[m]``. None: the items are their own gallery, and each query is
            left out of it.
        metrics: name -> metric of `rankbook.metrics`, its knobs bound by ``functools.partial``. The default is
            ``RETRIEVAL_METRICS`` (R@1 and R@10 as `hit_at_k`, mAP@R, AP) on the finest level. Metrics of yours get the number
            of levels that query and item share as relevance. Each ranks by its own default ranker.
        chunk_size: queries at a time; None: as many as make 16 MiB of scores, from 16 to 1024. Smaller takes less memory, and
            gives the same numbers to the last bit.

    Returns: name -> mean over the queries that have a positive (and on which the metric has a value). A negative that ties with
    a positive stands before it, so embeddings that tell nothing apart never look better than chance.

    Cost: one matrix product, and for each query a count of the gallery for each of its R positives, or one sort if R is large;
    memory :math:`O(\text{chunk} \cdot m)`. A metric that reads the negatives too (`spearman`), which is found out on one
    query, gets whole lists, and sorts them.

    Raises:
        ValueError: NaN or inf, shapes that do not match, no query with a positive, a metric without a value on any query.
        TypeError: ``metrics`` that map no names to functions.

    >>> rb.evaluate_retrieval(torch.eye(3)[[0, 0, 1, 2]], torch.tensor([0, 0, 1, 1]), metrics={"R@1": partial(rb.hit_at_k, k=1)})
    {'R@1': 0.5}
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    if metrics is None:
        metrics, batch = RETRIEVAL_METRICS, batch.finest()
    _check_metrics(metrics)
    if chunk_size is None:
        chunk_size = min(max(_SCORES // len(batch.gallery), 16), 1024)
    chunk_size = check_count("chunk_size", chunk_size)
    positives = Positives(batch, "absent")
    if not positives.total:
        raise ValueError("labels: no query has a positive in the gallery, so there is nothing to average; does each label occur twice?")
    unknown = torch.full((len(batch.queries),), torch.nan, dtype=wide(batch.queries.device), device=batch.queries.device)
    values = {name: unknown.clone() for name in metrics}
    products = Products(batch, chunk_size)
    whole: dict[str, Callable[..., Tensor]] | None = None
    for group in positives.groups(lambda size: chunk_size):
        scores = products(group.rows)
        if whole is None:
            whole = dict(_readers_of_negatives(metrics, batch, group, scores))
        for name, metric in whole.items():
            values[name][group.rows] = _of_whole_lists(metric, batch, group, scores)
        for name, found in _of_positives({n: m for n, m in metrics.items() if n not in whole}, group, scores).items():
            values[name][group.rows] = found
    return {name: _mean(name, of_queries) for name, of_queries in values.items()}


def _check_metrics(metrics: Mapping[str, Callable[..., Tensor]]) -> None:
    if not isinstance(metrics, Mapping) or not metrics:
        raise TypeError(
            'metrics must map names to functions, such as {"R@1": partial(rb.hit_at_k, k=1), "AP": rb.average_precision}; '
            f"None gives {', '.join(RETRIEVAL_METRICS)}; got {metrics!r}"
        )
    for name, metric in metrics.items():
        check_callable(f"metrics[{name!r}]", metric)


def _of_positives(metrics: Mapping[str, Callable[..., Tensor]], group: Group, scores: Tensor) -> dict[str, Tensor]:
    """Metrics that read the ranks of the positives only, from the short list of the positives; overwrites the scores."""
    at_positives = leave_negatives(scores, group)
    above = _at_or_above(scores, at_positives)
    at_positives = at_positives.to(wide(scores.device))
    among = _Remembered(at_positives, binary=bool((group.relevance == group.relevance[0, 0]).all()))
    return {
        name: metric(at_positives, group.relevance, rank_fn=ranks_from_counts(among.by(_ranker_of(metric)), above), reduction=_of_each_list)
        for name, metric in metrics.items()
    }


class _Remembered:
    """Rankers of one list, each called once: the metrics ask for the same ranks among the positives again and again."""

    def __init__(self, scores: Tensor, *, binary: bool):
        self.scores, self.binary, self.known = scores, binary, {}

    def by(self, ranker: RankFn) -> RankFn:
        key = (ranker.func, ranker.args, frozenset(ranker.keywords.items())) if isinstance(ranker, partial) else ranker

        def rank_fn(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
            # with one grade of relevance the ranks depend on the scores alone, and ``where`` marks the positives, which are all
            if not self.binary or scores is not self.scores or (where is not None and not where.all()):
                return ranker(scores, relevance, where=where)
            if key not in self.known:
                self.known[key] = ranker(scores, relevance, where=where)
            return self.known[key]

        return rank_fn


def _of_whole_lists(metric: Callable[..., Tensor], batch: Batch, group: Group, scores: Tensor) -> Tensor:
    relevance = (batch.labels[group.rows, None] == batch.ref_labels).sum(-1)
    where = torch.ones_like(scores, dtype=torch.bool)
    if group.absent is not None:
        where.scatter_(1, group.absent, False)
    return metric(scores.to(wide(scores.device)), relevance, where=where, reduction=_of_each_list)


def _readers_of_negatives(
    metrics: Mapping[str, Callable[..., Tensor]], batch: Batch, group: Group, scores: Tensor
) -> Iterator[tuple[str, Callable[..., Tensor]]]:
    """The metrics whose value on the first query differs between the short list of the positives and the whole list.

    A part of its gallery tells: some positives, and some negatives beside them.
    """
    taken = torch.ones_like(scores[0], dtype=torch.bool)
    taken[group.places[0]] = False
    if group.absent is not None:
        taken[group.absent[0]] = False
    some = torch.cat([group.places[0, :_PROBE], taken.nonzero().squeeze(1)[:_PROBE]])
    part = batch._replace(ref_labels=batch.ref_labels[some])
    positives = torch.arange(min(_PROBE, group.places.shape[1]), device=some.device)[None]
    first = Group(group.rows[:1], positives, group.relevance[:1, :_PROBE], None)
    for name, metric in metrics.items():
        if _ranker_of(metric) is None:
            yield name, metric
            continue
        short = _of_positives({name: metric}, first, scores[:1, some])[name]
        if not torch.allclose(short, _of_whole_lists(metric, part, first, scores[:1, some]), rtol=_UNSURE, atol=_UNSURE, equal_nan=True):
            yield name, metric


def _ranker_of(metric: Callable[..., Tensor]) -> RankFn | None:
    """The ranker that a metric takes if it is given none; None: it takes no ranker."""
    parameters = inspect.signature(metric).parameters
    if "rank_fn" in parameters:
        default = parameters["rank_fn"].default
        return default if callable(default) and default is not inspect.Parameter.empty else exact_ranks
    return exact_ranks if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else None


def _at_or_above(scores: Tensor, thresholds: Tensor) -> Tensor:
    """How many scores [q, m] reach each threshold [q, R]: counted if R is small, else found in the sorted scores."""
    m = scores.shape[1]
    if thresholds.shape[1] <= math.log2(m):
        return count_exactly(scores, thresholds)
    if scores.device.type == "cpu":
        scores = torch.from_numpy(np.sort(scores.numpy(), axis=1))  # with vector instructions, several times faster than torch
    else:
        scores = scores.sort(dim=1).values
    return m - torch.searchsorted(scores, thresholds)


def _of_each_list(values: Tensor, defined: Tensor) -> Tensor:
    return torch.where(defined, values, torch.nan)


def _mean(name: str, values: Tensor) -> float:
    """Over the queries that have a value, in the order of the queries: the chunks leave no trace in the last digit."""
    defined = ~values.isnan()
    if not defined.any():
        raise ValueError(f"metrics: {name} has no value on any query, so there is nothing to average")
    return (values.nan_to_num().sum() / defined.sum()).item()
