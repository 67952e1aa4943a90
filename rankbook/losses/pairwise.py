"""Pair-wise losses on scores: RankNet, where each pair counts alike, and LambdaLoss, where a pair counts by what its swap costs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from rankbook.checks import check_callable, check_positive
from rankbook.losses.listwise import grade_order
from rankbook.losses.pair_terms import pair_terms
from rankbook.losses.score_loss import ScoreLoss
from rankbook.losses.swaps import swap_facts
from rankbook.types import MetricFn


class RankNetLoss(ScoreLoss):
    r"""RankNet: the logistic loss of each pair of items of different relevance.

    .. math::
        \mathcal{L} = \frac{1}{|\mathcal{P}|} \sum_{(i, j) \in \mathcal{P}} \log\big(1 + e^{-\sigma (s_i - s_j)}\big), \qquad
        \mathcal{P} = \{(i, j) : \mathrm{rel}_i > \mathrm{rel}_j\}

    Args:
        sigma: steepness in one over the units of the scores. Larger is closer to counting the pairs in the wrong order, and pushes
            pairs that are right already less.
        reduction: ``"mean"`` or ``"sum"`` over the lists that have something to order, ``"none"`` (0 for the others).

    Call with ``(scores[..., n], relevance[..., n], *, where=None, query_weights=None)``: grades of at least 0, the mask of the
    present items, one weight of at least 0 for each list (the mean is then a weighted mean). A list whose items are all equally
    relevant does not count; if there is no other, the loss is 0 with zero gradient and a warning.

    The mean over the pairs makes lists of any length compare; a grade counts by its order alone. Constant scores cost
    :math:`\log 2`; the loss goes to 0 as the gaps between grades grow. Convex in the scores.

    Cost: for each list :math:`O(n\,p)` time, with p items that are more relevant than another (on accelerators :math:`O(n^2)`), and
    :math:`O(n)` memory: pairs are computed in blocks and again in the backward pass.
    Differentiable once.

    Raises:
        ValueError: scores or relevance that are not finite, negative grades, shapes or devices that differ, ``sigma`` not above 0.

    Source: Learning to Rank using Gradient Descent (ICML 2005, eq. 3, target probability 1); ``sigma`` and the name of the pairs as
    in From RankNet to LambdaRank to LambdaMART: An Overview (2010).

    >>> rb.RankNetLoss()(torch.tensor([2.0, 0.0, 1.0]), torch.tensor([2, 1, 0]))
    tensor(0.5845)
    """

    def __init__(self, *, sigma: float = 1.0, reduction: str = "mean"):
        super().__init__(reduction=reduction)
        self.sigma = check_positive("sigma", sigma)

    def of_lists(self, scores: Tensor, relevance: Tensor, where: Tensor | None) -> Tensor:
        grades = grade_order(relevance, scores, where)
        return pair_terms("equal", scores, where, grades, sigma=self.sigma).div(_pairs(grades, where).clamp(min=1)).sum(-1)


class LambdaLoss(ScoreLoss):
    r"""LambdaLoss: RankNet's pairs, each weighted by how much the metric changes when the two items trade places.

    .. math::
        \mathcal{L} = \sum_{\mathrm{rel}_i > \mathrm{rel}_j} |\Delta M_{ij}| \log\big(1 + e^{-\sigma (s_i - s_j)}\big)

    where :math:`\Delta M_{ij}` is the difference of the metric between the current order and the one with *i* and *j* swapped. The
    weights are constants: no gradient goes through them. Tied items stand in their worst order, the less relevant first.

    Args:
        metric: any metric of `rankbook.metrics` but `kendall`, or yours with the same call. With `ndcg` this is LambdaRank's gradient.
        sigma: as `RankNetLoss`.
        reduction: as `RankNetLoss`.
        metric_kwargs: what the metric takes, such as ``k``.

    Call: as `RankNetLoss`. The sum over the pairs is the paper's. A pair whose swap leaves the metric as it is weighs nothing:
    a list that a cut at k cannot tell better has loss 0.

    Cost: for `ndcg` (any k), `average_precision` and `reciprocal_rank` closed forms: time and memory of
    `RankNetLoss`. For any other metric each swap is measured: :math:`n^2` calls on a list of n items, :math:`O(n^3)` time or more,
    :math:`O(n^2)` memory. Differentiable once.

    Raises:
        TypeError: a metric that cannot be called.
        ValueError: one that does not give one value for each list; the rest as `RankNetLoss`.

    Source: The LambdaLoss Framework for Ranking Metric Optimization (CIKM 2018), the loss whose gradient is LambdaRank's (NIPS 2006);
    the natural logarithm is ours, the paper's is binary: a factor of 1.44.

    >>> rb.LambdaLoss(rb.ndcg)(torch.tensor([2.0, 0.0, 1.0]), torch.tensor([2, 1, 0]))
    tensor(0.1778)
    >>> rb.LambdaLoss(rb.reciprocal_rank)(torch.tensor([2.0, 0.0, 1.0]), torch.tensor([0, 1, 0]))
    tensor(1.6368)
    """

    def __init__(self, metric: MetricFn, *, sigma: float = 1.0, reduction: str = "mean", **metric_kwargs: Any):
        super().__init__(reduction=reduction)
        check_callable("metric", metric)
        if "rank_fn" in metric_kwargs:
            raise ValueError("rank_fn has no place here: LambdaLoss measures with exact ranks; for another ranker see rb.as_loss")
        self.metric, self.metric_kwargs = metric, metric_kwargs
        self.sigma = check_positive("sigma", sigma)

    def of_lists(self, scores: Tensor, relevance: Tensor, where: Tensor | None) -> Tensor:
        metric = partial(self.metric, **self.metric_kwargs)
        kind, told_apart, facts = swap_facts(metric, scores.detach(), relevance.detach(), where)
        return pair_terms(kind, scores, where, grade_order(told_apart, scores, where), facts, sigma=self.sigma).sum(-1)


def _pairs(grades: Tensor, where: Tensor | None) -> Tensor:
    """How many pairs of different grades a list has ``[..., 1]``: half of those that are not tied."""
    present = grades if where is None else grades.masked_fill(~where, -1.0)
    ascending = present.sort(-1).values.contiguous()
    below = torch.searchsorted(ascending, present.contiguous()).to(grades.dtype)
    if where is not None:
        below = torch.where(where, below - (~where).sum(-1, keepdim=True), 0.0)
    return below.sum(-1, keepdim=True)
