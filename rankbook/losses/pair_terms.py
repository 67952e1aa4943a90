r"""Weighted logistic losses of the pairs of a list, in blocks: :math:`\sum_{ij} w_{ij} \log(1 + e^{-\sigma (s_i - s_j)})`.

The weights are constants. They are computed a block at a time from a few numbers of each item, its *facts*, so that the memory
grows with the length of the list only. Only items that are more relevant than another have terms: of n items with p positives,
:math:`O(n p)` pairs are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rankbook.losses.twins import share_among_twins
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.pairs import leads

#: The weights [lists, rows, n] of the pairs (i of the rows, j) from the facts of both, [lists, c, rows] and [lists, c, n].
Weights = Callable[[Tensor, Tensor], Tensor]


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


def _equal(ours: Tensor, facts: Tensor) -> Tensor:
    """Each pair counts alike."""
    return (ours[:, 0, :, None] > facts[:, 1, None, :]).to(facts.dtype)


def _ndcg(ours: Tensor, facts: Tensor) -> Tensor:
    """Facts: the gain over the ideal DCG, and the discount at the place. A swap trades the discounts."""
    change = (ours[:, 2, :, None] - facts[:, 2, None, :]) * (ours[:, 3, :, None] - facts[:, 3, None, :])
    return _equal(ours, facts) * change.abs_()


def _average_precision(ours: Tensor, facts: Tensor) -> Tensor:
    """Facts: the place p, a = (C/p - H)/P and b = a + 1/(p P), with C the positives up to p and H the sum of 1/p over them.

    A positive i trades places with a negative j. If j stood in front, i gets (C_j + 1)/p_j for its C_i/p_i, and each positive in
    between has one more in front of it; else it gets C_j/p_j, and they have one less.
    """
    up, down = facts[:, 4, None, :] - ours[:, 4, :, None], ours[:, 3, :, None] - facts[:, 3, None, :]
    return _equal(ours, facts) * torch.where(facts[:, 2, None, :] < ours[:, 2, :, None], up, down).abs_()


def _reciprocal_rank(ours: Tensor, facts: Tensor) -> Tensor:
    """Facts: one over the place, that of the first *other* positive, and that of the first of all."""
    return _equal(ours, facts) * (torch.maximum(facts[:, 2, None, :], ours[:, 3, :, None]) - ours[:, 4, :, None]).abs_()


def _matrix(ours: Tensor, facts: Tensor) -> Tensor:
    """Facts: the weights themselves, those of a column beside each other."""
    return _equal(ours, facts) * ours[:, 2:].mT


class _Winners(NamedTuple):
    """The items that are more relevant than another of their list, [lists, m]; in a list with fewer than m, some that are not."""

    index: Tensor | None  # None: all items
    scores: Tensor
    facts: Tensor

    @classmethod
    def of(cls, scores: Tensor, facts: Tensor) -> _Winners:
        index = None
        if scores.device.type == "cpu":  # to know m, an accelerator would have to be waited for
            wins = facts[:, 0] > facts[:, 1].amin(-1, keepdim=True)
            if 2 * (most := max(1, int(wins.sum(-1).amax()))) <= scores.shape[1]:
                index = wins.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[:, :most]
        if index is None:
            return cls(None, scores, facts)
        return cls(index, scores.gather(-1, index), facts.gather(-1, index.unsqueeze(1).expand(-1, facts.shape[1], -1)))

    def placed(self, terms: Tensor, n: int) -> Tensor:
        """Numbers of the winners [lists, m] at their places in the list, 0 elsewhere."""
        return terms if self.index is None else terms.new_zeros(len(terms), n).scatter(-1, self.index, terms)

    def gathered(self, numbers: Tensor) -> Tensor:
        return numbers if self.index is None else numbers.gather(-1, self.index)


def _lists(scores: Tensor, facts: Tensor) -> tuple[Tensor, Tensor, _Winners]:
    s, facts = scores.reshape(-1, scores.shape[-1]), facts.reshape(-1, *facts.shape[-2:])
    return s, facts, _Winners.of(s, facts)


def _blocks(weights: Weights, s: Tensor, facts: Tensor, winners: _Winners, sigma: float) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Yield lists, rows of the winners, and for the block [lists, rows, n] the scaled leads s_j - s_i and the weights."""
    most = torch.finfo(s.dtype).max / 4  # a difference that overflows would make 0 * inf
    for lists, rows, lead in leads(s, winners.scores, sigma):
        yield lists, rows, lead.clamp_(-most, most), weights(winners.facts[lists][..., rows], facts[lists])


def _value(weights: Weights, scores: Tensor, where: Tensor | None, facts: Tensor, sigma: float) -> tuple[Tensor]:
    s, facts, winners = _lists(scores, facts)
    terms = torch.empty_like(winners.scores, memory_format=torch.contiguous_format)
    for lists, rows, lead, weight in _blocks(weights, s, facts, winners, sigma):
        terms[lists, rows] = weight.mul_(softplus(lead)).sum(-1)
    return (winners.placed(terms, s.shape[1]).view(scores.shape),)


def _gradient(
    weights: Weights, grad: Tensor, scores: Tensor, where: Tensor | None, facts: Tensor, saved: tuple[()], sigma: float
) -> Tensor:
    s, of_lists, winners = _lists(scores, facts)
    g = winners.gathered(grad.reshape(s.shape))
    back, pulled = torch.zeros_like(s, memory_format=torch.contiguous_format), torch.empty_like(g)
    for lists, rows, lead, weight in _blocks(weights, s, of_lists, winners, sigma):
        pull = weight.mul_(lead.sigmoid_()).mul_(g[lists, rows].unsqueeze(-1))
        back[lists] += pull.sum(-2)
        pulled[lists, rows] = pull.sum(-1)
    back -= winners.placed(pulled, s.shape[1])
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
