"""Differentiable sorting networks: a fixed wiring of comparators, each of which swaps its two items softly."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from rankbook.checks import check_choice, check_positive, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import put_absent_last


def network_ranks(
    scores: Tensor,
    relevance: Tensor | None = None,
    *,
    where: Tensor | None = None,
    tau: float = 0.01,
    network: Literal["odd_even", "bitonic"] = "odd_even",
) -> Tensor:
    r"""Sort by a network of soft comparators; the rank of an item is its mean place at the end.

    A comparator on the wires a < b brings the higher of two values to a, with the weight :math:`\alpha` instead of for sure:

    .. math::
        \begin{aligned}
        x_a' &= \alpha x_a + (1 - \alpha) x_b, \\
        x_b' &= (1 - \alpha) x_a + \alpha x_b, \\
        \alpha &= \frac12 + \frac1\pi \arctan\frac{x_a - x_b}{\tau}
        \end{aligned}

    All layers together are a doubly stochastic matrix :math:`P = L_K \cdots L_1`, and :math:`r = P^\top (1, \dots, n)^\top`. A
    layer is symmetric, so :math:`r = L_1 \cdots L_K (1, \dots, n)^\top`: the places run back through the network as a
    vector, and no n x n matrix is built.

    The arctangent (the Cauchy distribution function) keeps the network monotonic: no sorted value falls when a score rises.
    The logistic function does not ensure that.

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: the present items run through the network of
            their own number.
        tau: temperature in units of the scores. Smaller is closer to the exact ranks. A comparator errs by some
            :math:`\tau / (\pi\,\mathrm{gap})` and errors add up over the layers, so ``tau`` scales with the gap between
            neighbors over the number of layers. The gradient of a pair falls as the square of its gap: it never quite vanishes.
        network: ``"odd_even"`` (n layers, neighbors only) or ``"bitonic"`` (:math:`\log_2 n (\log_2 n + 1) / 2` layers; any n:
            the wires up to the next power of two stay empty).

    Returns:
        Ranks ``[..., n]`` in [1, n], differentiable once; they sum to :math:`n(n+1)/2`. As ``tau`` goes to 0 they become
        the exact ranks of scores without ties. Soft ranks **depend on the order of the items** in the input, since the wiring
        does, and tied items get ranks between the first and the last of their places, not always the same.

    Cost: :math:`O(n)` time and memory for each layer: :math:`O(n^2)` (odd-even) or :math:`O(n \log^2 n)` (bitonic).

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0, an unknown ``network``.

    Source: Differentiable Sorting Networks (ICML 2021); Monotonic Differentiable Sorting Networks (ICLR 2022).

    >>> rb.network_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.01)
    tensor([2.9802, 1.0170, 2.0028])
    """
    tau, network = check_positive("tau", tau), check_choice("network", network, ("odd_even", "bitonic"))
    scores, where = check_scores(scores, where)
    return put_absent_last((_odd_even_network if network == "odd_even" else _bitonic_network)(scores, where, knobs=(tau,)), where)


#: The partner of each wire [layers, wires], and how many items a list must exceed for a layer to serve it.
Wiring = tuple[Tensor, list[int]]

#: Scores enter times this power of two (no digit is lost), so that a difference of two of them does not overflow.
_HALF_RANGE = 0.25


def _value(wiring: Callable[..., Wiring], scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    """The mean place at which each wire's value comes out."""
    n, device = scores.shape[-1], scores.device
    partners, needs = wiring(n, device)
    count = torch.full((1,), n, device=device) if where is None else where.sum(-1, keepdim=True)
    x = _to_wires(scores, where, partners.shape[-1]) * _HALF_RANGE
    wire = torch.arange(x.shape[-1], device=device)
    leads, stays, places = [], [], []
    for partner, need in zip(partners, needs, strict=True):
        other = x.index_select(-1, partner)
        lead = torch.where(wire < partner, x - other, other - x) / (tau * _HALF_RANGE)  # of the wire in front: one number for the two
        # Empty wires are behind all others and every comparator sends the higher value to the front, so they never swap;
        # layers beyond those that the list needs are not there.
        soft = (torch.maximum(wire, partner) < count) & (count > need)
        lead = torch.where(soft, lead, torch.inf)
        stay = torch.atan(lead).div_(math.pi).add_(0.5)
        x = torch.lerp(other, x, stay)
        leads.append(lead)
        stays.append(stay)
    ranks = (wire + 1).to(x.dtype).expand(x.shape)
    for partner, stay in zip(reversed(partners), reversed(stays), strict=True):
        places.append(ranks)
        ranks = torch.lerp(ranks.index_select(-1, partner), ranks, stay)
    return _to_items(ranks, where, n), *leads, *stays, *reversed(places)


