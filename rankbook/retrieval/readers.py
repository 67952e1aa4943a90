"""What an evaluated metric reads, the short lists of the positives or whole lists, and its values from either."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from rankbook.precision import wide
from rankbook.ranks.exact import exact_ranks
from rankbook.retrieval.batch import Batch
from rankbook.retrieval.positives import Group
from rankbook.retrieval.short_lists import ShortLists
from rankbook.types import RankFn

_MADE = 128  # items of a list on which a metric shows what it reads
_DISTINCT = 47  # of their scores
_UNSURE = 1e-6  # of two values of a metric, in float64, that should be one


def of_positives(metrics: Mapping[str, Callable[..., Tensor]], group: Group, scores: Tensor) -> dict[str, Tensor]:
    """The values of metrics for which `reads_positives` holds, from the short lists; overwrites the scores."""
    if not metrics:
        return {}
    lists, weights = ShortLists(scores, group), _given(group.weights)
    return {
        name: metric(lists.scores, group.relevance, rank_fn=lists.ranker(_ranker_of(metric)), reduction=_of_each_list, **weights)
        for name, metric in metrics.items()
    }


def of_whole_lists(metric: Callable[..., Tensor], batch: Batch, group: Group, scores: Tensor) -> Tensor:
    """The values of any metric, which ranks the gallery itself."""
    if batch.relevance is not None:
        relevance = batch.relevance.index_select(0, group.rows)
    else:
        home, device = batch.labels.device, scores.device  # labels may stay on the CPU
        relevance = (batch.labels[group.rows.to(home), None] == batch.ref_labels).sum(-1).to(device)
    where = group.where(scores.shape[1])
    return metric(scores.to(wide(scores.device)), relevance, where=where, reduction=_of_each_list, **_given(batch.item_weights))


def reads_positives(metric: Callable[..., Tensor], batch: Batch) -> bool:
    """Whether the short lists tell a metric all: its ranker counts the negatives as they do, and it reads no other rank.

    The second is seen on lists made for it, with grades of the batch but not with its scores: the order of the items has no say.
    """
    if not _counts_negatives_at_or_above(_ranker_of(metric)):
        return False
    grades = _grades(batch)
    made = torch.arange(_MADE, dtype=batch.queries.dtype, device=grades.device).remainder(_DISTINCT).cos()[None]  # ties of all kinds
    made[:, 0] = 2  # on top, alone
    weights = None if batch.item_weights is None else 2 + made
    for positives in (1, _MADE // 2):
        nth = torch.arange(positives, device=grades.device)
        relevance = grades[nth % len(grades)][None]
        few = Group(nth[:1], nth[None], relevance, weights=None if weights is None else weights[:, :positives])
        short = of_positives({"short": metric}, few, made.clone())["short"]
        relevance = torch.cat([relevance, relevance.new_zeros(1, _MADE - positives)], 1)
        there = torch.ones_like(made, dtype=torch.bool)
        whole = metric(made.to(wide(made.device)), relevance, where=there, reduction=_of_each_list, **_given(weights))
        if not torch.allclose(short, whole, rtol=_UNSURE, atol=_UNSURE):  # no value is no answer
            return False
    return True


def _counts_negatives_at_or_above(ranker: RankFn | None) -> bool:
    """Whether a negative counts in full from the score of a positive on, as in `ShortLists`."""
    exact = ranker.func if isinstance(ranker, partial) else ranker
    return exact is exact_ranks and inspect.signature(ranker).parameters["ties"].default in ("max", "worst")


def _grades(batch: Batch) -> Tensor:
    """Grades of positives: as many levels as there are; of a given relevance the least and the most."""
    if batch.relevance is None:
        return torch.arange(1, batch.labels.shape[1] + 1, device=batch.queries.device)
    most = batch.relevance.amax()
    return torch.stack([torch.where(batch.relevance > 0, batch.relevance, most).amin(), most])


def _ranker_of(metric: Callable[..., Tensor]) -> RankFn | None:
    """The ranker that a metric takes if it is given none; None: it does not say."""
    parameter = inspect.signature(metric).parameters.get("rank_fn")
    return None if parameter is None else parameter.default


def _given(item_weights: Tensor | None) -> dict[str, Tensor]:
    """The argument, if there is one: a metric of yours need not know it."""
    return {} if item_weights is None else {"item_weights": item_weights}


def _of_each_list(values: Tensor, defined: Tensor) -> Tensor:
    return torch.where(defined, values, torch.nan)
