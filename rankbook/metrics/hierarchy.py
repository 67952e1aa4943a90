"""Hierarchical average precision: what graded relevance makes of AP."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rankbook.checks import check_item_weights, check_lists, check_positive, reads_values
from rankbook.metrics.lower_grades import lower_grades_ahead
from rankbook.metrics.ranking import clamp_through, rank_items
from rankbook.metrics.reduction import reduce_lists
from rankbook.metrics.weights import share_found, shares_of_largest
from rankbook.precision import full_precision
from rankbook.ranks import box_ranks, exact_ranks, laplace_ranks, sigmoid_ranks, sup_ranks
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.kernels import BoxStep, LaplaceStep
from rankbook.ranks.pairs import BLOCK, blocks_at_once, leads
from rankbook.ranks.smooth import SigmoidStep
from rankbook.types import RankFn, Reduction

#: Up to so many grades a call of the ranker for each is the quickest way.
_FEW = 8


@full_precision
def hierarchical_ap(
    scores: Tensor,
    relevance: Tensor,
    *,
    rank_fn: RankFn = exact_ranks,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
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
        item_weights: the share of each positive in both sums over :math:`k`; ranks count items, whatever they weigh.
        query_weights, reduction: see `rankbook.metrics`.

    Cost: for up to 8 distinct grades in a list, that of ranking the list once for each. For more, whatever the grades and with
    :math:`O(n)` memory, :math:`O(n \log n)` time with `exact_ranks` and `sup_ranks`, beside their own, and at most :math:`O(n^2)`
    with `sigmoid_ranks`, `laplace_ranks` and `box_ranks`. Any other ranker ranks a list for each distinct grade (for each item,
    where values may not be read: see ``rankbook.checks``), many in one call.

    Source: HAPPIER (ECCV 2022) and SupRank (TPAMI); formula from their code.

    >>> rb.hierarchical_ap(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1.0, 0.0, 0.5]))
    tensor(0.8889)
    """
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    grades = shares_of_largest(relevance.detach(), scores.dtype)
    worth = relevance > 0
    if item_weights is not None:
        worth = shares_of_largest(torch.where(worth, check_item_weights(item_weights, scores, where), 0), scores.dtype)
    gained = _hierarchical_ranks(rank_fn, scores, relevance, grades, where) / rank_items(rank_fn, scores, relevance, where)
    values = share_found(gained, worth, (worth * grades).sum(-1))
    return reduce_lists(clamp_through(values, 0, 1), (worth > 0).any(-1), reduction, query_weights)


def _hierarchical_ranks(rank_fn: RankFn, scores: Tensor, relevance: Tensor, grades: Tensor, where: Tensor | None) -> Tensor:
    """The weighted count ``[..., n]`` of the items above each, in the cheapest of three ways."""
    levels, ranker = _levels(grades), _unwrapped(rank_fn)
    if levels.shape[-1] > _FEW or not reads_values(grades):
        if ranker in _BY_PAIRS:
            knob, quick, count = _BY_PAIRS[ranker]
            if levels.shape[-1] > grades.shape[-1] // quick:
                return count(scores, extra=grades, knobs=(check_positive(knob, inspect.signature(rank_fn).parameters[knob].default),))
        if ranker in (exact_ranks, sup_ranks):  # which counts exactly among the equally relevant
            exact = (rank_fn if ranker is exact_ranks else exact_ranks)(scores, relevance, where=where)
            ties = inspect.signature(rank_fn).parameters["ties"].default if ranker is exact_ranks else "max"
            return _count_exactly(exact, extra=grades, knobs=({"min": 0.0, "average": 0.5}.get(ties, 1.0),))
    return _by_levels(rank_fn, scores, grades, levels, exact=ranker is exact_ranks)


def _unwrapped(rank_fn: RankFn) -> RankFn:
    """The function within ``functools.partial``, whose signature tells the knobs."""
    while isinstance(rank_fn, partial):
        rank_fn = rank_fn.func
    return rank_fn


def _levels(grades: Tensor) -> Tensor:
    """The distinct grades above 0 of each list, ascending, as many columns as the richest list has; others end with repetitions.

    Where values may not be read there are n columns.
    """
    ascending = grades.sort(-1).values
    before = torch.cat([torch.zeros_like(ascending[..., :1]), ascending[..., :-1]], -1)
    new = ascending > before
    if not reads_values(grades) or grades.numel() == 0:
        return ascending
    most = max(1, int(new.sum(-1).max()))
    return torch.where(new, ascending, ascending[..., -1:]).sort(-1).values[..., :most]


