"""Metrics of the top k: recall, hit, precision, and NDCG, whose cut is optional."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rankbook.checks import check_lists, check_positive
from rankbook.metrics.reduction import reduce_lists
from rankbook.ranks.exact import exact_ranks
from rankbook.types import RankFn, Reduction


def within_top_k(ranks: Tensor, k: int, tau_rank: float | None) -> Tensor:
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


def recall_at_k(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int,
    tau_rank: float | None = None,
    rank_fn: RankFn = exact_ranks,
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


def capped_recall(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: Sequence[int] = (1, 2, 4, 8, 16),
    tau_rank: float | None = None,
    rank_fn: RankFn = exact_ranks,
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
    scores, relevance, where = check_lists(scores, relevance, where)
    positive = relevance > 0
    count = positive.sum(-1)
    ranks = rank_fn(scores, positive, where=where)
    total = torch.zeros_like(ranks[..., 0])
    for cut in map(_check_k, k):
        found = torch.where(positive, within_top_k(ranks, cut, tau_rank), 0.0).sum(-1)
        total = total + found.clamp(max=cut) / count.clamp(min=1, max=cut)
    return reduce_lists(total / len(k), count > 0, reduction)


def hit_at_k(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int,
    tau_rank: float | None = None,
    rank_fn: RankFn = exact_ranks,
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


def precision_at_k(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int,
    tau_rank: float | None = None,
    rank_fn: RankFn = exact_ranks,
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
    return reduce_lists(hits.sum(-1) / k, positive.any(-1), reduction)


def ndcg(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int | None = None,
    tau_rank: float | None = None,
    rank_fn: RankFn = exact_ranks,
    where: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Normalized discounted cumulative gain: graded relevance, discounted by the logarithm of the rank.

    .. math:: \mathrm{NDCG} = \frac{\sum_i (2^{\mathrm{rel}_i} - 1) / \log_2(1 + r_i)}{\sum_i (2^{\mathrm{rel}_i} - 1) / \log_2(1 + r^*_i)}

    where :math:`r^*` are the ranks of the ideal order.

    Args:
        scores, relevance, where: ``[..., n]``.
        k: count only the top k (None: the whole list).
        tau_rank: softness of the cut at k, as in `recall_at_k`.
        rank_fn, reduction: see `rankbook.metrics`.

    >>> rb.ndcg(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 2, 0]))
    tensor(0.7967)
    """
    scores, relevance, where = check_lists(scores, relevance, where)
    gain = torch.exp2(relevance) - 1
    ranks = rank_fn(scores, relevance, where=where)
    discounted = gain / torch.log2(1 + ranks)
    ideal_gain = gain.sort(-1, descending=True).values
    ideal_ranks = torch.arange(1, gain.shape[-1] + 1, dtype=gain.dtype, device=gain.device)
    ideal = ideal_gain / torch.log2(1 + ideal_ranks)
    if k is not None:
        discounted = discounted * within_top_k(ranks, _check_k(k), tau_rank)
        ideal = ideal[..., :k]
    ideal = ideal.sum(-1)
    return reduce_lists(discounted.sum(-1) / torch.where(ideal > 0, ideal, 1.0), ideal > 0, reduction)


def _hits(
    scores: Tensor, relevance: Tensor, k: int, tau_rank: float | None, rank_fn: RankFn, where: Tensor | None
) -> tuple[Tensor, Tensor]:
    """For each item, whether it is a positive within the top k; and the positives."""
    scores, relevance, where = check_lists(scores, relevance, where)
    positive = relevance > 0
    cut = within_top_k(rank_fn(scores, positive, where=where), _check_k(k), tau_rank)
    return torch.where(positive, cut, 0.0), positive


def _check_k(k: int) -> int:
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}")
    return k
