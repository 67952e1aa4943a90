"""Rankers that treat the sort as a black box: a difference of ranks, or an average over noise, stands in for the gradient."""

from __future__ import annotations

import numbers

import torch
from torch import Tensor

from rankbook.checks import check_flag, check_positive, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.spacing import average_ranks, shared_places, to_items


def blackbox_ranks(
    scores: Tensor,
    relevance: Tensor | None = None,
    *,
    where: Tensor | None = None,
    strength: float = 1.0,
    relative: bool = False,
) -> Tensor:
    r"""The exact ranks, with the gradient of an interpolation: how the ranks change if the scores give way to the loss.

    .. math::
        r = \mathrm{rk}(s), \qquad
        \frac{\partial \mathcal{L}}{\partial s} \approx
        \frac{1}{\lambda} \left[ \mathrm{rk}\!\left(s + \lambda \frac{\partial \mathcal{L}}{\partial r}\right) - \mathrm{rk}(s) \right]

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        strength: :math:`\lambda`, in units of the scores for a unit of the gradient of the loss. The ranks are exact at any
            value; a larger one looks farther. **The gradient is exactly 0** unless :math:`\lambda\, \partial\mathcal{L} / \partial r`
            bridges the gap between two items, so scale it with the gaps of the scores over the gradient of the loss.
            Papers that divide ranks by n quote a value n times smaller (4 in ROADMAP's baseline).
        relative: divide :math:`\lambda` by the largest :math:`|\partial\mathcal{L} / \partial r|` of the list. ``strength`` is then
            in units of the scores, the farthest that an item moves, and a loss times 65536 (a ``GradScaler``), a share of it
            (accumulation) or a mean over more lists has the gradient times that number. **As the papers have it (False), it has
            not**: :math:`\lambda` is fixed while :math:`\partial\mathcal{L} / \partial r` is scaled, so every such scale is another
            strength; with False divide ``strength`` by it.

    Returns:
        The ranks ``[..., n]`` of ``exact_ranks(ties="max")``. The gradient sums to 0 in each list (the difference takes tied
        items at their average). No noise is drawn; against dead gradients shift the scores of the positives by a margin.

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory: a sort forward, two backward.

    Raises:
        ValueError: NaN or inf in the scores, ``strength`` not above 0. TypeError: ``relative`` not a bool.

    Source: Differentiation of Blackbox Combinatorial Solvers (ICLR 2020), algorithm 1; Optimizing Rank-Based Metrics with
    Blackbox Differentiation (CVPR 2020).

    >>> scores = torch.tensor([0.2, 0.9, 0.5], requires_grad=True)
    >>> ranks = rb.blackbox_ranks(scores, strength=0.5)
    >>> ranks.detach()
    tensor([3., 1., 2.])
    >>> ranks[0].backward()
    >>> scores.grad
    tensor([-2.,  0.,  2.])
    """
    strength, relative = check_positive("strength", strength), check_flag("relative", relative)
    scores, where = check_scores(scores, where)
    return put_absent_last(_blackbox(scores, where, knobs=(strength, float(relative))), where)


