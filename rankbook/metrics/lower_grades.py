"""For each item of a list, the sum over the items ahead of the lower of the two grades: what exact ranks make of an H-rank."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from rankbook.ranks.spacing import on_host, running_sums


def lower_grades_ahead(ranks: Tensor, grades: Tensor, share: float) -> Tensor:
    """From exact ranks ``[lists, n]``: an item ahead counts the lower of the two grades, a tied one a ``share`` of it, itself its grade.

    Within a tie the items stand in the order of their grades: then the lower grade of two is that of the earlier one, and a tie is
    two sums. Cost: O(n log n).
    """
    n = ranks.shape[-1]
    levels = max(1, (n - 1).bit_length())
    grade_place = _inverse(_argsort(grades))
    order = _argsort(ranks.long() * n + grade_place)  # without their halves the ranks of two ties still differ
    r, g = ranks.gather(-1, order), grades.gather(-1, order)
    missing = (1 << levels) - n  # behind the list, above all grades: ahead of nobody
    places = pad(grade_place.gather(-1, order), (0, missing))
    places[..., n:] = torch.arange(n, 1 << levels, device=places.device)
    counts = _lower_before(pad(g, (0, missing)), places, levels)[..., :n] + g
    place = torch.arange(n, dtype=r.dtype, device=r.device)
    if share == 1:  # the rank is the last place of the tie, or the items are in a total order
        return torch.empty_like(g).scatter_(-1, order, counts + g * (r - 1 - place))
    new = pad(r[..., 1:] != r[..., :-1], (1, 0), value=True)
    start = torch.where(new, place, 0).cummax(-1).values
    before = running_sums(g)[..., :-1]
    of_tie = before - before.gather(-1, start.long())
    counts -= (1 - share) * of_tie
    if share > 0:  # the rank is the middle of the tie
        counts += share * g * (2 * (r - 1) - start - place)
    return torch.empty_like(g).scatter_(-1, order, counts)


def _lower_before(grades: Tensor, places: Tensor, levels: int) -> Tensor:
    """The sum over the items i < p of min(g_i, g_p), for all p: ``[lists, 2^levels]``.

    ``places`` are those of the items in the order of their grades, a permutation. Two items part at the highest bit in which their
    places differ: there the one with 0 is the lower. So the list is parted by one bit after the other, its order kept, and in each
    part running sums meet each pair once.
    """
    shape = grades.shape
    sums, at = torch.zeros_like(grades), places
    for level in reversed(range(levels)):
        size = 2 << level
        g, q, s = (x.view(-1, size) for x in (grades, at, sums))
        high = (q >> level) & 1
        highs_before = high.cumsum(-1) - high
        lower = g.masked_fill(high.bool(), 0)
        s = s + torch.where(high.bool(), lower.cumsum(-1) - lower, highs_before * g)
        target = torch.where(high.bool(), size // 2 + highs_before, torch.arange(size, device=q.device) - highs_before)
        grades, at, sums = (torch.empty_like(x).scatter_(-1, target, x).view(shape) for x in (g, q, s))
    return sums.gather(-1, places)


def _argsort(values: Tensor) -> Tensor:
    if on_host(values):  # several times faster than torch
        return torch.from_numpy(np.argsort(values.numpy(), axis=-1))
    return values.argsort(dim=-1)


def _inverse(order: Tensor) -> Tensor:
    places = torch.arange(order.shape[-1], device=order.device).expand(order.shape)
    return torch.empty_like(order).scatter_(-1, order, places)
