"""The items of a list, sorted and placed on a line: what the rankers that sort have in common."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from rankbook.precision import transformed, wide


def best_first(scores: Tensor, where: Tensor | None) -> Tensor:
    """The order ``[..., n]`` from the highest score down, absent items last."""
    scores = scores.detach()
    if where is not None:
        scores = scores.masked_fill(~where, -torch.inf)
    if on_host(scores):  # numpy sorts with vector instructions, several times faster than torch
        return torch.from_numpy(np.argsort(-scores.numpy(), axis=-1))
    return scores.argsort(dim=-1, descending=True)


def on_host(tensor: Tensor) -> bool:
    """Whether numpy may look at the tensor."""
    return tensor.device.type == "cpu" and not (torch.compiler.is_compiling() or transformed())


def shared_places(scores: Tensor, where: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The first and the last place of the ties of each sorted item ``[..., n]``, from 1, in the dtype of the scores; and the order."""
    order = best_first(scores, where)
    s = scores.gather(-1, order)
    if where is not None:
        s = s.masked_fill_(~where.gather(-1, order), -torch.inf)
    n = s.shape[-1]
    if not on_host(s):
        ascending = s.neg_().contiguous()
        first, last = (torch.searchsorted(ascending, ascending, right=right).to(s.dtype) for right in (False, True))
        return first + 1, last, order
    line, places = s.numpy(), np.arange(1, n + 1, dtype=np.float32 if s.dtype == torch.float32 else np.float64)
    tied = line[..., 1:] == line[..., :-1]
    if where is not None:
        tied &= line[..., 1:] > -np.inf  # absent items are no tie
    if not tied.any():
        both = torch.from_numpy(places).expand(s.shape)
        return both, both, order
    first, last = np.broadcast_to(places, line.shape).copy(), np.broadcast_to(places, line.shape).copy()
    first[..., 1:][tied] = 0
    last[..., :-1][tied] = n + 1
    first = np.maximum.accumulate(first, axis=-1)
    last = np.minimum.accumulate(last[..., ::-1], axis=-1)[..., ::-1].copy()
    return torch.from_numpy(first), torch.from_numpy(last), order


def average_ranks(scores: Tensor, where: Tensor | None) -> Tensor:
    """As ``exact_ranks(ties="average")``, without its checks; those of absent items are not read."""
    first, last, order = shared_places(scores, where)
    return to_items(first if first is last else (first + last) / 2, order, scores.dtype)


def mixing_cap(dtype: torch.dtype) -> float:
    """A gap, in units of tau, that parts two items of a softmax: e^(-cap / 2) is 0 in this dtype, or below its normal numbers."""
    return -2 * math.log(torch.finfo(dtype).tiny)


def place_on_line(scores: Tensor, where: Tensor | None, unit: float | Tensor, cap: float) -> tuple[Tensor, Tensor]:
    """Return the order, best first, and how far down the line each item of it stands: ``[..., n]`` in units, float64 (`wide`), from 0 up.

    No gap is longer than ``cap``, and the absent items stand a cap apart behind the list. With a cap beyond which items do
    not interact the ranks stay the same, and neither a score of 1e30 nor padding can spoil the digits of the others.
    Differentiable in the scores.
    """
    order = best_first(scores, where)
    s = scores.gather(-1, order).to(wide(scores.device))
    gaps = (s[..., :-1] - s[..., 1:]).div_(unit).clamp(max=cap)
    if where is not None:
        gaps = torch.where(where.gather(-1, order)[..., 1:], gaps, cap)
    return order, running_sums(gaps)


def running_sums(values: Tensor) -> Tensor:
    """Sums of the first 0, 1, ... n values: ``[..., n + 1]``."""
    return pad(values.cumsum(-1), (1, 0))


def to_items(values: Tensor, order: Tensor, dtype: torch.dtype) -> Tensor:
    """Hand the values of the sorted items back to the items."""
    return torch.zeros_like(values, dtype=dtype).scatter(-1, order, values.to(dtype))
