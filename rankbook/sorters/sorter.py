"""What all learned sorters share: the call of a ranker around a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_scores
from rankbook.precision import plainly
from rankbook.ranks.exact import put_absent_last


class Sorter(nn.Module):
    """A ranker with weights. A subclass computes the ranks of ``[lists, n]`` scores in ``rank_lists``.

    Attributes:
        length: the only number of items that it sorts; None: any number.

    Call it like any ranker, ``(scores[..., n], relevance=None, *, where=None) -> ranks[..., n]``; relevance is not used. The
    ranks of a learned sorter are estimates, and need not sum to n (n + 1) / 2. What the network says beyond the range of
    counted ranks, [1/2, n + 1/2] for n present items, is clamped straight through: the value stays inside, so that every metric
    is defined, and the gradient is that of the network, so that an item out there is still led back. Scores are computed in the
    dtype of the weights, whatever autocast asks for; the ranks come back in that of the scores (float32 for half precision). A
    list with one item has rank 1 and no gradient. Rank in evaluation mode (`load_sorter` and `train_sorter` leave it so): in
    training mode a batch normalization mixes the lists of a batch.

    Raises:
        ValueError: a list has another length than ``length``; scores that are not finite.

    >>> class Handmade(rb.Sorter):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.tau = torch.nn.Parameter(torch.tensor(0.02))
    ...     def rank_lists(self, scores, present):
    ...         present = torch.ones_like(scores, dtype=torch.bool) if present is None else present
    ...         above = torch.sigmoid((scores.unsqueeze(-2) - scores.unsqueeze(-1)) / self.tau)
    ...         return 0.5 + (above * present.unsqueeze(-2)).sum(-1)
    >>> Handmade()(torch.tensor([0.2, 0.9, 0.5])).detach().round()
    tensor([3., 1., 2.])
    """

    length: int | None = None

    def forward(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        """Scores ``[..., n]`` -> ranks ``[..., n]``, 1 for the highest score. ``relevance`` is not used."""
        scores, where = check_scores(scores, where)
        n = scores.shape[-1]
        if self.length is not None and n != self.length:
            raise ValueError(
                f"scores must have {self.length} items in each list, the length that this {type(self).__name__} was built for, "
                f"got {n}; build and train one with n={n}, or use a sorter for any length, such as KernelSorter"
            )
        lists = within_reach(scores.reshape(-1, n), next(self.parameters()).dtype)
        present = None if where is None else where.reshape(-1, n)
        if present is not None:  # an empty list is computed as if it were full, so that nothing divides by zero
            present = present | ~present.any(-1, keepdim=True)
        ranks = plainly(lambda lists: self.rank_lists(lists, present), lists, self.parameters())
        count = torch.full_like(ranks[..., :1], n) if present is None else present.sum(-1, keepdim=True).to(ranks.dtype)
        ranks = torch.where(count == 1, 1.0, clamp_straight_through(ranks, count))
        return put_absent_last(ranks.to(scores.dtype).view(scores.shape), where)

    def rank_lists(self, scores: Tensor, present: Tensor | None) -> Tensor:
        """Ranks ``[lists, n]`` of scores ``[lists, n]``; what it says about items that are not ``present`` is not read."""
        raise NotImplementedError


def clamp_straight_through(ranks: Tensor, count: Tensor) -> Tensor:
    """Ranks within [1/2, count + 1/2], with the gradient of those that came in."""
    fixed = ranks.detach()
    inside = fixed.clamp(min=0.5).minimum(count + 0.5)
    return inside + (ranks - fixed)  # the difference is 0 to the last bit, but it has the gradient


def within_reach(scores: Tensor, dtype: torch.dtype) -> Tensor:
    """Scores in the dtype of the weights, each list made smaller if its sums or squares would overflow there, else as it is."""
    reach = min(torch.finfo(dtype).max, torch.finfo(scores.dtype).max) ** 0.5
    largest = scores.detach().abs().amax(-1, keepdim=True)
    return (scores / torch.where(largest > reach, largest / reach, 1.0)).to(dtype)


def standardize(scores: Tensor, present: Tensor | None) -> Tensor:
    """Mean 0 and deviation 1 in each list, absent items at 0.

    The deviation is a constant for the gradient. A step that moves one item changes it a little, and a gradient through it
    pulls on all other items at once: it makes the same sorter a worse guide.
    """
    fixed = scores.detach()
    if present is None:
        centered = scores - scores.mean(-1, keepdim=True)
        count = scores.shape[-1]
        tied = fixed.amin(-1, keepdim=True) == fixed.amax(-1, keepdim=True)
    else:
        count = present.sum(-1, keepdim=True)
        centered = (scores - scores.sum(-1, keepdim=True) / count) * present  # check_scores has set absent scores to 0
        low, high = fixed.masked_fill(~present, torch.inf), fixed.masked_fill(~present, -torch.inf)
        tied = low.amin(-1, keepdim=True) == high.amax(-1, keepdim=True)
    largest = centered.detach().abs().amax(-1, keepdim=True)
    largest = torch.where(tied, 0.0, largest)  # or the rounding of the mean would be the scale
    smallest = torch.finfo(scores.dtype).tiny ** 0.8  # a spread below counts as a tie: its gradient would overflow
    centered = centered / torch.where(largest > smallest, largest, 1.0)  # first, so that squares neither overflow nor vanish
    deviation = (centered.detach().square().sum(-1, keepdim=True) / count).sqrt()
    return centered / torch.where(tied | (deviation == 0), 1.0, deviation)


def push_absent_below(scores: Tensor, present: Tensor | None) -> Tensor:
    """Absent items as if they stood below all others, evenly spaced: what a network without masks can do about ``where``."""
    if present is None:
        return scores
    low = scores.detach().masked_fill(~present, torch.inf).amin(-1, keepdim=True)
    high = scores.detach().masked_fill(~present, -torch.inf).amax(-1, keepdim=True)
    apart = torch.where(high > low, high - low, 1.0) / scores.shape[-1]
    below = low - apart * (~present).cumsum(-1)
    return torch.where(present, scores, below)
