"""Rank correlation with a target: Spearman and Kendall."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from rankbook.checks import check_callable, check_relevance, check_scores
from rankbook.metrics.ranking import check_ranks, clamp_through
from rankbook.metrics.reduction import reduce_lists
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
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Spearman's rank correlation between scores and a target.

    .. math:: \rho = \mathrm{corr}(r(s), r(t))

    Pearson's correlation of the ranks; without ties it is :math:`1 - 6 \sum_i (r_i - t_i)^2 / (n (n^2 - 1))`.

    Args:
        scores: ``[..., n]``.
        target: ``[..., n]``, any real values; its ranks are exact, ties averaged.
        rank_fn: any ranker that needs no relevance. The default averages ties, so the value equals scipy's ``spearmanr``.
        where, reduction: see `rankbook.metrics`. A constant list has no correlation and is left out of the mean.

    >>> rb.spearman(torch.tensor([0.1, 0.3, 0.2]), torch.tensor([1.0, 2.0, 3.0]))
    tensor(0.5000)
    """
    scores, where = check_scores(scores, where)
    target = same_order(check_relevance(target, scores, where, name="target", exact=True), scores)
    present = torch.ones_like(scores) if where is None else where.to(scores.dtype)
    ours = _centered(check_ranks("rank_fn", check_callable("rank_fn", rank_fn)(scores, where=where), scores, where), present)
    theirs = _centered(exact_ranks(target, where=where, ties="average"), present)
    spread, their_spread = ours.square().sum(-1), theirs.square().sum(-1)
    # constants are told from the input: the centered ranks of a long constant list are rounding errors, not zeros
    defined = _varies(scores, where) & _varies(target, where) & (spread > 0) & (their_spread > 0)
    values = (ours * theirs).sum(-1) / (torch.where(defined, spread, 1.0).sqrt() * torch.where(defined, their_spread, 1.0).sqrt())
    return reduce_lists(clamp_through(values, -1, 1), defined, reduction)


@full_precision
def kendall(scores: Tensor, target: Tensor, *, where: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    r"""Kendall's :math:`\tau_b`: concordant pairs minus discordant pairs, corrected for ties. To measure, not to train.

    .. math::
        \tau_b = \frac{\sum_{i<j} \mathrm{sgn}(s_i - s_j)\, \mathrm{sgn}(t_i - t_j)}
        {\sqrt{\#\{i<j : s_i \ne s_j\}\ \#\{i<j : t_i \ne t_j\}}}

    Args:
        scores, target, where: ``[..., n]``. The value equals scipy's ``kendalltau``.
        reduction: see `rankbook.metrics`. A constant list has no correlation and is left out of the mean.

    Cost: :math:`O(n^2)` time, :math:`O(n)` memory for each list.

    >>> rb.kendall(torch.tensor([0.1, 0.3, 0.2]), torch.tensor([1.0, 2.0, 3.0]))
    tensor(0.3333)
    """
    scores, where = check_scores(scores, where)
    target = same_order(check_relevance(target, scores, where, name="target", exact=True), scores)
    scores = same_order(scores, scores)  # small whole numbers: no difference overflows or vanishes
    agree, differ_s, differ_t = (torch.zeros(scores.shape[:-1], dtype=torch.int64, device=scores.device) for _ in range(3))
    for i in range(scores.shape[-1] - 1):  # one item against those behind it
        s = torch.sign(scores[..., i + 1 :] - scores[..., i : i + 1])
        t = torch.sign(target[..., i + 1 :] - target[..., i : i + 1])
        if where is not None:
            both = where[..., i + 1 :] & where[..., i : i + 1]
            s, t = s * both, t * both
        agree = agree + (s * t).sum(-1).long()
        differ_s = differ_s + s.abs().sum(-1).long()
        differ_t = differ_t + t.abs().sum(-1).long()
    defined = (differ_s > 0) & (differ_t > 0)
    agree, differ_s, differ_t = (count.to(scores.dtype) for count in (agree, differ_s.clamp(min=1), differ_t.clamp(min=1)))
    values = agree / differ_s * (differ_s / differ_t).sqrt()  # a product of two counts would overflow
    return reduce_lists(clamp_through(values, -1, 1), defined, reduction)


def _centered(ranks: Tensor, present: Tensor) -> Tensor:
    mean = (ranks * present).sum(-1, keepdim=True) / present.sum(-1, keepdim=True).clamp(min=1)
    return (ranks - mean) * present


def _varies(values: Tensor, where: Tensor | None) -> Tensor:
    """Whether the present items differ."""
    if where is None:
        return values.amin(-1) < values.amax(-1)
    return values.masked_fill(~where, torch.inf).amin(-1) < values.masked_fill(~where, -torch.inf).amax(-1)
