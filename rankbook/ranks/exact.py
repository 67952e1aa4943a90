"""The true ranks, by sorting."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rankbook.checks import check_scores


def exact_ranks(
    scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, ties: Literal["max", "average", "min"] = "max"
) -> Tensor:
    r"""The true descending ranks, from 1. They have no gradient.

    .. math:: r_i = \#\{j : s_j \ge s_i\} \quad\text{(ties="max")}

    Args:
        scores: ``[..., n]``, any real scale.
        relevance: not used; every ranker takes it, so that one call fits all.
        where: ``[..., n]`` mask of the items that are in the list. Absent items get the rank *number of present items + 1*.
        ties: the rank that tied items share: ``"max"`` the last of their places (constant scores earn the worst average
            precision, as in scikit-learn), ``"min"`` the first, ``"average"`` the middle (as in scipy's ``rankdata``).

    Returns:
        Ranks ``[..., n]`` in the dtype of the scores (float32 for half precision), without a gradient:
        ranks are piecewise constant, so their derivative is 0 wherever it exists.

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory for each list.

    Raises:
        ValueError: NaN or inf in the scores, an empty list, an unknown ``ties``.

    >>> rb.exact_ranks(torch.tensor([0.2, 0.9, 0.5]))
    tensor([3., 1., 2.])
    >>> rb.exact_ranks(torch.tensor([0.5, 0.5, 0.1]), ties="average")
    tensor([1.5000, 1.5000, 3.0000])
    """
    scores, where = check_scores(scores, where)
    if ties not in ("max", "average", "min"):
        raise ValueError(f'ties must be "max", "average" or "min", got {ties!r}')
    scores = scores.detach().contiguous()  # searchsorted warns about strides
    if where is not None:
        scores = scores.masked_fill(~where, -torch.inf)  # behind every finite score: counts of higher scores do not see it
    ascending = scores.sort(dim=-1).values
    n = scores.shape[-1]
    ranks = 0.0
    if ties != "min":
        ranks = ranks + (n - torch.searchsorted(ascending, scores)).to(scores.dtype)
    if ties != "max":
        ranks = ranks + (n + 1 - torch.searchsorted(ascending, scores, right=True)).to(scores.dtype)
    if ties == "average":
        ranks = ranks / 2
    return put_absent_last(ranks, where)


def put_absent_last(ranks: Tensor, where: Tensor | None) -> Tensor:
    """Give the items outside ``where`` the first rank behind the list: a constant, finite, never 0."""
    if where is None:
        return ranks
    return torch.where(where, ranks, where.sum(-1, keepdim=True).to(ranks.dtype) + 1)
