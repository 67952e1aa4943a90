"""Average set intersection: how much of the ideal head of the list stands in its head, at each depth."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_item_weights, check_lists
from rankbook.metrics.ranking import clamp_through, rank_items, worst_order
from rankbook.metrics.reduction import reduce_lists
from rankbook.metrics.weights import or_one, shares_of_largest
from rankbook.precision import full_precision
from rankbook.types import RankFn, Reduction


@full_precision
def asi(
    scores: Tensor,
    relevance: Tensor,
    *,
    rank_fn: RankFn = worst_order,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Average set intersection: the top n against the top n of the ideal order, for each n up to the number of positives.

    .. math:: \mathrm{ASI} = \frac{1}{R} \sum_{n=1}^{R} \frac{1}{n} \sum_{l > 0} \min\bigl(c_l(n),\, c^*_l(n)\bigr), \qquad R = |P|

    where :math:`c_l(n)` is the number of items of grade :math:`l` in the top n, and :math:`c^*_l(n)` that in the top n of the ideal
    order. Items of one grade may stand for each other. The order of the grades counts, their size does not: a tree needs no weights.
    On binary relevance it is the mean of precision@n over n up to R.

    Args:
        scores, relevance, where: ``[..., n]``; grades such as the levels of `shared_levels`.
        rank_fn: any ranker. On soft ranks the edge of a head is that of `within_top_k`, one rank wide.
        item_weights: what an item counts for in both heads, out of the ideal one; the ideal order has the heavier first within a grade.
        query_weights, reduction: see `rankbook.metrics`.

    Cost: one call of the ranker and two sorts, :math:`O(n \log n)` time and :math:`O(n)` memory a list.

    Source: Dynamic Metric Learning (CVPR 2021, 2103.11781), which proposes it; R as depth is that of SupRank's code.

    >>> rb.asi(torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([1, 2, 0, 1]))
    tensor(0.5556)
    """
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    ranks, worth = rank_items(rank_fn, scores, relevance, where), (relevance > 0).to(scores.dtype)
    if item_weights is not None:
        worth = shares_of_largest(torch.where(relevance > 0, check_item_weights(item_weights, scores, where), 0), scores.dtype)
    grades = torch.where(worth > 0, relevance, 0)
    ideal = worth.argsort(dim=-1, descending=True, stable=True)
    ideal = ideal.gather(-1, grades.gather(-1, ideal).argsort(dim=-1, descending=True, stable=True))
    grades, worth, ranks = (x.gather(-1, ideal) for x in (grades, worth, ranks))
    shared, most = _heads(grades, worth, ranks)
    within = worth > 0  # the first R places of the ideal order
    share = torch.where(within, shared / or_one(most), 0).sum(-1) / within.sum(-1).clamp(min=1)
    return reduce_lists(clamp_through(share, 0, 1), within.any(-1), reduction, query_weights)


def _heads(grades: Tensor, worth: Tensor, ranks: Tensor) -> tuple[Tensor, Tensor]:
    """What the heads of the list and of the ideal order share, and what the ideal head holds; at each depth, items in ideal order.

    At depth n the ideal head holds all items above the grade of its last item, and some of that grade. So an item counts in full at
    depths behind the block of its grade, and up to what the ideal head holds of it at depths within.
    """
    n = grades.shape[-1]
    place = torch.arange(1, n + 1, device=grades.device).expand(grades.shape)
    edge = grades[..., 1:] != grades[..., :-1]
    first = torch.ones_like(edge[..., :1]) if n > 1 else torch.ones_like(grades, dtype=torch.bool)
    start = torch.where(torch.cat([first, edge], -1), place, 0).cummax(-1).values
    end = torch.where(torch.cat([edge, first], -1), place, n).flip(-1).cummin(-1).values.flip(-1)

    ranks = ranks.clamp(1, n + 1)
    whole = ranks.detach().floor()
    part = ranks - whole  # of the item falls behind the depth `whole`, see `within_top_k`
    bins = torch.cat([whole.long(), whole.long() + 1], -1)
    amounts = torch.cat([worth * (1 - part), worth * part], -1)
    starts, ends = (torch.cat([x, x], -1) for x in (start, end))

    above = _counted(bins.maximum(ends + 1), amounts, n)
    level = _counted(torch.where(bins <= ends, bins.maximum(starts), n + 1), amounts, n)
    held = worth.cumsum(-1)
    of_level, of_ideal = _since(level, start), _since(held, start)
    return above + torch.where(of_level > of_ideal, of_ideal, of_level), held


def _counted(bins: Tensor, amounts: Tensor, n: int) -> Tensor:
    """The sum of the amounts in the bins 1 to m, for each m up to n."""
    counts = amounts.new_zeros(*amounts.shape[:-1], n + 3).scatter_add(-1, bins, amounts)
    return counts[..., 1 : n + 1].cumsum(-1)


def _since(sums: Tensor, start: Tensor) -> Tensor:
    """Running sums that begin anew at the places ``start``."""
    before = torch.cat([torch.zeros_like(sums[..., :1]), sums], -1)
    return sums - before.gather(-1, start - 1)
