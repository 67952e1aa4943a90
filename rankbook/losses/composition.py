"""Any metric with any ranker, as a loss."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rankbook.checks import check_callable, check_choice, reads_values, warn
from rankbook.described import arguments
from rankbook.metrics.reduction import over_lists, with_weight
from rankbook.types import LossFn, MetricFn, RankFn


def as_loss(metric: MetricFn, rank_fn: RankFn, **metric_kwargs: Any) -> LossFn:
    r"""Make a loss of a metric and a ranker.

    .. math:: \mathcal{L}(s, \mathrm{rel}) = 1 - \mathrm{metric}(s, \mathrm{rel};\ r)

    Args:
        metric: any metric of `rankbook.metrics`, or yours with the same call.
        rank_fn: any ranker; bind its knobs with ``functools.partial``.
        metric_kwargs: what the metric takes, such as ``k`` or ``reduction``.

    Returns: a function ``(scores, relevance, *, where=None, item_weights=None, query_weights=None) -> loss``. Lists without a
    positive do not count; if there is no other list, the loss is 0 with zero gradient and a warning.

    >>> loss = rb.as_loss(rb.average_precision, partial(rb.sigmoid_ranks, tau=0.1))
    >>> loss(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]))
    tensor(0.2368)
    """
    check_callable("metric", metric), check_callable("rank_fn", rank_fn)
    reduction = check_choice("reduction", metric_kwargs.pop("reduction", "mean"), ("mean", "sum", "none"))
    return partial(metric, rank_fn=rank_fn, reduction=partial(_one_minus, reduction=reduction), **metric_kwargs)


class RankLoss(nn.Module):
    """`as_loss` as a module. It owns its ranker, so a learned sorter moves, saves and trains with it.

    Args: as `as_loss`.

    >>> loss = rb.RankLoss(rb.ndcg, partial(rb.sigmoid_ranks, tau=0.1), k=2)
    >>> loss(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([2, 0, 1]))
    tensor(0.2844)
    """

    def __init__(self, metric: MetricFn, rank_fn: RankFn, **metric_kwargs: Any):
        super().__init__()
        as_loss(metric, rank_fn, **metric_kwargs)  # a wrong argument is refused here, not at the first batch
        self.metric, self.rank_fn, self.metric_kwargs = metric, rank_fn, metric_kwargs  # a Module is registered as such

    def forward(
        self,
        scores: Tensor,
        relevance: Tensor,
        *,
        where: Tensor | None = None,
        item_weights: Tensor | None = None,
        query_weights: Tensor | None = None,
    ) -> Tensor:
        weights = {"item_weights": item_weights, "query_weights": query_weights}
        given = {name: value for name, value in weights.items() if value is not None}  # a metric of yours need not know them
        return as_loss(self.metric, self.rank_fn, **self.metric_kwargs)(scores, relevance, where=where, **given)

    extra_repr = arguments


def _one_minus(values: Tensor, defined: Tensor, query_weights: Tensor | None = None, *, reduction: str) -> Tensor:
    """1 - metric where the metric has a value, 0 where it has none."""
    if reduction == "none":
        return torch.where(defined, 1 - values, 0.0)
    counted = with_weight(defined, query_weights)
    if reads_values(counted) and not counted.any():
        warn("relevance has no positive in any list: the loss is 0 and teaches nothing")
    return over_lists(1 - values, defined, query_weights, mean=reduction == "mean")
