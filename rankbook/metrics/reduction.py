"""From one value a list to the result."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_query_weights, reads_values
from rankbook.metrics.weights import or_one, shares_of_largest
from rankbook.types import Reduction


def reduce_lists(values: Tensor, defined: Tensor, reduction: Reduction, query_weights: Tensor | None = None) -> Tensor:
    """Turn one value a list into the result: the last line of every metric, also of yours.

    Args:
        values: ``[...]``, one number a list.
        defined: ``[...]``, False where the metric has no value (no positive).
        reduction: ``"mean"`` or ``"sum"`` over the defined lists, ``"none"`` (0 where undefined), or a callable
            ``(values, defined) -> Tensor``; `as_loss` passes one. With ``query_weights`` it is called
            ``(values, defined, query_weights)``.
        query_weights: ``[...]``, what each list counts in the mean and in the sum: a mean is weighted, a list of weight 0 is not
            there, one of weight 2 is there twice. ``"none"`` leaves the values as they are.

    Raises:
        ValueError: no list is defined (and has a weight) and a mean or sum is asked for; an unknown reduction; weights that are
            negative, not finite, or not one for each list.

    >>> rb.reduce_lists(torch.tensor([0.5, 0.9, 1.0]), torch.tensor([True, False, True]), "mean")
    tensor(0.7500)
    >>> rb.reduce_lists(torch.tensor([0.5, 1.0]), torch.tensor([True, True]), "mean", torch.tensor([3, 1]))
    tensor(0.6250)
    """
    weights = None if query_weights is None else check_query_weights(query_weights, values)
    if callable(reduction):
        return reduction(values, defined) if weights is None else reduction(values, defined, weights)
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction must be "mean", "sum", "none" or a callable (values, defined), got {reduction!r}')
    if reduction == "none":
        return torch.where(defined, values, 0.0)
    counted = with_weight(defined, weights)
    if reads_values(counted) and not counted.any():
        raise ValueError(
            "relevance has no positive in any list (or, for a correlation, each list of scores or target is constant), or "
            "item_weights or query_weights are 0 there, so there is nothing to average; drop such lists or use reduction='none'"
        )
    return over_lists(values, defined, weights, mean=reduction == "mean")


def with_weight(defined: Tensor, weights: Tensor | None) -> Tensor:
    """The lists that a mean or a sum is over."""
    return defined if weights is None else defined & (weights > 0)


def over_lists(values: Tensor, defined: Tensor, weights: Tensor | None, *, mean: bool) -> Tensor:
    """Mean or sum over the defined lists, weighted; 0 if there is none."""
    values = torch.where(defined, values, 0.0)
    if weights is None or weights.numel() == 0:
        return values.sum() / defined.sum().clamp(min=1) if mean else values.sum()
    weights = torch.where(defined, weights, 0)
    if not mean:
        return (weights.to(values.dtype) * values).sum()
    shares = shares_of_largest(weights.reshape(-1), values.dtype)
    total = shares.sum()
    return (shares * values.reshape(-1)).sum() / or_one(total)
