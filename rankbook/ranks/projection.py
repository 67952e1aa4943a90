"""The soft rank of Blondel et al.: project the scores on the permutahedron."""

from __future__ import annotations

import math
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
    place = torch.arange(1, n + 1, dtype=u.dtype, device=u.device).expand_as(u)
    start, size = _blocks(u - place)
    u = u - u.gather(-1, start)
    return to_items(_mean(place - u, start, size) + u, order, scores.dtype), order, start, size


def _l2_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    order, start, size = saved
    g = grad.gather(-1, order).to(size.dtype)
    return to_items((_mean(g, start, size) - g) / _strength(scores, where, tau, g.dtype), order, grad.dtype)


def _kl_value(scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    """With z = -s / epsilon ascending, r = e^(z - v), v the isotonic regression in the log domain: a softmax in each block."""
    n = scores.shape[-1]
    order, z = place_on_line(scores, where, tau, float(n))  # a block spans at most log n
    place = torch.arange(1, n + 1, dtype=z.dtype, device=z.device).expand_as(z)
    start, size = _blocks(place, z)
    weight = (z - z.gather(-1, start)).exp()
    middle = _mean(place, start, size)
    ranks = weight * (middle / _mean(weight, start, size))
    return to_items(ranks, order, scores.dtype), order, start, size, ranks, middle


def _kl_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    order, start, size, ranks, middle = saved
    g = grad.gather(-1, order).to(size.dtype)
    weighted_mean = _mean(ranks / middle * g, start, size)  # the ranks of a block sum to its places
    return to_items(ranks * (weighted_mean - g) / tau, order, grad.dtype)


_l2_projection = ByHand("projection_l2", _l2_value, _l2_gradient)
_kl_projection = ByHand("projection_kl", _kl_value, _kl_gradient)


# ------------------------------------------------------------------ blocks of an isotonic regression


def _mean(values: Tensor, start: Tensor, size: Tensor) -> Tensor:
    """The mean over the block of each item ``[..., n]``."""
    return torch.zeros_like(values).scatter_add_(-1, start, values).gather(-1, start) / size


def _blocks(values: Tensor, tops: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Where the block of each item starts, and how many items it has (a float): ``[..., n]``.

    In least squares the level of a block is the mean of the ``values``. With ``tops``, z ascending, it is
    log sum exp(z) - log sum(values), the values being the places. On the host, whatever the device.
    """
    n, total = values.shape[-1], values.numel()
    numbers, tops = (None if x is None else x.reshape(-1).cpu().numpy().astype(np.float64) for x in (values, tops))
    last = np.arange(1, total + 1) % n == 0
    ones = np.ones(total)
    first = _pool(numbers, ones, None, last) if tops is None else _pool(ones, numbers, tops, last)
    sizes = np.diff(first, append=total)
    start, size = np.repeat(first % n, sizes), np.repeat(sizes, sizes)
    return (
        torch.from_numpy(start).view(values.shape).to(values.device),
        torch.from_numpy(size).to(values.dtype).view(values.shape).to(values.device),
    )


#: Below so many blocks one after the other is faster than all at once; and after so many passes it is not much slower.
_FEW, _PASSES = 128, 32


def _pool(over: np.ndarray, under: np.ndarray, tops: np.ndarray | None, last: np.ndarray) -> np.ndarray:
    """Pool adjacent violators: the index of the first item of each block of an ascending fit, for many lists at once.

    The level of a block is ``over / under``, times exp(top) if there are tops. Two neighbors that do not ascend end up in the
    same block, so a pass joins whole runs of them, and some ten passes do; ``last`` marks the items behind which a list ends.
    """
    first = np.arange(len(over))
    for _ in range(_PASSES):
        if len(first) <= _FEW:
            break
        ahead = over[1:] if tops is None else over[1:] * np.exp(np.minimum(tops[1:] - tops[:-1], 700.0))
        joins = (over[:-1] * under[1:] >= ahead * under[:-1]) & ~last[:-1]
        heads = np.flatnonzero(np.concatenate([[True], ~joins]))
        if len(heads) == len(first):
            return first
        tails = np.append(heads[1:], len(first)) - 1
        if tops is not None:
            over = over * np.exp(tops - np.repeat(tops[tails], tails - heads + 1))
            tops = tops[tails]
        over, under = np.add.reduceat(over, heads), np.add.reduceat(under, heads)
        first, last = first[heads], last[tails]
    return _pool_in_turn(first, over, under, tops, last)


def _pool_in_turn(first: np.ndarray, over: np.ndarray, under: np.ndarray, tops: np.ndarray | None, last: np.ndarray) -> np.ndarray:
    """The same one block after the other: linear in their number, whatever the values."""
    done: list[tuple[int, float, float, float, bool]] = []  # first, over, under, top, last
    tops = np.zeros_like(over) if tops is None else tops
    for block in zip(first.tolist(), over.tolist(), under.tolist(), tops.tolist(), last.tolist(), strict=True):
        start, a, b, top, end = block
        while done and not done[-1][4]:
            _, before_a, before_b, before_top, _ = done[-1]
            if before_a * b < a * math.exp(min(top - before_top, 700.0)) * before_b:
                break
            start = done.pop()[0]
            a, b = a + before_a * math.exp(before_top - top), b + before_b
        done.append((start, a, b, top, end))
    return np.array([block[0] for block in done])
