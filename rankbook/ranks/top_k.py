"""Soft membership of the top k: not a rank but a share of a place, k shares in all."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_count, check_positive, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.spacing import mixing_cap, place_on_line, to_items

#: Halvings of an interval that holds the threshold, and then steps of Newton, each of which squares the error.
_HALVINGS, _STEPS = 20, 3
#: So far, in units of tau, Newton may leave the interval that rounding may have cut short.
_NEAR = 0.01


def soft_top_k(scores: Tensor, k: int, *, tau: float = 0.1, where: Tensor | None = None) -> Tensor:
    r"""How much each item belongs to the top k: a sigmoid of its lead over a threshold, which is set so that the shares sum to k.

    .. math::
        m_i = \sigma\!\left(\frac{s_i - \theta}{\tau}\right), \qquad \theta : \sum_i m_i = k

    It is the solution of a problem with an entropy, so the theory is that of a regularized linear program:

    .. math::
        m = \arg\max_{0 \le m_i \le 1,\ \sum_i m_i = k} \sum_i m_i s_i
        - \tau \sum_i \big( m_i \log m_i + (1 - m_i) \log (1 - m_i) \big)

    Args:
        scores: ``[..., n]``.
        k: how many places there are, from 1 to n. A list with k present items or fewer has a place for each: all shares are 1.
        tau: temperature in units of the scores. Smaller is closer to 0 and 1; larger lets the gradient reach farther from the edge:
            it falls as :math:`e^{-|s_i - \theta| / \tau}`.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items have share 0 and change nothing.

    Returns:
        Shares ``[..., n]`` in [0, 1] that sum to k, higher for a higher score. A number added to all scores changes nothing. As ``tau``
        goes to 0 they become 1 for the top k and 0 for the rest; items that tie at the edge divide what is left of the places.

    The gradient is that of the implicit function: with the slopes :math:`v_i = m_i (1 - m_i) / \tau`,
    :math:`\partial m_i / \partial s_j = v_i\,(\delta_{ij} - v_j / \sum_l v_l)`, symmetric. Differentiable once.

    Cost: :math:`O(n \log n)` time, for the sort, plus 23 sigmoids an item; :math:`O(n)` memory.

    Raises:
        ValueError: scores that are not finite, ``k`` not a whole number from 1 to n, ``tau`` not above 0.

    Source: the entropic relaxation of Differentiable Top-k with Optimal Transport (NeurIPS 2020), whose two columns, in or out of the
    top k, leave one unknown; here it is solved for, not iterated to.

    >>> rb.soft_top_k(torch.tensor([0.9, 0.5, 0.4, 0.1]), 2, tau=0.1)
    tensor([0.9886, 0.6140, 0.3691, 0.0283])
    """
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    k = check_count("k", k, at_most=scores.shape[-1])
    return _shares(scores, where, knobs=(float(k), tau))


def _distances(scores: Tensor, where: Tensor | None, k: float, tau: float) -> tuple[Tensor, Tensor]:
    """How far each item stands above the threshold, in units of tau ``[..., n]``; and whether its list is longer than k ``[..., 1]``.

    In the sorted list the threshold is at most log n above the item at k (those before it count at most k - 1), and at most log n
    below the item at k + 1 (which then makes it k). Distances are measured from the item at k, where the digits are needed.
    """
    n = scores.shape[-1]
    order, line = place_on_line(scores, where, tau, mixing_cap(scores.dtype))
    size = torch.full_like(line[..., :1], n) if where is None else where.sum(-1, keepdim=True).to(line.dtype)
    longer = size > k
    depth = line - line[..., int(k) - 1 : int(k)]  # how far below the item at k
    if where is not None:
        depth = depth.masked_fill(torch.arange(n, device=line.device) >= size, torch.inf)
    # the threshold, as a depth, lies between low and high
    edge = depth[..., int(k) : int(k) + 1] if k < n else torch.zeros_like(longer, dtype=line.dtype)
    high = torch.where(longer, edge, 0.0) + torch.log1p(size)
    low = -torch.log1p(size)
    low, high, rough = low.to(scores.dtype), high.to(scores.dtype), depth.to(scores.dtype)
    for _ in range(_HALVINGS):  # in the dtype of the scores: quicker, and as near as their digits go
        middle = (low + high) / 2
        enough = torch.sigmoid(middle - rough).sum(-1, keepdim=True) >= k
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    low, high = (low - _NEAR).to(depth.dtype), (high + _NEAR).to(depth.dtype)
    threshold = (low + high) / 2
    for _ in range(_STEPS):
        shares = torch.sigmoid(threshold - depth)
        slope = (shares * torch.sigmoid(depth - threshold)).sum(-1, keepdim=True)
        step = (k - shares.sum(-1, keepdim=True)) / slope.clamp(min=torch.finfo(slope.dtype).tiny)
        threshold = (threshold + step).clamp(low, high)
    return to_items(threshold - depth, order, scores.dtype), longer


def _value(scores: Tensor, where: Tensor | None, _: None, k: float, tau: float) -> tuple[Tensor, ...]:
    distances, longer = _distances(scores, where, k, tau)
    shares = torch.where(longer, torch.sigmoid(distances), 1.0)
    return shares if where is None else shares.masked_fill(~where, 0.0), distances, longer


def _gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, Tensor], k: float, tau: float) -> Tensor:
    distances, longer = saved
    small = torch.sigmoid(-distances.abs())  # keeps its digits where the share is near 1
    slopes = torch.where(longer, small * (1 - small), 0.0)
    if where is not None:
        slopes, grad = slopes.masked_fill(~where, 0.0), grad.masked_fill(~where, 0.0)
    total = slopes.sum(-1, keepdim=True)
    mean = (slopes * grad).sum(-1, keepdim=True) / torch.where(total > 0, total, 1.0)
    return slopes * (grad - mean) / tau


_shares = ByHand("soft top k", _value, _gradient)
