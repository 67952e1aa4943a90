"""Metrics of the whole ranking: average precision and its hierarchical form, mAP@R, reciprocal rank."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_lists
from rankbook.metrics.cutoff import within_top_k
from rankbook.metrics.reduction import reduce_lists
from rankbook.ranks.exact import exact_ranks
from rankbook.types import RankFn, Reduction


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
    scores, relevance, where = check_lists(scores, relevance, where)
    positive = relevance > 0
    precision = _rank_among(positive, scores, rank_fn) / rank_fn(scores, positive, where=where)
    values = torch.where(positive, precision, 0.0).sum(-1) / positive.sum(-1).clamp(min=1)
    return reduce_lists(values, positive.any(-1), reduction)


def hierarchical_ap(
    scores: Tensor, relevance: Tensor, *, rank_fn: RankFn = exact_ranks, where: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""H-AP: average precision for graded relevance. A near miss counts for what it shares.

    .. math::
        \mathcal{H}\text{-AP} = \frac{1}{\sum_{k \in P} \mathrm{rel}(k)} \sum_{k \in P} \frac{\mathcal{H}\text{-rank}(k)}{\mathrm{rank}(k)},
        \qquad
        \mathcal{H}\text{-rank}(k) = \mathrm{rel}(k) + \sum_{j \in P,\, j \text{ above } k} \min(\mathrm{rel}(k), \mathrm{rel}(j))

    The minimum is a sum over relevance levels, so :math:`\mathcal{H}\text{-rank}` is a weighted sum of ranks among the items
    that reach each level: any ranker serves. On binary relevance it is `average_precision`.

    Args:
        scores, relevance, where: ``[..., n]``; relevance is 0 for an irrelevant item and grows with what it shares.
        rank_fn: any ranker; it is called once, and once for each distinct level of relevance.
        reduction: see `reduce_lists`.

    Source: HAPPIER (ECCV 2022) and SupRank (TPAMI); formula from their code.

    >>> rb.hierarchical_ap(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1.0, 0.0, 0.5]))
    tensor(0.8889)
    """
    scores, relevance, where = check_lists(scores, relevance, where)
    positive = relevance > 0
    hierarchical_rank, reached = torch.zeros_like(scores), torch.zeros_like(scores[..., :1])
    while (above := relevance > reached).any():
        level = torch.where(above, relevance, torch.inf).amin(-1, keepdim=True)  # the next distinct relevance of each list
        level = torch.where(level.isinf(), reached, level)
        hierarchical_rank = hierarchical_rank + (level - reached) * torch.where(above, _rank_among(above, scores, rank_fn), 0.0)
        reached = level
    share = torch.where(positive, hierarchical_rank, 0.0) / rank_fn(scores, relevance, where=where)
    total = relevance.sum(-1)
    values = share.sum(-1) / torch.where(total > 0, total, 1.0)
    return reduce_lists(values, positive.any(-1), reduction)


def map_at_r(
    scores: Tensor,
    relevance: Tensor,
    *,
    tau_rank: float | None = None,
    rank_fn: RankFn = exact_ranks,
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
    scores, relevance, where = check_lists(scores, relevance, where)
    positive = relevance > 0
    count = positive.sum(-1, keepdim=True)
    ranks = rank_fn(scores, positive, where=where)
    precision = _rank_among(positive, scores, rank_fn) / ranks * within_top_k(ranks, count, tau_rank)
    values = torch.where(positive, precision, 0.0).sum(-1) / count.squeeze(-1).clamp(min=1)
    return reduce_lists(values, positive.any(-1), reduction)


def reciprocal_rank(
    scores: Tensor, relevance: Tensor, *, rank_fn: RankFn = exact_ranks, where: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""One over the rank of the best positive; its mean over queries is the MRR.

    .. math:: \mathrm{RR} = \frac{1}{\min_{i \in P} r_i}

    Arguments as in `average_precision`.

    >>> rb.reciprocal_rank(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 1]))
    tensor(0.5000)
    """
    scores, relevance, where = check_lists(scores, relevance, where)
    positive = relevance > 0
    ranks = rank_fn(scores, positive, where=where)
    values = torch.where(positive, 1 / ranks, 0.0).amax(-1)
    return reduce_lists(values, positive.any(-1), reduction)


def _rank_among(subset: Tensor, scores: Tensor, rank_fn: RankFn) -> Tensor:
    """Ranks among the items of ``subset``, which count as equally relevant."""
    return rank_fn(scores, subset, where=subset)
