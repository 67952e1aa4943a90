"""Checks of lists: scores, relevance, mask and weights together."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks.tensors import check_device, check_finite, check_floating, check_not_negative, check_tensor


def check_where(where: Tensor | None, scores: Tensor, *, name: str = "scores") -> Tensor | None:
    """Return the mask of present items broadcast to the shape of the scores."""
    if where is None:
        return None
    where = check_tensor("where", where)
    if where.dtype != torch.bool:
        raise TypeError(f"where must be a boolean mask (True = the item is in the list), got {where.dtype}; try where.bool()")
    check_device("where", where, name, scores)
    try:
        return where.expand(scores.shape)
    except RuntimeError:
        raise ValueError(f"where must broadcast to the shape of {name} {tuple(scores.shape)}, got {tuple(where.shape)}") from None


def check_scores(scores: Tensor, where: Tensor | None = None, *, name: str = "scores") -> tuple[Tensor, Tensor | None]:
    """Return scores that are safe to compute with, and the mask in their shape.

    Half precision becomes float32. Items outside ``where`` are set to 0, so that whatever stood there (NaN padding, say)
    reaches neither the result nor the gradient.
    """
    scores = check_floating(name, scores)
    if scores.dim() == 0 or scores.shape[-1] == 0:
        raise ValueError(f"{name} must have shape [..., n] with at least one item, got {tuple(scores.shape)}")
    where = check_where(where, scores, name=name)
    check_finite(name, scores, where, advice=", or leave the item out with `where`")
    if where is not None:
        scores = scores.masked_fill(~where, 0.0)
    return scores, where


def check_relevance(
    relevance: Tensor,
    scores: Tensor,
    where: Tensor | None,
    *,
    name: str = "relevance",
    exact: bool = False,
    shape: str = "the shape of scores {}, got {}; one entry for each item",
) -> Tensor:
    """Return the relevance in the dtype and shape of ``scores``, 0 outside ``where``.

    ``exact`` keeps every value (half precision becomes float32, booleans and integers int64), for those who compare or subtract:
    a cast to float32 ties integers beyond 2^24, seconds for example.
    """
    relevance = check_tensor(name, relevance)
    try:
        if relevance.shape[-1:] != scores.shape[-1:]:  # a column [b, 1] would broadcast in silence
            raise RuntimeError
        relevance = relevance.expand(scores.shape)
    except RuntimeError:
        raise ValueError(f"{name} must have " + shape.format(tuple(scores.shape), tuple(relevance.shape))) from None
    check_device(name, relevance, "scores", scores)
    if relevance.is_floating_point():
        check_finite(name, relevance, where)
    if not exact:
        relevance = relevance.to(scores.dtype)
    elif not relevance.is_floating_point():
        relevance = relevance.long()
    elif relevance.itemsize < 4:
        relevance = relevance.float()
    return relevance if where is None else relevance.masked_fill(~where, 0)


def check_lists(scores: Tensor, relevance: Tensor, where: Tensor | None, *, exact: bool = False) -> tuple[Tensor, Tensor, Tensor | None]:
    """Check scores, non-negative relevance and mask together, as every metric needs them."""
    scores, where = check_scores(scores, where)
    relevance = check_relevance(relevance, scores, where, exact=exact)
    check_not_negative("relevance", relevance, "0 = irrelevant")
    return scores, relevance, where


def check_item_weights(weights: Tensor, scores: Tensor, where: Tensor | None) -> Tensor:
    """Return the weights of the items in the shape of the scores, exact, 0 outside ``where``, as constants."""
    weights = check_relevance(weights, scores, where, name="item_weights", exact=True)
    check_not_negative("item_weights", weights, "0 = counts for nothing")
    return weights.detach()


def check_query_weights(weights: Tensor, values: Tensor) -> Tensor:
    """Return the weights of the lists in the shape of their ``values`` ``[...]``, exact, as constants."""
    shape = "one entry for each list, shape {}, got {}; the leading axes of the scores"
    weights = check_relevance(weights, values, None, name="query_weights", exact=True, shape=shape)
    check_not_negative("query_weights", weights, "0 = counts for nothing")
    return weights.detach()
