"""All pairs of a list, a block at a time: what a sum over pairs needs, in memory that grows with n only."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

#: Pairs computed at a time: 1 MiB of float32, which stays in the cache and bounds the extra memory.
_PAIRS = 1 << 18


def leads(columns: Tensor, rows: Tensor, tau: float) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield (s_j - s_i) / tau for the columns j ``[lists, n]`` and the rows i ``[lists, m]`` in blocks [lists, rows, n].

    A block holds several whole lists while they are short, some rows of one list when it is long.
    All blocks share one buffer: it is overwritten by the next.
    """
    n, m = columns.shape[1], rows.shape[1]
    lists = min(max(1, _PAIRS // (m * n)), len(columns))
    height = m if lists > 1 else min(max(1, _PAIRS // n), m)
    buffer = torch.empty(lists, height, n, dtype=columns.dtype, device=columns.device)
    for start in range(0, len(columns), lists):
        part, part_rows = columns[start : start + lists], rows[start : start + lists]
        for first in range(0, m, height):
            block = part_rows[:, first : first + height]
            lead = buffer[: len(part), : block.shape[1]]
            torch.sub(part.unsqueeze(-2), block.unsqueeze(-1), out=lead)
            yield slice(start, start + lists), slice(first, first + height), lead.mul_(1 / tau)


def sigmoid_slope_(lead: Tensor) -> Tensor:
    r"""Overwrite x by :math:`\sigma'(x)`, down to the smallest normal number.

    The slope is even; at -\|x\| it keeps its digits when it is tiny. The clamp keeps :math:`\sigma^2` a normal number:
    arithmetic on subnormals is some fifty times slower.
    """
    slope = lead.abs_().clamp_(max=-0.5 * math.log(torch.finfo(lead.dtype).tiny)).neg_().sigmoid_()
    return slope.addcmul_(slope, slope, value=-1)


def present_weights(scores: Tensor, where: Tensor | None) -> Tensor | None:
    """The mask as numbers [lists, n], None if every item is there."""
    return None if where is None else where.reshape(-1, scores.shape[-1]).to(scores.dtype)


def weighted_sum(pairs: Tensor, weight: Tensor | None, lists: slice) -> Tensor:
    """Sum over the items j: [lists, rows, n] x [lists, n] -> [lists, rows]."""
    return pairs.sum(-1) if weight is None else (pairs @ weight[lists].unsqueeze(-1)).squeeze(-1)
