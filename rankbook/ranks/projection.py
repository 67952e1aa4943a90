"""The soft rank of Blondel et al.: project the scores on the permutahedron."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankbook.checks import check_positive, check_scores
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.spacing import place_on_line, to_items


def projection_ranks(
    scores: Tensor,
    relevance: Tensor | None = None,
    *,
    where: Tensor | None = None,
    tau: float = 0.1,
    regularization: Literal["l2", "kl"] = "l2",
) -> Tensor:
    r"""The point of the permutahedron (the hull of all rank vectors) that fits the scores best, drawn to the middle.

    .. math::
        r = \arg\min_{\mu \in \mathcal{P}(1, \dots, n)} \langle \mu, s \rangle + \varepsilon\, \Omega(\mu), \qquad
        \Omega_{l2}(\mu) = \tfrac12 \|\mu\|^2,\ \varepsilon = \frac{\tau}{n}; \qquad
        \Omega_{kl}(\mu) = \langle \mu, \log \mu - 1 \rangle,\ \varepsilon = \tau

    Sorting cuts the list into blocks of close scores. In a block B, at the places :math:`p_i`,

    .. math::
        r_i = \bar p_B + \frac{\bar s_B - s_i}{\varepsilon}\ \text{(l2)}, \qquad
        r_i = \frac{e^{-s_i / \varepsilon}}{\sum_{j \in B} e^{-s_j / \varepsilon}} \sum_{j \in B} p_j\ \text{(kl)},

    and the block-wise mean comes back in the gradient.

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing (n counts the present).
        tau: strength in units of the scores. Smaller is closer to the exact ranks. The l2 strength of the paper would
            have to change with n; here it does, so ``tau`` scales with the spread of the scores alone: a spread below
            some ``tau / 2`` is a single block, and neighbors are apart from a gap of ``tau / n`` on. With "kl" the gap that
            parts rank p from p + 1 is :math:`\tau \ln(1 + 1/p)`: the top is softer than the bottom.
            An item alone in its block has its exact rank and **no gradient at all**: a list that is well separated teaches nothing.
        regularization: ``"l2"`` (ranks piecewise linear) or ``"kl"`` (ranks smooth within a block).

    Returns:
        Ranks ``[..., n]``, differentiable once. They sum to :math:`n(n+1)/2`; once ``tau`` is small enough they equal
        ``exact_ranks(ties="average")``.

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory. The blocks are found on the CPU, item by item.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0, an unknown ``regularization``.

    Source: Fast Differentiable Sorting and Ranking (ICML 2020), propositions 3 and 4.

    >>> rb.projection_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=1.5)
    tensor([2.6667, 1.2667, 2.0667])
    >>> rb.projection_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=1.0, regularization="kl")
    tensor([2.6817, 1.3317, 1.9866])
    """
    tau = check_positive("tau", tau)
    if regularization not in ("l2", "kl"):
        raise ValueError(f'regularization must be "l2" or "kl", got {regularization!r}')
    scores, where = check_scores(scores, where)
    if regularization == "kl":
        return put_absent_last(_KLProjection.apply(scores, where, tau), where)
    n = scores.shape[-1] if where is None else where.sum(-1, keepdim=True).clamp(min=1).double()
    return put_absent_last(_L2Projection.apply(scores, where, tau / n), where)


class _L2Projection(torch.autograd.Function):
    """With u = -s / epsilon ascending, r = u - v, v the isotonic regression of u - p: the block-wise mean."""

    @staticmethod
    def forward(ctx, scores: Tensor, where: Tensor | None, strength: float | Tensor) -> Tensor:
        n = scores.shape[-1]
        order, u = place_on_line(scores, where, strength, float(n))  # a block of n items spans less than n units
        place = torch.arange(1, n + 1, dtype=u.dtype, device=u.device).expand_as(u)
        blocks = _Blocks(u - place, _pool_means)
        ctx.blocks, ctx.strength = blocks, strength
        ctx.save_for_backward(order)
        u = u - blocks.first(u)
        return to_items(blocks.mean(place - u) + u, order, scores.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_ranks: Tensor):
        (order,) = ctx.saved_tensors
        g = grad_ranks.gather(-1, order).double()
        return to_items((ctx.blocks.mean(g) - g) / ctx.strength, order, grad_ranks.dtype), None, None


class _KLProjection(torch.autograd.Function):
    """With z = -s / epsilon ascending, r = e^(z - v), v the isotonic regression in the log domain: a softmax in each block."""

    @staticmethod
    def forward(ctx, scores: Tensor, where: Tensor | None, strength: float) -> Tensor:
        n = scores.shape[-1]
        order, z = place_on_line(scores, where, strength, float(n))  # a block spans at most log n
        place = torch.arange(1, n + 1, dtype=z.dtype, device=z.device).expand_as(z)
        blocks = _Blocks(z, _pool_log_sums)
        weight = (z - blocks.first(z)).exp()
        ranks = weight * (blocks.mean(place) / blocks.mean(weight))
        ctx.blocks, ctx.strength = blocks, strength
        ctx.save_for_backward(order, ranks, place)
        return to_items(ranks, order, scores.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_ranks: Tensor):
        order, ranks, place = ctx.saved_tensors
        g = grad_ranks.gather(-1, order).double()
        weighted_mean = ctx.blocks.mean(ranks / ctx.blocks.mean(place) * g)  # the ranks of a block sum to its places
        return to_items(ranks * (weighted_mean - g) / ctx.strength, order, grad_ranks.dtype), None, None


class _Blocks:
    """The blocks of an isotonic regression of each list ``[..., n]``, and sums over them."""

    def __init__(self, values: Tensor, pool):
        rows = values.reshape(-1, values.shape[-1])
        sizes = [size for row in rows.tolist() for size in pool(row)]
        self.sizes = torch.tensor(sizes, device=values.device)
        self.block = torch.arange(len(sizes), device=values.device).repeat_interleave(self.sizes)  # of each item, over all lists

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the block of each item."""
        sums = values.new_zeros(len(self.sizes)).index_add_(0, self.block, values.reshape(-1))
        return (sums / self.sizes)[self.block].view(values.shape)

    def first(self, values: Tensor) -> Tensor:
        """The value of the first item of the block of each item."""
        starts = self.sizes.cumsum(0) - self.sizes
        return values.reshape(-1)[starts][self.block].view(values.shape)


def _pool_means(values: list[float]) -> list[int]:
    """Pool adjacent violators for an ascending fit in least squares: the sizes of the blocks."""
    sums, sizes = [], []
    for total in values:
        size = 1
        while sums and sums[-1] * size >= total * sizes[-1]:  # the mean before is not below: one block
            total += sums.pop()
            size += sizes.pop()
        sums.append(total)
        sizes.append(size)
    return sizes


def _pool_log_sums(values: list[float]) -> list[int]:
    """The same for the fit in the log domain: the level of a block is log sum exp(z) - log sum(places)."""
    sums, tops, places, sizes = [], [], [], []  # sum exp(z) = sums * exp(top); z ascends, so the last is the top
    for place, top in enumerate(values, start=1):
        total, size = 1.0, 1
        while sums and sums[-1] * place >= total * math.exp(min(top - tops[-1], 700.0)) * places[-1]:
            total += sums.pop() * math.exp(tops.pop() - top)
            place += places.pop()
            size += sizes.pop()
        sums.append(total)
        tops.append(top)
        places.append(place)
        sizes.append(size)
    return sizes
