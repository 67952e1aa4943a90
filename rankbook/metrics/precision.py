"""Metrics of the whole ranking of positives: average precision, mAP@R, reciprocal rank."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_lists
from rankbook.metrics.cutoff import within_top_k
from rankbook.metrics.ranking import clamp_through, rank_among, rank_items, worst_order
from rankbook.metrics.reduction import reduce_lists
from rankbook.precision import full_precision
from rankbook.ranks.exact import exact_ranks
from rankbook.types import RankFn, Reduction


@full_precision
def average_precision(
    scores: Tensor, relevance: Tensor, *, rank_fn: RankFn = exact_ranks, where: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""Average precision: at the rank of each positive, the share of positives so far; then the mean over the positives.

    .. math:: \mathrm{AP} = \frac{1}{|P|} \sum_{k \in P} \frac{\mathrm{rank}^+(k)}{\mathrm{rank}(k)}

    where :math:`\mathrm{rank}^+` counts among the positives only.

    Args:
        scores, relevance, where: ``[..., n]``; relevance above 0 means positive.
        rank_fn: any ranker; it is called twice, on the list and on its positives.
        reduction: see `reduce_lists`.

    Cost: two calls of the ranker. With exact ranks the value equals scikit-learn's ``average_precision_score``, ties included.

    >>> rb.average_precision(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]))
    tensor(0.8333)
    """
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    positive = relevance > 0
    precision = rank_among(rank_fn, scores, positive) / rank_items(rank_fn, scores, positive, where)
    values = torch.where(positive, precision, 0.0).sum(-1) / positive.sum(-1).clamp(min=1)
    return reduce_lists(clamp_through(values, 0, 1), positive.any(-1), reduction)


@full_precision
def map_at_r(
    scores: Tensor,
    relevance: Tensor,
    *,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Average precision cut at R, the number of positives: the strictest of the usual retrieval metrics.

    .. math:: \mathrm{mAP@R} = \frac{1}{R} \sum_{k \in P,\ \mathrm{rank}(k) \le R} \frac{\mathrm{rank}^+(k)}{\mathrm{rank}(k)},
        \qquad R = |P|

    Arguments as in `recall_at_k`, without k. Source: A Metric Learning Reality Check (ECCV 2020).

    >>> rb.map_at_r(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]))
    tensor(0.5000)
    """
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    positive = relevance > 0
    count = positive.sum(-1, keepdim=True)
    ranks = rank_items(rank_fn, scores, positive, where)
    precision = rank_among(rank_fn, scores, positive) / ranks * within_top_k(ranks, count, tau_rank)
    values = torch.where(positive, precision, 0.0).sum(-1) / count.squeeze(-1).clamp(min=1)
    return reduce_lists(clamp_through(values, 0, 1), positive.any(-1), reduction)


@full_precision
def reciprocal_rank(
    scores: Tensor, relevance: Tensor, *, rank_fn: RankFn = worst_order, where: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""One over the rank of the best positive; its mean over queries is the MRR.

    .. math:: \mathrm{RR} = \frac{1}{\min_{i \in P} r_i}

    Arguments as in `average_precision`.

    >>> rb.reciprocal_rank(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 1]))
    tensor(0.5000)
    """
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    positive = relevance > 0
    ranks = rank_items(rank_fn, scores, positive, where)
    values = torch.where(positive, 1 / ranks, 0.0).amax(-1)
    return reduce_lists(clamp_through(values, 0, 1), positive.any(-1), reduction)