def _by_levels(rank_fn: RankFn, scores: Tensor, grades: Tensor, levels: Tensor, *, exact: bool) -> Tensor:
    """The sum over levels of (level - the one below) x the rank among the items that reach it; many levels in one call."""
    heights = torch.diff(levels, dim=-1, prepend=torch.zeros_like(levels[..., :1]))
    at_once = max(1, BLOCK * blocks_at_once(scores.device) // max(1, scores.numel()))
    total = torch.zeros_like(scores)
    for level, height in zip(levels.movedim(-1, 0).split(at_once), heights.movedim(-1, 0).split(at_once), strict=True):
        reach = (grades >= level.unsqueeze(-1)) & (level > 0).unsqueeze(-1)  # [levels, ..., n]
        # an item's own grade breaks its ties where a ranker counts exactly; to the others all items of a level are alike
        relevance = grades.expand(reach.shape) if exact else reach
        among = rank_items(rank_fn, scores.expand(reach.shape), relevance, reach)
        total = total + (height.unsqueeze(-1) * torch.where(reach, among, 0.0)).sum(0)
    return total


def _exact_count(ranks: Tensor, _: None, grades: Tensor, share: float) -> tuple[Tensor]:
    """From exact ranks: each item ahead counts the lower of the two grades, a tied one a ``share`` of it, itself its grade."""
    r, g = (x.reshape(-1, x.shape[-1]) for x in (ranks, grades))
    return (lower_grades_ahead(r, g, share).view(ranks.shape),)


def _no_slope(grad: Tensor, *_: Any) -> Tensor:
    return torch.zeros_like(grad)


def _step_count(step: Callable[[float], Any], scores: Tensor, _: None, grades: Tensor, knob: float) -> tuple[Tensor]:
    """The same, where each item ahead counts by a step of its lead."""
    counted = step(knob)
    s, g = (x.reshape(-1, x.shape[-1]) for x in (scores, grades))
    counts = torch.empty_like(g)
    for lists, rows, lead in leads(s, s, counted.scale):
        weighed = counted.values_(lead).mul_(_least(g, lists, rows))
        weighed.diagonal(rows.start, -2, -1).zero_()
        counts[lists, rows] = weighed.sum(-1) + g[lists, rows]
    return (counts.view(scores.shape),)


def _step_slopes(step: Callable[[float], Any], grad: Tensor, scores: Tensor, _: None, grades: Tensor, __: tuple[()], knob: float) -> Tensor:
    """Slopes and weights are symmetric, so one more pass over the rows gives all of the gradient."""
    counted = step(knob)
    pull, s, g = (x.reshape(-1, x.shape[-1]) for x in (grad, scores, grades))
    back = torch.empty_like(s)
    for lists, rows, lead in leads(s, s, counted.scale):
        slopes = counted.slopes_(lead).mul_(_least(g, lists, rows))
        slopes.diagonal(rows.start, -2, -1).zero_()
        back[lists, rows] = slopes.matmul(pull[lists].unsqueeze(-1)).squeeze(-1) - slopes.sum(-1) * pull[lists, rows]
    return back.mul_(counted.scale).view(scores.shape)


def _least(grades: Tensor, lists: slice, rows: slice) -> Tensor:
    """The lower grade of each pair of a block [lists, rows, n]."""
    return torch.minimum(grades[lists].unsqueeze(-2), grades[lists, rows].unsqueeze(-1))


_count_exactly = ByHand("hierarchical ranks, exact", _exact_count, _no_slope)
#: Rankers of a step: the knob, the number of grades a call for each of which costs as much as all pairs (the n-th part of a list;
#: a call of the sigmoid looks at all pairs itself), and the count over pairs.
_BY_PAIRS: dict[RankFn, tuple[str, int, ByHand]] = {
    ranker: (knob, quick, ByHand(f"hierarchical ranks, {ranker.__name__}", partial(_step_count, step), partial(_step_slopes, step)))
    for ranker, knob, quick, step in (
        (sigmoid_ranks, "tau", 1 << 60, SigmoidStep),
        (laplace_ranks, "tau", 25, LaplaceStep),
        (box_ranks, "width", 70, BoxStep),
    )
}
