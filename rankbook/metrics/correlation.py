"""Rank correlation with a target: Spearman and Kendall."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from rankbook.checks import check_callable, check_item_weights, check_relevance, check_scores
from rankbook.metrics.ranking import check_ranks, clamp_through
from rankbook.metrics.reduction import reduce_lists
from rankbook.metrics.weights import or_one, shares_of_largest
from rankbook.precision import full_precision
from rankbook.ranks.exact import exact_ranks, same_order
from rankbook.types import RankFn, Reduction


@full_precision
def spearman(
    scores: Tensor,
    target: Tensor,
    *,
    rank_fn: RankFn = partial(exact_ranks, ties="average"),
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Spearman's rank correlation between scores and a target.

    .. math:: \rho = \mathrm{corr}(r(s), r(t))

    Pearson's correlation of the ranks; without ties it is :math:`1 - 6 \sum_i (r_i - t_i)^2 / (n (n^2 - 1))`.

    Args:
        scores: ``[..., n]``.
        target: ``[..., n]``, any real values; its ranks are exact, ties averaged.
        rank_fn: any ranker that needs no relevance. The default averages ties, so the value equals scipy's ``spearmanr``.
        item_weights: ``[..., n]``, the weights of the items in Pearson's correlation of the ranks.
        where, query_weights, reduction: see `rankbook.metrics`. A constant list has no correlation and is left out of the mean.

    >>> rb.spearman(torch.tensor([0.1, 0.3, 0.2]), torch.tensor([1.0, 2.0, 3.0]))
    tensor(0.5000)
    """
    scores, where = check_scores(scores, where)
    target = same_order(check_relevance(target, scores, where, name="target", exact=True), scores)
    weights, counted = _weights(item_weights, scores, where)
    ours = _centered(check_ranks("rank_fn", check_callable("rank_fn", rank_fn)(scores, where=where), scores, where), weights)
    theirs = _centered(exact_ranks(target, where=where, ties="average"), weights)
    spread, their_spread = (weights * ours.square()).sum(-1), (weights * theirs.square()).sum(-1)
    # constants are told from the input: the centered ranks of a long constant list are rounding errors, not zeros
    defined = _varies(scores, counted) & _varies(target, counted) & (spread > 0) & (their_spread > 0)
    values = (weights * ours * theirs).sum(-1) / (torch.where(defined, spread, 1.0).sqrt() * torch.where(defined, their_spread, 1.0).sqrt())
    return reduce_lists(clamp_through(values, -1, 1), defined, reduction, query_weights)


@full_precision
def kendall(
    scores: Tensor,
    target: Tensor,
    *,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Kendall's :math:`\tau_b`: concordant pairs minus discordant pairs, corrected for ties. To measure, not to train.

    .. math::
        \tau_b = \frac{\sum_{i<j} \mathrm{sgn}(s_i - s_j)\, \mathrm{sgn}(t_i - t_j)}
        {\sqrt{\#\{i<j : s_i \ne s_j\}\ \#\{i<j : t_i \ne t_j\}}}

    Args:
        scores, target, where: ``[..., n]``. The value equals scipy's ``kendalltau``.
        item_weights: ``[..., n]``; a pair counts by the product of its two weights (scipy's ``weightedtau(additive=False)``).
        query_weights, reduction: see `rankbook.metrics`. A constant list has no correlation and is left out of the mean.

    Cost: :math:`O(n^2)` time, :math:`O(n)` memory for each list.

    >>> rb.kendall(torch.tensor([0.1, 0.3, 0.2]), torch.tensor([1.0, 2.0, 3.0]))
    tensor(0.3333)
    """
    scores, where = check_scores(scores, where)
    target = same_order(check_relevance(target, scores, where, name="target", exact=True), scores)
    scores = same_order(scores, scores)  # small whole numbers: no difference overflows or vanishes
    weights, _ = _weights(item_weights, scores, where)
    exact = torch.int64 if item_weights is None else scores.dtype  # n^2 pairs are more than float32 can count
    agree, differ_s, differ_t = (torch.zeros(scores.shape[:-1], dtype=exact, device=scores.device) for _ in range(3))
    for i in range(scores.shape[-1] - 1):  # one item against those behind it
        pair = weights[..., i + 1 :] * weights[..., i : i + 1]
        s = torch.sign(scores[..., i + 1 :] - scores[..., i : i + 1])
        t = torch.sign(target[..., i + 1 :] - target[..., i : i + 1])
        agree = agree + (pair * s * t).sum(-1).to(exact)
        differ_s = differ_s + (pair * s.abs()).sum(-1).to(exact)
        differ_t = differ_t + (pair * t.abs()).sum(-1).to(exact)
    defined = (differ_s > 0) & (differ_t > 0)
    agree, differ_s, differ_t = (count.to(scores.dtype) for count in (agree, differ_s, differ_t))
    differ_s, differ_t = torch.where(defined, differ_s, 1.0), torch.where(defined, differ_t, 1.0)
    values = agree / differ_s * (differ_s / differ_t).sqrt()  # a product of two counts would overflow
    return reduce_lists(clamp_through(values, -1, 1), defined, reduction, query_weights)


def _weights(item_weights: Tensor | None, scores: Tensor, where: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The weight of each item ``[..., n]``, at most 1, 0 if it is absent; and the items that have one (None: all)."""
    if item_weights is None:
        return torch.ones_like(scores) if where is None else where.to(scores.dtype), where
    weights = shares_of_largest(check_item_weights(item_weights, scores, where), scores.dtype)
    return weights, weights > 0


def _centered(ranks: Tensor, weights: Tensor) -> Tensor:
    total = weights.sum(-1, keepdim=True)
    return ranks - (ranks * weights).sum(-1, keepdim=True) / or_one(total)


def _varies(values: Tensor, where: Tensor | None) -> Tensor:
    """Whether the present items differ."""
    if where is None:
        return values.amin(-1) < values.amax(-1)
    return values.masked_fill(~where, torch.inf).amin(-1) < values.masked_fill(~where, -torch.inf).amax(-1)
