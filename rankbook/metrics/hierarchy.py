"""Hierarchical average precision: what graded relevance makes of AP."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rankbook.checks import check_lists, reads_values
from rankbook.metrics.ranking import clamp_through, rank_items
from rankbook.metrics.reduction import reduce_lists
from rankbook.precision import full_precision
from rankbook.ranks import exact_ranks, sigmoid_ranks, sup_ranks
from rankbook.types import RankFn, Reduction

#: Rankers whose rank is 1 + the sum of a step function over the items ahead, so that pairs can be weighed one by one.
_SUMS_OF_STEPS = (sigmoid_ranks,)
#: Rankers that count exactly among equally relevant items.
_COUNTS = (exact_ranks, sup_ranks)
#: Up to so many grades a call of the ranker for each is the quickest way.
_FEW = 8
_ELEMENTS = 1 << 18  # scores or pairs at a time: 1 MiB of float32


@full_precision
def hierarchical_ap(
    scores: Tensor, relevance: Tensor, *, rank_fn: RankFn = exact_ranks, where: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""H-AP: average precision for graded relevance. A near miss counts for what it shares.

    .. math::
        \mathcal{H}\text{-AP} = \frac{1}{\sum_{k \in P} \mathrm{rel}(k)} \sum_{k \in P} \frac{\mathcal{H}\text{-rank}(k)}{\mathrm{rank}(k)},
        \qquad
        \mathcal{H}\text{-rank}(k) = \mathrm{rel}(k) + \sum_{j \in P,\, j \text{ above } k} \min(\mathrm{rel}(k), \mathrm{rel}(j))

    The minimum is a sum over relevance levels, so :math:`\mathcal{H}\text{-rank}` is a weighted sum of ranks among the items
    that reach each level: any ranker serves. On binary relevance it is `average_precision`.

    Args:
        scores, relevance, where: ``[..., n]``; relevance is 0 for an irrelevant item and grows with what it shares. Only the
            ratios within a list matter.
        rank_fn: any ranker.
        reduction: see `reduce_lists`.

    Cost: for up to 8 distinct grades in a list, a call of the ranker for each. For more, :math:`O(n^2)` time and :math:`O(n)`
    memory whatever the grades, with `exact_ranks`, `sup_ranks`, `sigmoid_ranks`, `laplace_ranks` and `box_ranks`; any other
    ranker ranks a list for each distinct grade, many in one call.

    Source: HAPPIER (ECCV 2022) and SupRank (TPAMI); formula from their code.

    >>> rb.hierarchical_ap(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1.0, 0.0, 0.5]))
    tensor(0.8889)
    """
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    positive = relevance > 0
    grades = _shares_of_largest(relevance.detach(), scores.dtype)
    ranks = rank_items(rank_fn, scores, relevance, where)
    gained = _hierarchical_ranks(rank_fn, scores, grades, ranks, where) / ranks
    total = grades.sum(-1)
    values = torch.where(positive, gained, 0.0).sum(-1) / torch.where(total > 0, total, 1.0)
    return reduce_lists(clamp_through(values, 0, 1), positive.any(-1), reduction)


def _shares_of_largest(relevance: Tensor, dtype: torch.dtype) -> Tensor:
    """Grades in [0, 1]: no sum of them overflows."""
    largest = relevance.amax(-1, keepdim=True)
    wide = relevance.dtype if relevance.is_floating_point() else dtype
    return (relevance.to(wide) / torch.where(largest > 0, largest, 1).to(wide)).to(dtype)


def _hierarchical_ranks(rank_fn: RankFn, scores: Tensor, grades: Tensor, ranks: Tensor, where: Tensor | None) -> Tensor:
    """The weighted count ``[..., n]`` of the items above each, in the cheapest of three ways."""
    levels = _levels(grades)
    function, ties = _unwrapped(rank_fn)
    if levels.shape[-1] > _FEW and function in _COUNTS:
        exact = ranks if function is exact_ranks else exact_ranks(scores, where=where)
        return _counted(exact.detach(), grades, {"min": 0.0, "average": 0.5}.get(ties, 1.0))
    if levels.shape[-1] > _FEW and function in _SUMS_OF_STEPS:
        return _by_pairs(rank_fn, scores, grades)
    return _by_levels(rank_fn, scores, grades, levels, exact=function is exact_ranks)


def _unwrapped(rank_fn: RankFn) -> tuple[RankFn, str]:
    """The function within ``functools.partial``, and what it is told about ties."""
    ties = "max"
    while isinstance(rank_fn, partial):
        ties, rank_fn = rank_fn.keywords.get("ties", ties), rank_fn.func
    return rank_fn, ties


