r"""Weighted logistic losses of the pairs of a list, in blocks: :math:`\sum_{ij} w_{ij} \log(1 + e^{-\sigma (s_i - s_j)})`.

The weights are constants. They are computed a block at a time from a few numbers of each item, its *facts*, so that the memory
grows with the length of the list only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rankbook.losses.twins import share_among_twins
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.pairs import leads

#: The weights [lists, rows, n] of the pairs (i of the rows, j) from the facts [lists, c, n].
Weights = Callable[[Tensor, slice], Tensor]


def pair_terms(kind: str, scores: Tensor, where: Tensor | None, grades: Tensor, facts: Tensor | None = None, *, sigma: float) -> Tensor:
    """The terms of each item against the less relevant ones, weighted and summed: ``[..., n]``. Differentiable once.

    Args:
        kind: which of the weights below.
        grades: ``[..., n]`` small whole numbers in the order of the relevance, -1 for absent items.
        facts: ``[..., c, n]``, what the kind reads.
    """
    loses = grades if where is None else grades.masked_fill(~where, torch.inf)  # nobody beats an absent item
    order = torch.stack([grades, loses], -2)
    return _TERMS[kind](scores, where, order if facts is None else torch.cat([order, facts], -2), knobs=(sigma,))


def _equal(facts: Tensor, rows: slice) -> Tensor:
    """Each pair counts alike."""
    return (facts[:, 0, rows, None] > facts[:, 1, None, :]).to(facts.dtype)


def _ndcg(facts: Tensor, rows: slice) -> Tensor:
    """Facts: the gain over the ideal DCG, and the discount at the place. A swap trades the discounts."""
    gain, discount = facts[:, 2], facts[:, 3]
    change = (gain[:, rows, None] - gain[:, None, :]) * (discount[:, rows, None] - discount[:, None, :])
    return _equal(facts, rows) * change.abs_()


def _average_precision(facts: Tensor, rows: slice) -> Tensor:
    """Facts: the place p, a = (C/p - H)/P and b = a + 1/(p P), with C the positives up to p and H the sum of 1/p over them.

    A positive i trades places with a negative j. If j stood in front, i gets (C_j + 1)/p_j for its C_i/p_i, and each positive in
    between has one more in front of it; else it gets C_j/p_j, and they have one less.
    """
    place, a, b = facts[:, 2], facts[:, 3], facts[:, 4]
    up, down = b[:, None, :] - b[:, rows, None], a[:, rows, None] - a[:, None, :]
    return _equal(facts, rows) * torch.where(place[:, None, :] < place[:, rows, None], up, down).abs_()


def _reciprocal_rank(facts: Tensor, rows: slice) -> Tensor:
    """Facts: one over the place, that of the first *other* positive, and that of the first of all."""
    own, other, first = facts[:, 2], facts[:, 3], facts[:, 4]
    return _equal(facts, rows) * (torch.maximum(own[:, None, :], other[:, rows, None]) - first[:, rows, None]).abs_()


def _matrix(facts: Tensor, rows: slice) -> Tensor:
    """Facts: the weights themselves."""
    return _equal(facts, rows) * facts[:, 2:][:, rows]


def _blocks(weights: Weights, scores: Tensor, facts: Tensor, sigma: float) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Yield lists, rows, and for the block [lists, rows, n] the scaled leads s_j - s_i and the weights."""
    s, facts = scores.reshape(-1, scores.shape[-1]), facts.reshape(-1, *facts.shape[-2:])
    most = torch.finfo(s.dtype).max / 4  # a difference that overflows would make 0 * inf
    for lists, rows, lead in leads(s, s, sigma):
        yield lists, rows, lead.clamp_(-most, most), weights(facts[lists], rows)


def _value(weights: Weights, scores: Tensor, where: Tensor | None, facts: Tensor, sigma: float) -> tuple[Tensor]:
    terms = torch.empty_like(scores, memory_format=torch.contiguous_format).view(-1, scores.shape[-1])
    for lists, rows, lead, weight in _blocks(weights, scores, facts, sigma):
        terms[lists, rows] = weight.mul_(softplus(lead)).sum(-1)
    return (terms.view(scores.shape),)


def _gradient(
    weights: Weights, grad: Tensor, scores: Tensor, where: Tensor | None, facts: Tensor, saved: tuple[()], sigma: float
) -> Tensor:
    g = grad.reshape(-1, grad.shape[-1])
    back = torch.zeros_like(g, memory_format=torch.contiguous_format)
    for lists, rows, lead, weight in _blocks(weights, scores, facts, sigma):
        pull = weight.mul_(lead.sigmoid_()).mul_(g[lists, rows].unsqueeze(-1))
        back[lists] += pull.sum(-2)
        back[lists, rows] -= pull.sum(-1)
    return share_among_twins(back.mul_(sigma).view(scores.shape), scores, facts[..., 0, :])


_TERMS = {
    kind: ByHand(f"pair terms, {kind}", partial(_value, weights), partial(_gradient, weights))
    for kind, weights in {
        "equal": _equal,
        "ndcg": _ndcg,
        "average_precision": _average_precision,
        "reciprocal_rank": _reciprocal_rank,
        "matrix": _matrix,
    }.items()
}
