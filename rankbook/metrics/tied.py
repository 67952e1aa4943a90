"""Average precision of tied scores: over all orders of the tied items the worst, the mean and the best, from counts alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class TiedAP(NamedTuple):
    """AP of each list: the irrelevant first within each tie, the mean of all orders, the relevant first."""

    worst: Tensor
    mean: Tensor
    best: Tensor


def counts_by_level(levels: Tensor, relevance: Tensor, n: int, *, where: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """How many relevant items ``[..., n]``, and how many items ``[..., n]``, stand at each level.

    Args:
        levels: ``[..., items]``, whole numbers from 0, the nearest, to n - 1: such as Hamming distances.
        relevance: ``[..., items]``, 1 or 0.
        n: the number of levels; one more than the bits of a code.
        where: ``[..., items]``, which items count; None: all.

    >>> from rankbook.metrics.tied import counts_by_level
    >>> counts_by_level(torch.tensor([0, 2, 2]), torch.tensor([0, 1, 0]), 3)
    (tensor([0, 0, 1]), tensor([1, 0, 2]))
    """
    there = torch.ones_like(levels) if where is None else where.long()
    none = levels.new_zeros(*levels.shape[:-1], n)
    return none.scatter_add(-1, levels, relevance.long() * there), none.scatter_add(-1, levels, there)


def tied_average_precision(hits: Tensor, items: Tensor) -> TiedAP:
    r"""Average precision over the orders of tied items, in closed form.

    A tie of n items, r of them relevant, stands behind N items, R of them relevant. With :math:`H_k` the sum of 1/1 to 1/k, and
    c = (r - 1) / (n - 1), it adds to the mean of all orders

    .. math:: \frac{r}{n} \bigl(c n + (R + 1 - c (N + 1)) (H_{N + n} - H_N)\bigr)

    and to the best order :math:`r + (R - N)(H_{N + r} - H_N)`; to the worst the same behind N + n - r items. The sum over the ties is
    divided by the number of relevant items.

    Args:
        hits, items: ``[..., levels]``, the relevant items and all items at each level, the nearest first; see `counts_by_level`.

    Returns: three tensors ``[...]`` in float64.

    Cost: :math:`O(levels)` a list, and a table of as many harmonic numbers as the longest list has items.

    Raises:
        ValueError: more hits than items, or a list without a hit.

    Source: McSherry and Najork, "Computing information retrieval performance measures efficiently in the presence of tied scores"
    (ECIR 2008), for the mean.

    >>> from rankbook.metrics.tied import tied_average_precision
    >>> worst, mean, best = tied_average_precision(torch.tensor([1, 0]), torch.tensor([2, 3]))
    >>> worst.item(), mean.item(), best.item()
    (0.5, 0.75, 1.0)
    """
    if hits.shape != items.shape or (hits > items).any() or (hits < 0).any():
        raise ValueError(f"hits must be counts of the same shape as items and nowhere above them, got {[*hits.shape]}, {[*items.shape]}")
    r, n = hits.double(), items.double()
    relevant = r.sum(-1)
    if (relevant == 0).any():
        raise ValueError("hits must have a relevant item in every list, got a list without one: its average precision is undefined")
    before, ahead = n.cumsum(-1) - n, r.cumsum(-1) - r
    longest = int(items.sum(-1).max())
    table = torch.cat([n.new_zeros(1), (1 / torch.arange(1, longest + 1, dtype=n.dtype, device=n.device)).cumsum(0)])

    def harmonic(start: Tensor, length: Tensor) -> Tensor:
        return table[(start + length).long()] - table[start.long()]

    def relevant_after(start: Tensor) -> Tensor:
        """All r in a row behind ``start`` items."""
        return r + (ahead - start) * harmonic(start, r)

    c = (r - 1) / (n - 1).clamp(min=1)
    mean = r / n.clamp(min=1) * (c * n + (ahead + 1 - c * (before + 1)) * harmonic(before, n))
    parts = (relevant_after(before + n - r), mean, relevant_after(before))
    return TiedAP(*(part.sum(-1) / relevant for part in parts))
