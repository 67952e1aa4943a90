"""What every public function asks of its input, and what it says when it does not get it."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def check_tensor(name: str, value: Tensor) -> Tensor:
    """Return ``value`` if it is a tensor; the error says how to make one."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}; try torch.as_tensor({name})")
    return value


def check_finite(name: str, value: Tensor, where: Tensor | None = None) -> None:
    """Raise a ValueError that names the first NaN or infinity of ``value`` (entries outside ``where`` are not looked at)."""
    if where is None and math.isfinite(value.sum().item()):
        return  # one quick pass; a sum of finite numbers that overflows goes on to the exact look
    bad = ~torch.isfinite(value) if where is None else where & ~torch.isfinite(value)
    if bad.any():
        index = tuple(bad.nonzero()[0].tolist())
        raise ValueError(
            f"{name} must be finite, but {name}[{', '.join(map(str, index))}] is {value[index].item()}; "
            "look for a division by zero or an overflow upstream, or leave the item out with `where`"
        )


def check_positive(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number above 0."""
    if isinstance(value, Tensor) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be a finite number above 0, got {value!r}")
    return float(value)


def check_where(where: Tensor | None, shape: torch.Size) -> Tensor | None:
    """Return the mask of present items broadcast to ``shape``."""
    if where is None:
        return None
    check_tensor("where", where)
    if where.dtype != torch.bool:
        raise TypeError(f"where must be a boolean mask (True = the item is in the list), got {where.dtype}; try where.bool()")
    try:
        return where.expand(shape)
    except RuntimeError:
        raise ValueError(f"where must broadcast to the shape of scores {tuple(shape)}, got {tuple(where.shape)}") from None


def check_scores(scores: Tensor, where: Tensor | None = None, *, name: str = "scores") -> tuple[Tensor, Tensor | None]:
    """Return scores that are safe to compute with, and the mask in their shape.

    Half precision becomes float32. Items outside ``where`` are set to 0, so that whatever stood there (NaN padding, say)
    reaches neither the result nor the gradient.
    """
    check_tensor(name, scores)
    if not scores.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {scores.dtype}; try {name}.float()")
    if scores.dim() == 0 or scores.shape[-1] == 0:
        raise ValueError(f"{name} must have shape [..., n] with at least one item, got {tuple(scores.shape)}")
    where = check_where(where, scores.shape)
    check_finite(name, scores, where)
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    if where is not None:
        scores = torch.where(where, scores, 0.0)
    return scores, where


def check_relevance(relevance: Tensor, scores: Tensor, where: Tensor | None, *, name: str = "relevance") -> Tensor:
    """Return the relevance in the dtype and shape of ``scores``, 0 outside ``where``."""
    check_tensor(name, relevance)
    try:
        if relevance.shape[-1:] != scores.shape[-1:]:  # a column [b, 1] would broadcast in silence
            raise RuntimeError
        relevance = relevance.expand(scores.shape)
    except RuntimeError:
        raise ValueError(
            f"{name} must have the shape of scores {tuple(scores.shape)}, got {tuple(relevance.shape)}; one entry for each item"
        ) from None
    if relevance.is_complex():
        raise TypeError(f"{name} must be real (bool, integer or floating point), got {relevance.dtype}")
    if relevance.device != scores.device:
        raise ValueError(f"{name} is on {relevance.device}, scores on {scores.device}; move one of them")
    if relevance.is_floating_point():
        check_finite(name, relevance, where)
    relevance = relevance.to(scores.dtype)
    return relevance if where is None else torch.where(where, relevance, 0.0)


def check_lists(scores: Tensor, relevance: Tensor, where: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Check scores, non-negative relevance and mask together, as every metric needs them."""
    scores, where = check_scores(scores, where)
    relevance = check_relevance(relevance, scores, where)
    if (relevance < 0).any():
        index = tuple((relevance < 0).nonzero()[0].tolist())
        raise ValueError(
            f"relevance must be >= 0 (0 = irrelevant), but relevance[{', '.join(map(str, index))}] is {relevance[index].item():g}"
        )
    return scores, relevance, where
