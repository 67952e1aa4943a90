"""What stands between a ranker and a formula: one call, its result checked, ranks and shares kept in their range."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from rankbook.checks import check_callable, check_finite
from rankbook.ranks.exact import exact_ranks
from rankbook.types import RankFn

#: How metrics measure: a list with ties is worth its worst order, so that nobody gains from constant scores.
worst_order = partial(exact_ranks, ties="worst")

#: Half a place above the first: learned sorters err so far, and a formula divides by no less.
_BEST_RANK = 0.5


def rank_items(rank_fn: RankFn, scores: Tensor, relevance: Tensor | None, where: Tensor | None) -> Tensor:
    """Ranks ``[..., n]`` for a formula that divides by them: checked (see `check_ranks`) and at least 1/2 (see `clamp_through`)."""
    ranks = check_callable("rank_fn", rank_fn)(scores, relevance, where=where)
    return clamp_through(check_ranks("rank_fn", ranks, scores, where), low=_BEST_RANK)


def check_ranks(name: str, ranks: Tensor, scores: Tensor, where: Tensor | None) -> Tensor:
    """Return what the ranker ``name`` said about the scores in their dtype, 1 for items outside ``where``.

    Raises: TypeError if it is no tensor; ValueError if its shape is not that of the scores or a rank is not finite.
    """
    if not isinstance(ranks, Tensor):
        raise TypeError(f"{name} must return a torch.Tensor of ranks, got {type(ranks).__name__}")
    if ranks.shape != scores.shape:
        raise ValueError(
            f"{name} must return one rank for each score, shape {tuple(scores.shape)}, got {tuple(ranks.shape)}; "
            "write a ranker for scores [..., n], whose last axis is the list"
        )
    check_finite(f"{name}(scores)", ranks, where)
    ranks = ranks.to(scores.dtype)
    return ranks if where is None else ranks.masked_fill(~where, 1.0)  # whatever it says there reaches no value and no gradient


def rank_among(rank_fn: RankFn, scores: Tensor, subset: Tensor) -> Tensor:
    """Ranks among the items of ``subset`` ``[..., n]``, which count as equally relevant."""
    return rank_items(rank_fn, scores, subset, subset)


def clamp_through(values: Tensor, low: float, high: float | None = None) -> Tensor:
    """The values within [low, high], with the gradient of the values as they were.

    Soft and learned ranks may leave their range by their error, and a share would exceed 1. What is cut off here is an error of
    the estimate, not a goal that is reached: the way back stays open. Values inside keep their bits.
    """
    if not torch.is_grad_enabled():
        return values.clamp(low, high)
    fixed = values.detach()
    return fixed.clamp(low, high) + (values - fixed)  # plus zero, whose gradient is that of the values
