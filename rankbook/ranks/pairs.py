"""All pairs of a list, a block at a time: what a sum over pairs needs, in memory that grows with n only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

#: Pairs computed at a time: 1 MiB of float32, which stays in the cache and bounds the extra memory.
BLOCK = 1 << 18
#: Pairs of a call that may be kept for its backward pass: 8 MiB of float64.
KEPT = 1 << 20


def blocks_at_once(device: torch.device) -> int:
    """So many blocks make one on this device: to start a kernel on a GPU costs more than a cache saves."""
    return 1 if device.type == "cpu" else 64


def leads(
    columns: Tensor, rows: Tensor, scale: float = 1.0, *, of_pair: Callable[..., Tensor] = torch.sub, size: int | None = None
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield scale * (s_j - s_k) for the columns j ``[lists, n]`` and the rows k ``[lists, m]`` in blocks [lists, rows, n].

    A block holds several whole lists while they are short, some rows of one list when it is long; the blocks of a list come
    one after the other. All blocks share one buffer: it is overwritten by the next. ``of_pair`` takes the place of the difference.
    """
    n, m = columns.shape[1], rows.shape[1]
    size = (size or BLOCK) * blocks_at_once(columns.device)
    lists = min(max(1, size // (m * n)), len(columns))
    height = m if lists > 1 else min(max(1, size // n), m)
    buffer = torch.empty(lists, height, n, dtype=columns.dtype, device=columns.device)
    for start in range(0, len(columns), lists):
        part, part_rows = columns[start : start + lists], rows[start : start + lists]
        for first in range(0, m, height):
            block = part_rows[:, first : first + height]
            lead = of_pair(part.unsqueeze(-2), block.unsqueeze(-1), out=buffer[: len(part), : block.shape[1]])
            yield slice(start, start + lists), slice(first, first + height), lead if scale == 1 else lead.mul_(scale)


def count(columns: Tensor, rows: Tensor, scale: float, sums: Callable[[Tensor], Tensor]) -> Tensor:
    """The ``sums`` of a step over the columns ``[lists, n]``, for each of the rows: [lists, m]."""
    counts = torch.empty_like(rows)
    for lists, block, lead in leads(columns, rows, scale):
        counts[lists, block] = sums(lead)
    return counts


def count_exactly(columns: Tensor, rows: Tensor) -> Tensor:
    """How many of the columns ``[lists, n]`` reach each of the rows: [lists, m]. The step H itself, from the scores, not their leads."""
    counts = torch.empty_like(rows)
    for lists, block, reached in leads(columns, rows, of_pair=torch.ge):  # not boolean: floats are summed several times faster
        counts[lists, block] = reached.sum(-1)
    return counts
