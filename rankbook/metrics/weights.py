"""What the items of a list are worth: the one place where item weights enter a formula of positives."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_item_weights, check_lists


def check_worth(
    scores: Tensor, relevance: Tensor, where: Tensor | None, item_weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
    """The checked scores, the positives, the mask, and what each item is worth ``[..., n]``.

    A positive is worth 1 (the mask of the positives says it, which is quick), or its weight as a share of the largest weight of a
    positive in its list; the rest is worth 0. So only the ratios of the weights matter, and equal weights change nothing.
    """
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    positive = relevance > 0
    if item_weights is None:
        return scores, positive, where, positive
    weights = check_item_weights(item_weights, scores, where)
    return scores, positive, where, shares_of_largest(torch.where(positive, weights, 0), scores.dtype)


def shares_of_largest(weights: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights or grades in [0, 1], divided by the largest of each list: no sum of them overflows."""
    largest = weights.amax(-1, keepdim=True)
    wide = weights.dtype if weights.is_floating_point() else dtype
    return (weights.to(wide) / torch.where(largest > 0, largest, 1).to(wide)).to(dtype)


def of_positives(values: Tensor, worth: Tensor) -> Tensor:
    """The values times what their items are worth, 0 at the others, whatever stands there."""
    return torch.where(worth, values, 0.0) if worth.dtype == torch.bool else torch.where(worth > 0, values * worth, 0.0)


def share_found(values: Tensor, worth: Tensor, most: Tensor | None = None) -> Tensor:
    """Of the worth of the positives (or of the ``most`` that can be found), the share that the values find: a weighted mean."""
    most = worth.sum(-1) if most is None else most
    return of_positives(values, worth).sum(-1) / or_one(most)


def or_one(value: Tensor) -> Tensor:
    """The value, or 1 in the place of 0: what divides."""
    return torch.where(value > 0, value, 1)


def most_in(k: int, worth: Tensor, item_weights: Tensor | None) -> Tensor:
    """The most that k places can hold: the worth of the k best, which is min(R, k) without weights."""
    if item_weights is None:
        return worth.sum(-1).clamp(max=k)
    return worth.topk(min(k, worth.shape[-1]), dim=-1).values.sum(-1)
