"""From one value a list to the result."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import reads_values
from rankbook.types import Reduction


def reduce_lists(values: Tensor, defined: Tensor, reduction: Reduction) -> Tensor:
    """Turn one value a list into the result: the last line of every metric, also of yours.

    Args:
        values: ``[...]``, one number a list.
        defined: ``[...]``, False where the metric has no value (no positive).
        reduction: ``"mean"`` or ``"sum"`` over the defined lists, ``"none"`` (0 where undefined), or a callable
            ``(values, defined) -> Tensor``; `as_loss` passes one.

    Raises:
        ValueError: no list is defined and a mean or sum is asked for; an unknown reduction.

    >>> rb.reduce_lists(torch.tensor([0.5, 0.9, 1.0]), torch.tensor([True, False, True]), "mean")
    tensor(0.7500)
    """
    if callable(reduction):
        return reduction(values, defined)
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction must be "mean", "sum", "none" or a callable (values, defined), got {reduction!r}')
    values = torch.where(defined, values, 0.0)
    if reduction == "none":
        return values
    if reads_values(defined) and not defined.any():
        raise ValueError(
            "relevance has no positive in any list (or, for a correlation, each list of scores or target is constant), "
            "so there is nothing to average; drop such lists or use reduction='none'"
        )
    return values.sum() / defined.sum() if reduction == "mean" else values.sum()