def _gradient(
    wiring: Callable[..., Wiring], grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float
) -> Tensor:
    """By hand, because the slope of a comparator times the lead it is multiplied with is bounded (by 1 / 2 pi), while
    autograd's product of the two parts overflows for huge scores and a small tau.
    """
    n = scores.shape[-1]
    partners, _ = wiring(n, scores.device)
    depth = len(partners)
    layers = list(zip(partners, saved[:depth], saved[depth : 2 * depth], saved[2 * depth :], strict=True))
    grad = _to_wires(grad, where, partners.shape[-1])
    wire = torch.arange(grad.shape[-1], device=grad.device)
    to_leads = []  # gradient with respect to x_a - x_b, through the places
    for partner, lead, stay, places in layers:
        other = grad.index_select(-1, partner)
        slope = lead.square().add_(1).mul_(math.pi * tau).reciprocal_()
        to_leads.append(slope * (grad - other) * (places - places.index_select(-1, partner)))
        grad = torch.lerp(other, grad, stay)
    grad = torch.zeros_like(grad)  # with respect to the sorted values: nothing reads them
    for (partner, lead, stay, _), to_lead in zip(reversed(layers), reversed(to_leads), strict=True):
        other = grad.index_select(-1, partner)
        slope_times_lead = (lead + lead.reciprocal()).mul_(math.pi).reciprocal_()  # u / (1 + u^2), whatever u
        grad = torch.lerp(other, grad, stay) + slope_times_lead * (grad - other) + torch.where(wire < partner, to_lead, -to_lead)
    return _to_items(grad, where, n)


def _present_first(where: Tensor) -> Tensor:
    """The order that puts the present items on the first wires, in their order."""
    return (~where).long().argsort(dim=-1, stable=True)


def _to_wires(items: Tensor, where: Tensor | None, wires: int) -> Tensor:
    items = items if where is None else items.gather(-1, _present_first(where))
    return pad(items, (0, wires - items.shape[-1]))


def _to_items(wires: Tensor, where: Tensor | None, n: int) -> Tensor:
    wires = wires[..., :n]
    return wires.contiguous() if where is None else torch.zeros_like(wires).scatter(-1, _present_first(where), wires)


def _odd_even(n: int, device: torch.device) -> Wiring:
    """The partner of each wire [layers, n] (itself if idle); a layer serves the lists of more than so many items [layers]."""
    wire = torch.arange(n, device=device)
    layer = torch.arange(n, device=device).unsqueeze(-1)
    partner = torch.where((wire + layer) % 2 == 0, wire + 1, wire - 1)
    return torch.where((partner < 0) | (partner >= n), wire, partner), list(range(n))


def _bitonic(n: int, device: torch.device) -> Wiring:
    """The same on the next power of two of wires. Each merge starts mirrored, so that all comparators point the same way."""
    stages = (n - 1).bit_length()
    wire = torch.arange(1 << stages, device=device)
    masks, needs = [], []
    for stage in range(1, stages + 1):  # merges blocks of 2^(stage - 1) into blocks of 2^stage
        masks += [(1 << stage) - 1, *(1 << k for k in reversed(range(stage - 1)))]
        needs += [1 << (stage - 1)] * stage
    return wire ^ torch.tensor(masks, dtype=torch.long, device=device).unsqueeze(-1), needs


_odd_even_network, _bitonic_network = (
    ByHand(f"network{wiring.__name__}", partial(_value, wiring), partial(_gradient, wiring)) for wiring in (_odd_even, _bitonic)
)
