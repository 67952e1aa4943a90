"""The true ranks, by sorting."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rankbook.checks import check_choice, check_relevance, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.spacing import on_host, shared_places, to_items

#: What tied items may get.
TIES = ("max", "average", "min", "worst")
#: Items from which on numpy's sort is worth its start.
_LONG = 32


def exact_ranks(
    scores: Tensor,
    relevance: Tensor | None = None,
    *,
    where: Tensor | None = None,
    ties: Literal["max", "average", "min", "worst"] = "max",
) -> Tensor:
    r"""The true descending ranks, from 1. They have no gradient.

    .. math:: r_i = \#\{j : s_j \ge s_i\} \quad\text{(ties="max")}

    Args:
        scores: ``[..., n]``, any real scale.
        relevance: ``[..., n]``, any grades; used, and needed, by ``ties="worst"`` only. Every ranker takes it, so that one call fits all.
        where: ``[..., n]`` mask of the items that are in the list. Absent items get the rank *number of present items + 1*.
        ties: which rank tied items get. They share ``"max"`` the last of their places (constant scores then earn the share of
            positives as average precision, as in scikit-learn), ``"min"`` the first, or ``"average"`` the middle (as in scipy's
            ``rankdata``). ``"worst"`` shares nothing: it is a total order, within a tie the less relevant item first, equally
            relevant items in the order of the input. The ranks are then a permutation of 1..n, the one of all orders of the tied
            items that a metric likes least; the metrics measure with it.

    Returns:
        Ranks ``[..., n]`` in the dtype of the scores (float32 for half precision), without a gradient:
        ranks are piecewise constant, so their derivative is 0 wherever it exists.

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory for each list.

    Raises:
        ValueError: NaN or inf in the scores, an empty list, an unknown ``ties``, ``ties="worst"`` without relevance.

    >>> rb.exact_ranks(torch.tensor([0.2, 0.9, 0.5]))
    tensor([3., 1., 2.])
    >>> rb.exact_ranks(torch.tensor([0.5, 0.5, 0.1]), ties="average")
    tensor([1.5000, 1.5000, 3.0000])
    >>> rb.exact_ranks(torch.tensor([0.5, 0.5, 0.1]), torch.tensor([1, 0, 0]), ties="worst")
    tensor([2., 1., 3.])
    """
    check_choice("ties", ties, TIES)
    scores, where = check_scores(scores, where)
    if ties != "worst":
        relevance = None
    else:
        if relevance is None:
            raise ValueError(
                'relevance must be given for ties="worst", which puts the less relevant of two tied items first; '
                'pass a tensor in the shape of scores, or take ties="max"'
            )
        relevance = check_relevance(relevance, scores, where, exact=True).detach()
    return put_absent_last(_exact(scores.detach(), where, relevance, knobs=(float(TIES.index(ties)),)), where)


def _value(scores: Tensor, where: Tensor | None, relevance: Tensor | None, ties: float) -> tuple[Tensor]:
    kind = TIES[int(ties)]
    # absent items behind every finite score: counts of higher scores do not see them
    s = scores if where is None else scores.masked_fill(~where, -torch.inf)
    if scores.shape[-1] < _LONG or not on_host(scores):
        return (_places(s, relevance) if kind == "worst" else _counts(s, kind),)
    first, last, order = shared_places(scores, where)
    if kind == "min":
        last = first
    elif kind == "average" and first is not last:
        last = (first + last) / 2
    ranks = to_items(last, order, scores.dtype)
    if kind == "worst" and first is not last:  # only lists with a tie are sorted once more
        tied = (first != last).any(-1)
        ranks[tied] = _places(s[tied], relevance[tied])
    return (ranks,)


def _counts(scores: Tensor, ties: str) -> Tensor:
    """How many scores stand at or above each (max), how many above (min, plus one), or the mean of both."""
    scores = scores.contiguous()  # searchsorted warns about strides
    ascending = scores.sort(dim=-1).values
    n = scores.shape[-1]
    ranks = 0.0
    if ties != "min":
        ranks = ranks + (n - torch.searchsorted(ascending, scores)).to(scores.dtype)
    if ties != "max":
        ranks = ranks + (n + 1 - torch.searchsorted(ascending, scores, right=True)).to(scores.dtype)
    return ranks / 2 if ties == "average" else ranks


def _places(scores: Tensor, relevance: Tensor) -> Tensor:
    """The place of each item by score, then from the least relevant up, then as it came: a permutation of 1..n."""
    least_first = relevance.argsort(dim=-1, stable=True)
    order = least_first.gather(-1, scores.gather(-1, least_first).argsort(dim=-1, descending=True, stable=True))
    places = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)
    return torch.zeros_like(scores).scatter(-1, order, places.expand_as(scores))


def same_order(values: Tensor, scores: Tensor) -> Tensor:
    """Numbers from 0 to n - 1 in the order of ``values`` ``[..., n]``, ties kept, in the dtype of ``scores``.

    For those who only compare: a cast to float32 would tie whole numbers beyond 2^24, seconds for example.
    """
    values = values.detach().contiguous()
    return torch.searchsorted(values.sort(dim=-1).values, values).to(scores.dtype)


def put_absent_last(ranks: Tensor, where: Tensor | None) -> Tensor:
    """Give the items outside ``where`` the first rank behind the list: a constant, finite, never 0."""
    if where is None:
        return ranks
    return torch.where(where, ranks, where.sum(-1, keepdim=True).to(ranks.dtype) + 1)


_exact = ByHand("exact", _value, lambda grad, *_: torch.zeros_like(grad))
