"""Metrics of the top k: recall, hit, precision, and NDCG, whose cut is optional."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rankbook.checks import check_count, check_counts, check_lists, check_positive
from rankbook.metrics.ranking import clamp_through, rank_items, worst_order
from rankbook.metrics.reduction import reduce_lists
from rankbook.precision import full_precision
from rankbook.types import RankFn, Reduction


def within_top_k(ranks: Tensor, k: int | Tensor, tau_rank: float | None) -> Tensor:
    r"""1 for an item in the top k, 0 for one behind it.

    Without ``tau_rank`` the cut falls from 1 to 0 between the ranks k and k + 1, in a straight line: on whole ranks it is
    the exact cut, on soft ranks it has a gradient for the items at the edge. With ``tau_rank`` it is
    :math:`\sigma((k - r) / \tau_\text{rank})`, which is 1/2 at rank k and reaches every item.

    >>> rb.within_top_k(torch.tensor([1.0, 2.0, 2.25, 3.0]), 2, None)
    tensor([1.0000, 1.0000, 0.7500, 0.0000])
    """
    if tau_rank is None:
        return (k + 1 - ranks).clamp(0, 1)
    return torch.sigmoid((k - ranks) / check_positive("tau_rank", tau_rank))


@full_precision
def recall_at_k(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The share of the positives that stand in the top k.

    .. math:: \mathrm{recall@}k = \frac{1}{|P|} \sum_{i \in P} \mathbb{1}[r_i \le k]

    Retrieval papers print `hit_at_k` under this name.

    Args:
        scores, relevance, where: ``[..., n]``.
        k: length of the short list, at least 1.
        tau_rank: softness of the cut in ranks; None is exact on whole ranks and passes a gradient only between the
            ranks k and k + 1; 1.0 is what Recall@k surrogate uses to train (see `within_top_k`).
        rank_fn, reduction: see `rankbook.metrics`.

    >>> rb.recall_at_k(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]), k=2)
    tensor(0.5000)
    """
    hits, positive = _hits(scores, relevance, k, tau_rank, rank_fn, where)
    return reduce_lists(hits.sum(-1) / positive.sum(-1).clamp(min=1), positive.any(-1), reduction)


@full_precision
def capped_recall(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: Sequence[int] = (1, 2, 4, 8, 16),
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Recall at several k, each divided by the most that it can reach: what Recall@k surrogate trains.

    .. math:: \frac{1}{|K|} \sum_{k \in K} \frac{\min\big(k, \sum_{i \in P} \mathbb{1}[r_i \le k]\big)}{\min(k, |P|)}

    Arguments as in `recall_at_k`; ``k`` is a sequence. With one positive a list and one k it is `hit_at_k`.

    Source: Recall@k surrogate (CVPR 2022, 2108.11179), from its code; the outer minimum matters for soft cuts only.

    >>> rb.capped_recall(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]), k=(1, 2))
    tensor(0.7500)
    """
    cuts = check_counts("k", k)
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    positive = relevance > 0
    count = positive.sum(-1)
    ranks = rank_items(rank_fn, scores, positive, where)
    total = torch.zeros_like(ranks[..., 0])
    for cut in cuts:
        found = torch.where(positive, within_top_k(ranks, cut, tau_rank), 0.0).sum(-1)
        total = total + found.clamp(max=cut) / count.clamp(min=1, max=cut)
    return reduce_lists(total / len(cuts), count > 0, reduction)


@full_precision
def hit_at_k(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""1 if any positive stands in the top k: what retrieval papers print as R@k.

    .. math:: \mathrm{hit@}k = \max_{i \in P} \mathbb{1}[r_i \le k]

    Arguments as in `recall_at_k`. The gradient goes to the best positive only.

    >>> rb.hit_at_k(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 1]), k=2)
    tensor(0.)
    """
    hits, positive = _hits(scores, relevance, k, tau_rank, rank_fn, where)
    return reduce_lists(hits.amax(-1), positive.any(-1), reduction)


@full_precision
def precision_at_k(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The share of the top k that is positive.

    .. math:: \mathrm{precision@}k = \frac{1}{k} \sum_{i \in P} \mathbb{1}[r_i \le k]

    A list with fewer than k positives cannot reach 1. Arguments as in `recall_at_k`.

    >>> rb.precision_at_k(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]), k=3)
    tensor(0.6667)
    """
    hits, positive = _hits(scores, relevance, k, tau_rank, rank_fn, where)
    return reduce_lists(clamp_through(hits.sum(-1) / int(k), 0, 1), positive.any(-1), reduction)


@full_precision
def ndcg(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int | None = None,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Normalized discounted cumulative gain: graded relevance, discounted by the logarithm of the rank.

    .. math:: \mathrm{NDCG} = \frac{\sum_i (2^{\mathrm{rel}_i} - 1) / \log_2(1 + r_i)}{\sum_i (2^{\mathrm{rel}_i} - 1) / \log_2(1 + r^*_i)}

    where :math:`r^*` are the ranks of the ideal order.

    Args:
        scores, relevance, where: ``[..., n]``; grades of any size, hundreds too: gains are scaled within each list.
        k: count only the top k (None: the whole list).
        tau_rank: softness of the cut at k, as in `recall_at_k`.
        rank_fn, reduction: see `rankbook.metrics`.

    >>> rb.ndcg(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 2, 0]))
    tensor(0.7967)
    """
    k = None if k is None else check_count("k", k)
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    gain = _gains(relevance, scores.dtype)
    ranks = rank_items(rank_fn, scores, relevance, where)
    discounted = gain / torch.log2(1 + ranks)
    ideal_gain = gain.sort(-1, descending=True).values
    ideal_ranks = torch.arange(1, gain.shape[-1] + 1, dtype=gain.dtype, device=gain.device)
    ideal = ideal_gain / torch.log2(1 + ideal_ranks)
    if k is not None:
        discounted = discounted * within_top_k(ranks, k, tau_rank)
        ideal = ideal[..., :k]
    ideal = ideal.sum(-1)
    values = discounted.sum(-1) / torch.where(ideal > 0, ideal, 1.0)
    return reduce_lists(clamp_through(values, 0, 1), ideal > 0, reduction)


def _gains(relevance: Tensor, dtype: torch.dtype) -> Tensor:
    """2^rel - 1, scaled in each list so that no grade overflows: by 2^-m for the largest grade m, by its gain if m < 1.

    The grade is taken from the largest before any cast. Whole grades keep all of their bits, and tiny ones their digits.
    """
    largest = relevance.amax(-1, keepdim=True)
    wide = relevance.dtype if relevance.is_floating_point() else dtype
    below, grade, most = (x.to(wide) for x in (relevance - largest, relevance, largest))
    tiny = torch.exp2(below) * -torch.expm1(-math.log(2) * grade)  # 2^(rel - m) (1 - 2^-rel) does not cancel
    gain = torch.where(grade < 1, tiny, torch.exp2(below) - torch.exp2(-most))
    unit = torch.where((most > 0) & (most < 1), -torch.expm1(-math.log(2) * most), 1.0)
    return (gain / unit).to(dtype)


def _hits(
    scores: Tensor, relevance: Tensor, k: int, tau_rank: float | None, rank_fn: RankFn, where: Tensor | None
) -> tuple[Tensor, Tensor]:
    """For each item, whether it is a positive within the top k; and the positives."""
    k = check_count("k", k)
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    positive = relevance > 0
    cut = within_top_k(rank_items(rank_fn, scores, positive, where), k, tau_rank)
    return torch.where(positive, cut, 0.0), positive
