"""Metrics of the whole ranking of positives: average precision, mAP@R, reciprocal rank."""

from __future__ import annotations

from torch import Tensor

from rankbook.checks import check_count
from rankbook.metrics.cutoff import within_top_k
from rankbook.metrics.ranking import clamp_through, rank_among, rank_items, worst_order
from rankbook.metrics.reduction import reduce_lists
from rankbook.metrics.weights import check_worth, most_in, of_positives, share_found
from rankbook.precision import full_precision
from rankbook.ranks.exact import exact_ranks
from rankbook.types import RankFn, Reduction


@full_precision
def average_precision(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int | None = None,
    tau_rank: float | None = None,
    rank_fn: RankFn = exact_ranks,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Average precision: at the rank of each positive, the share of positives so far; then the mean over the positives.

    .. math::
        \mathrm{AP} = \frac{1}{|P|} \sum_{k \in P} \frac{\mathrm{rank}^+(k)}{\mathrm{rank}(k)}, \qquad
        \mathrm{AP@}K = \frac{1}{\min(|P|, K)} \sum_{k \in P,\ \mathrm{rank}(k) \le K} \frac{\mathrm{rank}^+(k)}{\mathrm{rank}(k)}

    where :math:`\mathrm{rank}^+` counts among the positives only. The mean over queries is the mAP, and MAP@K.

    Args:
        scores, relevance, where: ``[..., n]``; relevance above 0 means positive.
        k: count only the top k, out of the most that k places can hold, so that 1 is in reach. Others divide otherwise:
            ``trec_eval`` (``map_cut``) by :math:`|P|`, torchmetrics (``top_k``) by the positives *found* in the top k, which makes
            one hit at rank 1 perfect. None: the whole list.
        tau_rank: softness of the cut at k, in ranks (see `within_top_k`).
        rank_fn: any ranker; it is called twice, on the list and on its positives.
        item_weights, query_weights, reduction: see `rankbook.metrics`.

    Cost: two calls of the ranker. With exact ranks the value equals scikit-learn's ``average_precision_score``, ties included.

    >>> rb.average_precision(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]))
    tensor(0.8333)
    >>> rb.average_precision(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]), k=2)
    tensor(0.5000)
    >>> rb.average_precision(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]), item_weights=torch.tensor([3.0, 1.0, 1.0]))
    tensor(0.9167)
    """
    k = None if k is None else check_count("k", k)
    scores, positive, where, worth = check_worth(scores, relevance, where, item_weights)
    among, ranks = rank_among(rank_fn, scores, positive), rank_items(rank_fn, scores, positive, where)
    if k is None:
        values = share_found(among / ranks, worth)
    else:
        values = share_found(among / ranks * within_top_k(ranks, k, tau_rank), worth, most_in(k, worth, item_weights))
    return reduce_lists(clamp_through(values, 0, 1), (worth > 0).any(-1), reduction, query_weights)


@full_precision
def map_at_r(
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
    r"""Average precision cut at R, the number of positives: the strictest of the usual retrieval metrics.

    .. math:: \mathrm{mAP@R} = \frac{1}{R} \sum_{k \in P,\ \mathrm{rank}(k) \le R} \frac{\mathrm{rank}^+(k)}{\mathrm{rank}(k)},
        \qquad R = |P|

    Arguments as in `average_precision`, without k. Source: A Metric Learning Reality Check (ECCV 2020).

    >>> rb.map_at_r(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 0, 1]))
    tensor(0.5000)
    """
    scores, positive, where, worth = check_worth(scores, relevance, where, item_weights)
    ranks = rank_items(rank_fn, scores, positive, where)
    precision = rank_among(rank_fn, scores, positive) / ranks * within_top_k(ranks, positive.sum(-1, keepdim=True), tau_rank)
    return reduce_lists(clamp_through(share_found(precision, worth), 0, 1), (worth > 0).any(-1), reduction, query_weights)


@full_precision
def reciprocal_rank(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int | None = None,
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One over the rank of the best positive; its mean over queries is the MRR.

    .. math:: \mathrm{RR} = \max_{i \in P} \frac{1}{r_i}, \qquad \mathrm{RR@}k = \max_{i \in P} \frac{\mathbb{1}[r_i \le k]}{r_i}

    Args:
        scores, relevance, where: ``[..., n]``.
        k: 0 if no positive stands in the top k; the mean over queries is MRR@k. None: the whole list.
        tau_rank: softness of the cut at k, in ranks (see `within_top_k`).
        item_weights: the best of :math:`w_i / r_i`, out of the largest weight of a positive.
        rank_fn, query_weights, reduction: see `rankbook.metrics`.

    >>> rb.reciprocal_rank(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 1]))
    tensor(0.5000)
    >>> rb.reciprocal_rank(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 1]), k=1)
    tensor(0.)
    """
    k = None if k is None else check_count("k", k)
    scores, positive, where, worth = check_worth(scores, relevance, where, item_weights)
    ranks = rank_items(rank_fn, scores, positive, where)
    found = 1 / ranks if k is None else within_top_k(ranks, k, tau_rank) / ranks
    return reduce_lists(clamp_through(of_positives(found, worth).amax(-1), 0, 1), (worth > 0).any(-1), reduction, query_weights)
