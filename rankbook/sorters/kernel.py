"""Counting with a learned kernel, as wide as the gaps around each item."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from rankbook.checks import check_count, check_positive
from rankbook.sorters.sorter import Sorter, standardize

_NEIGHBORS = (1, 2, 4, 8, 16)  # spacings are measured over so many neighbors on each side
_NARROWEST = 1e-4  # in standard deviations: tied items have no spacing, and their step must not become a cliff


class KernelSorter(Sorter):
    r"""Count the items above item *i*, each by a learned step whose width follows from the gaps around the two items.

    .. math::
        r_i = \tfrac12 + \sum_j F\!\left(\frac{z_j - z_i}{\sqrt{w_i w_j}}\right), \qquad
        F(u) = \tfrac12 + \frac{u}{2 \, (1 + |u|^p)^{1/p}}

    The scores are standardized (z); :math:`w_i` is the spacing of the four nearest items on each side, times a factor that a
    small network reads off the spacings over 1, 2, 4, 8 and 16 neighbors. Where items are dense the step is sharp, in the
    tails it is wide: the error is small everywhere and the gradient reaches everybody, which no fixed width can do.

    Args:
        hidden: width of the network.
        width: the factor before training, the same for all items. Smaller is closer to the exact ranks, with a gradient that
            reaches less far. A new sorter with p close to 2 is a good ranker already, at any scale of the scores.

    Any number of items, equivariant, exact under ``where``; the ranks sum to n (n + 1) / 2, and lie in (1/2, n + 1/2).
    The widths and the deviation are constants for the gradient, so it is not the derivative of the ranks to the last digit:
    it answers how the ranks change at the present widths.

    Cost: :math:`O(n^2)` time and memory for each list.

    Source: ours; a fixed width gives the counting of `sigmoid_ranks`.

    >>> sorter = rb.load_sorter("kernel")
    >>> sorter(torch.tensor([0.2, 0.9, 0.5])).round(decimals=1)
    tensor([2.8000, 1.2000, 2.0000])
    """

    def __init__(self, hidden: int = 16, width: float = 1.0):
        super().__init__()
        hidden, width = check_count("hidden", hidden), check_positive("width", width)
        self.widths = nn.Sequential(
            nn.Linear(len(_NEIGHBORS), hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1)
        )
        nn.init.zeros_(self.widths[-1].weight)
        nn.init.constant_(self.widths[-1].bias, math.log(width))
        self.power = nn.Parameter(torch.tensor(0.5))

    def rank_lists(self, scores: Tensor, present: Tensor | None) -> Tensor:
        z = standardize(scores, present)
        log_width = self.log_widths(z.detach(), present)
        leads = z.unsqueeze(-2) - z.unsqueeze(-1)
        u = leads * torch.exp(-0.5 * (log_width.unsqueeze(-2) + log_width.unsqueeze(-1)))
        above = 0.5 * (1 + u * self.shrink(u))
        if present is not None:
            above = above * present.unsqueeze(-2)
        return 0.5 + above.sum(-1)

    def shrink(self, u: Tensor) -> Tensor:
        """(1 + |u|^p)^(-1/p), safe for any u; p is above 1, below that the step would have a cusp at 0."""
        p = 1 + softplus(self.power)
        return torch.exp(-softplus(p * torch.log(u.abs() + 1e-12)) / p)

    def log_widths(self, z: Tensor, present: Tensor | None) -> Tensor:
        """Log of w for each item ``[lists, n]``; absent items get any number that does not overflow."""
        ascending, order = (z if present is None else z.masked_fill(~present, torch.inf)).sort(-1)
        last = z.shape[-1] - 1 if present is None else present.sum(-1, keepdim=True) - 1
        log_spacings = torch.stack([_spacing(ascending, last, k) for k in _NEIGHBORS], -1).clamp(min=_NARROWEST).log()
        base = log_spacings[..., _NEIGHBORS.index(4)]
        log_width = (base + self.widths(log_spacings - base.unsqueeze(-1)).squeeze(-1)).clamp(min=math.log(_NARROWEST))
        return torch.empty_like(log_width).scatter(-1, order, _mean_of_ties(log_width, ascending))


def _mean_of_ties(values: Tensor, ascending: Tensor) -> Tensor:
    """Tied items share the mean of their values, so that no order among them shows."""
    group = torch.nn.functional.pad((ascending[..., 1:] != ascending[..., :-1]).cumsum(-1), (1, 0))
    total = torch.zeros_like(values).scatter_add(-1, group, values)
    count = torch.zeros_like(values).scatter_add(-1, group, torch.ones_like(values))
    return (total / count.clamp(min=1)).gather(-1, group)


def _spacing(ascending: Tensor, last: Tensor | int, k: int) -> Tensor:
    """Mean gap between the k-th neighbors on both sides, or as many as there are."""
    place = torch.arange(ascending.shape[-1], device=ascending.device).expand(ascending.shape)
    high, low = (place + k).minimum(torch.as_tensor(last, device=place.device)), (place - k).clamp(min=0)
    high = high.maximum(low)  # behind the last present item
    gaps = ascending.gather(-1, high) - ascending.gather(-1, low)
    return torch.nan_to_num(gaps, nan=1.0, posinf=1.0) / (high - low).clamp(min=1)
