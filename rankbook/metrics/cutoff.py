"""Metrics of the top k: recall, hit, precision, and R-precision, whose k is the number of positives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rankbook.checks import check_count, check_counts, check_positive
from rankbook.metrics.ranking import clamp_through, rank_items, worst_order
from rankbook.metrics.reduction import reduce_lists
from rankbook.metrics.weights import check_worth, most_in, of_positives, or_one, share_found
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
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
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
        rank_fn, item_weights, query_weights, reduction: see `rankbook.metrics`.

    >>> rb.recall_at_k(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]), k=2)
    tensor(0.5000)
    """
    inside, worth = _inside(scores, relevance, check_count("k", k), tau_rank, rank_fn, where, item_weights)
    return reduce_lists(share_found(inside, worth), (worth > 0).any(-1), reduction, query_weights)


@full_precision
def r_precision(
    scores: Tensor,
    relevance: Tensor,
    *,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""R-precision: the share of the top R that is positive, where R is the number of positives. There it equals the recall.

    .. math:: \mathrm{RP} = \frac{1}{R} \sum_{i \in P} \mathbb{1}[r_i \le R], \qquad R = |P|

    Arguments as in `recall_at_k`, without k. Weights count as in the recall.

    >>> rb.r_precision(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]))
    tensor(0.5000)
    """
    inside, worth = _inside(scores, relevance, None, tau_rank, rank_fn, where, item_weights)
    return reduce_lists(share_found(inside, worth), (worth > 0).any(-1), reduction, query_weights)


@full_precision
def capped_recall(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: Sequence[int] = (1, 2, 4, 8, 16),
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Recall at several k, each divided by the most that it can reach: what Recall@k surrogate trains.

    .. math:: \frac{1}{|K|} \sum_{k \in K} \frac{\min\big(k, \sum_{i \in P} \mathbb{1}[r_i \le k]\big)}{\min(k, |P|)}

    Arguments as in `recall_at_k`; ``k`` is a sequence. With one positive a list and one k it is `hit_at_k`. With weights, k places
    can hold the k largest.

    Source: Recall@k surrogate (CVPR 2022, 2108.11179), from its code; the outer minimum matters for soft cuts only.

    >>> rb.capped_recall(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]), k=(1, 2))
    tensor(0.7500)
    """
    cuts = check_counts("k", k)
    scores, positive, where, worth = check_worth(scores, relevance, where, item_weights)
    ranks = rank_items(rank_fn, scores, positive, where)
    total = torch.zeros_like(ranks[..., 0])
    for cut in cuts:
        found, most = of_positives(within_top_k(ranks, cut, tau_rank), worth).sum(-1), most_in(cut, worth, item_weights)
        total = total + torch.where(found > most, most, found) / or_one(most)
    return reduce_lists(total / len(cuts), (worth > 0).any(-1), reduction, query_weights)


@full_precision
def hit_at_k(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""1 if any positive stands in the top k: what retrieval papers print as R@k.

    .. math:: \mathrm{hit@}k = \max_{i \in P} \mathbb{1}[r_i \le k]

    Arguments as in `recall_at_k`. The gradient goes to the best positive only. With weights it is the largest weight found, out of
    the largest of a positive.

    >>> rb.hit_at_k(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 1]), k=2)
    tensor(0.)
    """
    inside, worth = _inside(scores, relevance, check_count("k", k), tau_rank, rank_fn, where, item_weights)
    return reduce_lists(of_positives(inside, worth).amax(-1), (worth > 0).any(-1), reduction, query_weights)


@full_precision
def precision_at_k(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The share of the top k that is positive.

    .. math:: \mathrm{precision@}k = \frac{1}{k} \sum_{i \in P} \mathbb{1}[r_i \le k]

    A list with fewer than k positives cannot reach 1. Arguments as in `recall_at_k`. With weights a positive counts by its share
    of the largest one.

    >>> rb.precision_at_k(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]), k=3)
    tensor(0.6667)
    """
    k = check_count("k", k)
    inside, worth = _inside(scores, relevance, k, tau_rank, rank_fn, where, item_weights)
    return reduce_lists(clamp_through(of_positives(inside, worth).sum(-1) / k, 0, 1), (worth > 0).any(-1), reduction, query_weights)


def _inside(
    scores: Tensor,
    relevance: Tensor,
    k: int | None,
    tau_rank: float | None,
    rank_fn: RankFn,
    where: Tensor | None,
    item_weights: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """For each item, whether it stands in the top k (None: in the top R); and what it is worth."""
    scores, positive, where, worth = check_worth(scores, relevance, where, item_weights)
    ranks = rank_items(rank_fn, scores, positive, where)
    return within_top_k(ranks, positive.sum(-1, keepdim=True) if k is None else k, tau_rank), worth
