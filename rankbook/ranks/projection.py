"""The soft rank of Blondel et al.: project the scores on the permutahedron."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import check_choice, check_positive, check_scores
from rankbook.precision import wide
from rankbook.ranks.by_hand import ByHand
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

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory. The blocks are found on the CPU, those of all lists at once: on a GPU this is a
    copy there and back, which waits for the scores (with `rankbook.checks.off` too).

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0, an unknown ``regularization``.

    Source: Fast Differentiable Sorting and Ranking (ICML 2020), propositions 3 and 4.

    >>> rb.projection_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=1.5)
    tensor([2.6667, 1.2667, 2.0667])
    >>> rb.projection_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=1.0, regularization="kl")
    tensor([2.6817, 1.3317, 1.9866])
    """
    tau, kind = check_positive("tau", tau), check_choice("regularization", regularization, ("l2", "kl"))
    scores, where = check_scores(scores, where)
    return put_absent_last((_l2_projection if kind == "l2" else _kl_projection)(scores, where, knobs=(tau,)), where)


def _strength(scores: Tensor, where: Tensor | None, tau: float, dtype: torch.dtype) -> float | Tensor:
    """The l2 strength of each list: tau / n, of the present items."""
    return tau / scores.shape[-1] if where is None else tau / where.sum(-1, keepdim=True).clamp(min=1).to(dtype)


def _l2_value(scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    """With u = -s / epsilon ascending, r = u - v, v the isotonic regression of u - p: the block-wise mean."""
    n = scores.shape[-1]
    strength = _strength(scores, where, tau, wide(scores.device))
    order, u = place_on_line(scores, where, strength, float(n))  # a block of n items spans less than n units
    place = torch.arange(1, n + 1, dtype=u.dtype, device=u.device)
    start, size = _blocks(u, _l2_levels)
    u = u - u.gather(-1, start)
    return to_items(_mean(place - u, start, size).add_(u), order, scores.dtype), order, start, size


def _l2_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    order, start, size = saved
    g = grad.gather(-1, order).to(size.dtype)
    back = _mean(g, start, size).sub_(g)
    return to_items(back.div_(_strength(scores, where, tau, g.dtype)), order, grad.dtype)


def _kl_value(scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    """With z = -s / epsilon ascending, r = e^(z - v), v the isotonic regression in the log domain: a softmax in each block."""
    order, z = place_on_line(scores, where, tau, _kl_reach(scores.shape[-1]))
    start, size = _blocks(z, _kl_levels)
    weight = (z - z.gather(-1, start)).exp_()
    share = weight.div_(_mean(weight, start, size))  # in units of an equal one
    ranks = (size + 1).div_(2).add_(start).mul_(share)  # the mean of the places of the block, shared out
    return to_items(ranks, order, scores.dtype), order, start, size, ranks, share


def _kl_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    order, start, size, ranks, share = saved
    g = grad.gather(-1, order).to(size.dtype)
    return to_items(_mean(share * g, start, size).sub_(g).mul_(ranks).div_(tau), order, grad.dtype)


_l2_projection = ByHand("projection_l2", _l2_value, _l2_gradient)
_kl_projection = ByHand("projection_kl", _kl_value, _kl_gradient)


# ------------------------------------------------------------------ blocks of an isotonic regression


def _mean(values: Tensor, start: Tensor, size: Tensor) -> Tensor:
    """The mean over the block of each item ``[..., n]``."""
    return torch.zeros_like(values).scatter_add_(-1, start, values).gather(-1, start).div_(size)


#: What is pooled: targets and weights (or None for equal ones), one list behind the other so far apart that none pools with the next.
Levels = Iterator[tuple[np.ndarray, np.ndarray | None]]


def _blocks(line: Tensor, levels: Callable[[Tensor], Levels]) -> tuple[Tensor, Tensor]:
    """Where the block of each item starts, and how many items it has (a float): ``[..., n]``. On the host, whatever the device.

    Of the line ``[lists, n]``, ascending, ``levels`` makes the targets of an isotonic regression, whole lists at a time.
    """
    # scipy's is compiled, and linear in the items; it is loaded where it is needed, since that takes longer than our whole core
    from scipy.optimize import isotonic_regression

    n = line.shape[-1]
    start, size = [], []
    for targets, weights in levels(line.detach().cpu().reshape(-1, n)):
        first = isotonic_regression(targets.ravel(), weights=weights).blocks
        sizes = np.diff(first)
        start.append(np.repeat(first[:-1] % n, sizes))
        size.append(np.repeat(sizes.astype(np.float64), sizes))
    start, size = (x[0] if len(x) == 1 else np.concatenate(x) for x in (start, size))
    size = size.astype(np.float32 if line.dtype == torch.float32 else np.float64, copy=False)
    return (torch.from_numpy(x).view(line.shape).to(line.device) for x in (start, size))


def _l2_levels(line: Tensor) -> Levels:
    """Least squares of the line less the places."""
    targets = line.numpy() - np.arange(line.shape[-1], dtype=np.float64)
    ends = targets.max(-1) + line.shape[-1]  # no target is below that of the first item by n
    targets[1:] += np.cumsum(ends)[:-1, None]
    yield targets, None


#: Ahead of a certain cut the levels rise by this much, in logarithms, and no more: enough to stay apart.
_APART = 1e-6
#: So far may the levels rise, in logarithms, before an exponential leaves the range of float64.
_RANGE = 600.0


def _kl_reach(n: int) -> float:
    """No block spans more than log n of the line, so longer gaps are alike."""
    return math.log(n) + 1


def _kl_levels(line: Tensor) -> Levels:
    """The level of a block is sum exp(z) / sum p: the mean of exp(z) / p, weighted by the places p.

    exp(z) would overflow. But between two items a block ends for certain if all levels before are below all behind, and what
    one rises from cut to cut does not matter: with those gaps shortened, a list rises by 3 log n at most.
    """
    places = torch.arange(1, line.shape[-1] + 1, dtype=line.dtype, device=line.device)
    level = line - places.log()
    behind = torch.from_numpy(np.minimum.accumulate(level.numpy()[:, :0:-1], -1)[:, ::-1].copy())
    gaps = behind.sub_(level.cummax(-1).values[:, :-1]).sub_(_APART).clamp_(min=0)
    level[:, 1:] -= gaps.cumsum_(-1)
    level, places = level.numpy().astype(np.float64, copy=False), places.numpy()
    lowest = level.min(-1)
    ends = np.cumsum(level.max(-1) - lowest + _APART)
    shift = np.concatenate([[0.0], ends[:-1]])
    parts = shift // _RANGE  # of the lists
    for part in np.unique(parts):
        some = parts == part
        shift[some] -= shift[some][0]
        exponent = level[some] + (shift - lowest)[some, None]
        yield np.exp(exponent, out=exponent), np.broadcast_to(places, exponent.shape).ravel()