def perturbed_ranks(
    scores: Tensor,
    relevance: Tensor | None = None,
    *,
    where: Tensor | None = None,
    sigma: float = 0.01,
    samples: int = 32,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""The mean rank under Gaussian noise, estimated from samples.

    .. math::
        r = \mathbb{E}_Z\, \mathrm{rk}(s + \sigma Z), \qquad
        \frac{\partial \langle g, r \rangle}{\partial s}
            = \frac1\sigma\, \mathbb{E}_Z \big[ \langle g, \mathrm{rk}(s + \sigma Z) \rangle\, Z \big], \qquad
        Z \sim \mathcal{N}(0, I)

    Both estimates are unbiased. Noise comes in pairs Z, -Z: what is even in Z, the mean rank above all, drops out of the
    gradient's estimate instead of adding to its variance.

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact in what it ranks (absent items are never counted),
            but padding changes which noise the items draw.
        sigma: standard deviation of the noise in units of the scores. Smaller is closer to the exact ranks; scale it with
            the spread of the scores. The gradient vanishes for gaps beyond some ``5 * sigma``, and its noise grows
            with n: one number :math:`\langle g, \mathrm{rk} \rangle` a sample informs all n items.
        samples: number of noisy sorts, even. The error of ranks and gradient falls as :math:`1 / \sqrt{\text{samples}}`.
        generator: source of the noise, on the device of the scores. None draws from torch's global generator, as
            ``torch.randn`` does; nothing is seeded. ``torch.compile`` and ``torch.func.vmap`` know None only (and vmap
            wants ``randomness="different"`` or "same").

    Returns:
        Ranks ``[..., n]``, random, differentiable once; the backward pass uses the noise of the forward pass. They sum to
        :math:`n(n+1)/2`; as ``sigma`` goes to 0 they become ``exact_ranks(ties="average")``.

    Cost: :math:`O(\text{samples} \cdot n \log n)` time, :math:`O(\text{samples} \cdot n)` memory.

    Raises:
        ValueError: NaN or inf in the scores, ``sigma`` not above 0, ``samples`` not an even whole number of at least 2.

    Source: Learning with Differentiable Perturbed Optimizers (NeurIPS 2020), proposition 3.1; pairs are ours.

    >>> generator = torch.Generator().manual_seed(0)
    >>> rb.perturbed_ranks(torch.tensor([0.2, 0.9, 0.5]), sigma=0.02, generator=generator)
    tensor([3., 1., 2.])
    """
    sigma = check_positive("sigma", sigma)
    if isinstance(samples, bool) or not isinstance(samples, numbers.Integral) or samples < 2 or samples % 2:
        raise ValueError(f"samples must be an even whole number of at least 2 (noise comes in pairs Z, -Z), got {samples!r}")
    scores, where = check_scores(scores, where)
    noise = torch.randn((samples // 2, *scores.shape), generator=generator, dtype=scores.dtype, device=scores.device)
    return put_absent_last(_perturbed(scores, where, noise.movedim(0, -2), knobs=(sigma,)), where)


def _blackbox_value(scores: Tensor, where: Tensor | None, _: None, strength: float, relative: float) -> tuple[Tensor, ...]:
    first, last, order = shared_places(scores, where)
    return to_items(last, order, scores.dtype), to_items((first + last) / 2, order, scores.dtype)


def _blackbox_gradient(
    grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], strength: float, relative: float
) -> Tensor:
    if relative:
        largest = grad.abs() if where is None else grad.abs().masked_fill_(~where, 0.0)
        largest = largest.amax(-1, keepdim=True)
        strength = strength / torch.where(largest > 0, largest, 1.0)
    limit = torch.finfo(scores.dtype).max
    moved = average_ranks((scores + strength * grad).clamp_(-limit, limit), where)
    change = (moved - saved[0]) / strength
    return change if where is None else change.masked_fill_(~where, 0.0)


#: Items that are sorted at a time on the host: what a group of samples needs stays in the cache.
_ITEMS = 1 << 15


def _perturbed_value(scores: Tensor, where: Tensor | None, noise: Tensor, sigma: float) -> tuple[Tensor, ...]:
    s, limit = scores.unsqueeze(-2), torch.finfo(scores.dtype).max
    group = noise.shape[-2] if scores.device.type != "cpu" else max(1, _ITEMS // max(1, scores.numel()))
    total, changes = torch.zeros_like(scores), torch.empty_like(noise)
    for z, change in zip(noise.split(group, -2), changes.split(group, -2), strict=True):
        mask = None if where is None else where.unsqueeze(-2).expand(z.shape)
        plus, minus = (average_ranks(torch.add(s, z, alpha=scale).clamp_(-limit, limit), mask) for scale in (sigma, -sigma))
        torch.sub(plus, minus, out=change)
        total += plus.add_(minus).sum(-2)
    return total / (2 * noise.shape[-2]), changes


def _perturbed_gradient(
    grad: Tensor, scores: Tensor, where: Tensor | None, noise: Tensor, saved: tuple[Tensor, ...], sigma: float
) -> Tensor:
    if where is not None:
        grad = grad.masked_fill(~where, 0.0)
    along = saved[0] @ grad.unsqueeze(-1)  # <g, rk(s + sigma Z) - rk(s - sigma Z)>, a number for each pair and list
    back = (along.mT @ noise).squeeze(-2) / (2 * sigma * noise.shape[-2])
    return back if where is None else back.masked_fill_(~where, 0.0)


_blackbox = ByHand("blackbox", _blackbox_value, _blackbox_gradient)
_perturbed = ByHand("perturbed", _perturbed_value, _perturbed_gradient)
