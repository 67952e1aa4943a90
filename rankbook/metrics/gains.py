"""Metrics of graded gains that a discount shrinks with the rank: DCG and NDCG."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from rankbook.checks import check_choice, check_count, check_item_weights, check_lists, check_not_negative, check_relevance, reads_values
from rankbook.metrics.cutoff import within_top_k
from rankbook.metrics.ranking import clamp_through, rank_items, worst_order
from rankbook.metrics.reduction import reduce_lists
from rankbook.metrics.weights import or_one, shares_of_largest
from rankbook.precision import full_precision
from rankbook.types import RankFn, Reduction

#: What a grade gains: 2^rel - 1, rel, or a function of the relevance.
Gain = Literal["exponential", "linear"] | Callable[[Tensor], Tensor]


@full_precision
def ndcg(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int | None = None,
    gain: Gain = "exponential",
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Normalized discounted cumulative gain: graded relevance, discounted by the logarithm of the rank.

    .. math:: \mathrm{NDCG} = \frac{\sum_i (2^{\mathrm{rel}_i} - 1) / \log_2(1 + r_i)}{\sum_i (2^{\mathrm{rel}_i} - 1) / \log_2(1 + r^*_i)}

    where :math:`r^*` are the ranks of the ideal order.

    Args:
        scores, relevance, where: ``[..., n]``; grades of any size, hundreds too: gains are scaled within each list.
        k: count only the top k (None: the whole list).
        gain: ``"exponential"`` is :math:`2^{\mathrm{rel}} - 1`, the usual choice; ``"linear"`` is the grade itself, as in
            ``trec_eval``, torchmetrics, and scikit-learn's ``ndcg_score``; or a function from the relevance to gains >= 0 in its
            shape. An item of relevance 0 gains nothing.
        tau_rank: softness of the cut at k, as in `recall_at_k`.
        item_weights: multiply the gains, those of the ideal order too.
        rank_fn, query_weights, reduction: see `rankbook.metrics`.

    >>> rb.ndcg(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 2, 0]))
    tensor(0.7967)
    >>> rb.ndcg(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 2, 0]), gain="linear")
    tensor(0.8597)
    """
    share, ideal, _ = _share_of_ideal(scores, relevance, k, gain, tau_rank, rank_fn, where, item_weights)
    return reduce_lists(share, ideal > 0, reduction, query_weights)


@full_precision
def dcg(
    scores: Tensor,
    relevance: Tensor,
    *,
    k: int | None = None,
    gain: Gain = "exponential",
    tau_rank: float | None = None,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Discounted cumulative gain: what `ndcg` divides by its best value. The one metric here whose best value is not 1.

    .. math:: \mathrm{DCG} = \sum_i \frac{2^{\mathrm{rel}_i} - 1}{\log_2(1 + r_i)}

    It lies between 0 and the DCG of the ideal order, whatever ranks the ranker says, and a list with large grades outweighs
    the others in the mean. To compare lists, or to train, take `ndcg`.

    Arguments as in `ndcg`; ``item_weights`` multiply the gains as they are.

    Raises:
        ValueError: gains beyond the numbers of the scores' dtype, such as :math:`2^{200}` in float32.

    >>> rb.dcg(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 2, 0]))
    tensor(2.8928)
    """
    share, ideal, unit = _share_of_ideal(scores, relevance, k, gain, tau_rank, rank_fn, where, item_weights)
    best = ideal * unit
    if reads_values(best) and not best.isfinite().all():
        raise ValueError(
            f"relevance has gains that overflow {best.dtype}: grades up to {relevance.max().item():g}; "
            'take gain="linear", scores.double(), or ndcg, which scales the gains'
        )
    return reduce_lists(share * best, ideal > 0, reduction, query_weights)


def _share_of_ideal(
    scores: Tensor,
    relevance: Tensor,
    k: int | None,
    gain: Gain,
    tau_rank: float | None,
    rank_fn: RankFn,
    where: Tensor | None,
    item_weights: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """NDCG ``[...]``, and the best DCG in two factors that do not overflow: its value for scaled gains, and the scale."""
    k = None if k is None else check_count("k", k)
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    counted, weights, unit = relevance, None, 1.0
    if item_weights is not None:
        exact = check_item_weights(item_weights, scores, where)
        counted = torch.where(exact > 0, relevance, 0)  # the scale is that of the grades that count
        exact = torch.where(counted > 0, exact, 0)
        weights, unit = shares_of_largest(exact, scores.dtype), exact.amax(-1).to(scores.dtype)
    gains, of_gains = list_gains(counted, gain, scores, where)
    if weights is not None:
        gains = gains * weights
    ranks = rank_items(rank_fn, scores, relevance, where)
    discounted = gains / torch.log2(1 + ranks)
    ideal_ranks = torch.arange(1, gains.shape[-1] + 1, dtype=gains.dtype, device=gains.device)
    ideal = gains.sort(-1, descending=True).values / torch.log2(1 + ideal_ranks)
    if k is not None:
        discounted = discounted * within_top_k(ranks, k, tau_rank)
        ideal = ideal[..., :k]
    ideal = ideal.sum(-1)
    return clamp_through(discounted.sum(-1) / or_one(ideal), 0, 1), ideal, of_gains * unit


def list_gains(relevance: Tensor, gain: Gain, scores: Tensor, where: Tensor | None) -> tuple[Tensor, Tensor]:
    """Gains ``[..., n]`` in units of their list, and the units ``[...]``."""
    if callable(gain):
        grade = relevance.to(torch.promote_types(relevance.dtype, scores.dtype))
        gains = check_relevance(gain(grade), scores, where, name="gain(relevance)", exact=True)
        check_not_negative("gain(relevance)", gains, "0 = gains nothing")
        gains = torch.where(relevance > 0, gains, 0)
    elif check_choice("gain", gain, ("exponential", "linear")) == "linear":
        gains = relevance
    else:
        return _exponential(relevance, scores.dtype)
    return shares_of_largest(gains, scores.dtype), gains.amax(-1).to(scores.dtype)


def _exponential(relevance: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """2^rel - 1 in units in which no grade overflows: 2^m for the largest grade m, its gain if m < 1; and the units.

    The grade is taken from the largest before any cast. Whole grades keep all of their bits, and tiny ones their digits.
    """
    largest = relevance.amax(-1, keepdim=True)
    wide = relevance.dtype if relevance.is_floating_point() else dtype
    below, grade, most = (x.to(wide) for x in (relevance - largest, relevance, largest))
    tiny = _power_of_two(below) * -torch.expm1(-math.log(2) * grade)  # 2^(rel - m) (1 - 2^-rel) does not cancel
    gain = torch.where(grade < 1, tiny, _power_of_two(below) - _power_of_two(-most))
    part = torch.where((most > 0) & (most < 1), -torch.expm1(-math.log(2) * most), 1.0)
    return (gain / part).to(dtype), (_power_of_two(most) * part).squeeze(-1).to(dtype)


def _power_of_two(x: Tensor) -> Tensor:
    """2^x, exact for whole x. torch rounds exp2 of other numbers one way in a vector and another way in what is left over of one,
    so that the value of a list would depend on the lists beside it."""
    whole = x.floor()
    return torch.exp2(whole) * torch.exp(math.log(2) * (x - whole))