def _levels(grades: Tensor) -> Tensor:
    """The distinct grades above 0 of each list, ascending, as many columns as the richest list has; others end with repetitions.

    Where values may not be read there are n columns.
    """
    ascending = grades.sort(-1).values
    before = torch.cat([torch.zeros_like(ascending[..., :1]), ascending[..., :-1]], -1)
    new = ascending > before
    if not reads_values(grades):
        return ascending
    most = max(1, int(new.sum(-1).max()))
    return torch.where(new, ascending, ascending[..., -1:]).sort(-1).values[..., :most]


def _by_levels(rank_fn: RankFn, scores: Tensor, grades: Tensor, levels: Tensor, *, exact: bool) -> Tensor:
    """The sum over levels of (level - the one below) x the rank among the items that reach it; many levels in one call."""
    heights = torch.diff(levels, dim=-1, prepend=torch.zeros_like(levels[..., :1]))
    at_once = max(1, _ELEMENTS // scores.numel())
    total = torch.zeros_like(scores)
    for level, height in zip(levels.movedim(-1, 0).split(at_once), heights.movedim(-1, 0).split(at_once), strict=True):
        reach = (grades >= level.unsqueeze(-1)) & (level > 0).unsqueeze(-1)  # [levels, ..., n]
        # an item's own grade breaks its ties where a ranker counts exactly; to the others all items of a level are alike
        relevance = grades.expand(reach.shape) if exact else reach
        among = rank_items(rank_fn, scores.expand(reach.shape), relevance, reach)
        total = total + (height.unsqueeze(-1) * torch.where(reach, among, 0.0)).sum(0)
    return total


def _counted(ranks: Tensor, grades: Tensor, share: float) -> Tensor:
    """From exact ranks: each item ahead counts, a tied one by ``share``; a block of pairs at a time."""
    n = ranks.shape[-1]
    r, g = ranks.reshape(-1, n), grades.reshape(-1, n)
    totals = torch.empty_like(g)
    for lists, rows in _blocks(*r.shape):
        place, grade = r[lists, rows].unsqueeze(-1), g[lists, rows].unsqueeze(-1)
        least = torch.minimum(g[lists].unsqueeze(-2), grade)
        ahead = torch.empty_like(least)  # as numbers: booleans are summed several times slower
        torch.le(r[lists].unsqueeze(-2), place, out=ahead)
        if share < 1:  # then an item has not counted itself in full
            ahead.sub_(torch.eq(r[lists].unsqueeze(-2), place, out=torch.empty_like(least)), alpha=1 - share)
        totals[lists, rows] = ahead.mul_(least).sum(-1) + (1 - share) * grade.squeeze(-1)
    return totals.view(ranks.shape)


def _by_pairs(rank_fn: RankFn, scores: Tensor, grades: Tensor) -> Tensor:
    """Each pair is a list of two items: the rank of the first, less 1, is the step of the other's lead."""
    n = scores.shape[-1]
    s, g = scores.reshape(-1, n), grades.reshape(-1, n)

    def block(s: Tensor, g: Tensor, lists: slice, rows: slice) -> Tensor:
        behind, ahead = torch.broadcast_tensors(s[lists, rows].unsqueeze(-1), s[lists].unsqueeze(-2))
        step = rank_fn(torch.stack([behind, ahead], -1), None, where=None)[..., 0] - 1  # [lists, rows, n]
        least = torch.minimum(g[lists].unsqueeze(-2), g[lists, rows].unsqueeze(-1))
        itself = torch.arange(n, device=s.device)[rows].unsqueeze(-1) == torch.arange(n, device=s.device)
        return g[lists, rows] + (least.masked_fill(itself, 0.0) * step).sum(-1)

    blocks = list(_blocks(*s.shape))
    if len(blocks) > 1 and torch.is_grad_enabled():  # the pairs of one block at a time, again in the backward pass
        block = partial(checkpoint, block, use_reentrant=False, preserve_rng_state=False)
    return _joined([block(s, g, lists, rows) for lists, rows in blocks], s.shape).view(scores.shape)


def _blocks(lists: int, n: int) -> list[tuple[slice, slice]]:
    """Slices of lists and of the rows of their pairs: several whole lists while they are short, some rows of a long one."""
    together = min(lists, max(1, _ELEMENTS // n**2))
    rows = n if together > 1 else min(n, max(1, _ELEMENTS // n))
    return [(slice(a, a + together), slice(k, k + rows)) for a in range(0, lists, together) for k in range(0, n, rows)]


def _joined(parts: list[Tensor], shape: torch.Size) -> Tensor:
    """Blocks [lists, rows] in the order of `_blocks`, as one tensor of that shape."""
    if not parts:
        return torch.zeros(shape)
    return torch.cat([part.reshape(-1) for part in parts])
