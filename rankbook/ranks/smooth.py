"""The sigmoid rank: replace each step of the counting by a sigmoid."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from rankbook.checks import check_positive, check_scores
from rankbook.ranks import fused
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.crossed import count_steps
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.pairs import leads
from rankbook.ranks.steps import Step


def sigmoid_ranks(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, tau: float = 0.01) -> Tensor:
    r"""Count the items above item *i*, each by a sigmoid of its lead instead of a step.

    .. math:: r_i = 1 + \sum_{j \ne i} \sigma\!\left(\frac{s_j - s_i}{\tau}\right), \qquad \sigma(x) = \frac{1}{1 + e^{-x}}

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        tau: temperature in units of the scores. Smaller is closer to the exact ranks; larger lets the gradient reach farther.
            The gradient of a pair vanishes beyond a gap of some ``10 * tau`` (:math:`\sigma'(10) = 4.5 \cdot 10^{-5}`), so
            scale ``tau`` with the spread of the scores: for cosines 0.01 to 0.1.

    Returns:
        Ranks ``[..., n]``, differentiable once. They sum to :math:`n(n+1)/2`; as ``tau`` goes to 0 they
        become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n^2)` time, :math:`O(n)` memory: pairs are computed in blocks and again in the backward pass.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0.

    Source: the same sum stands in ApproxNDCG (2010), SoDeep's handcrafted sorter (2019, eq. 11-12, zero-based),
    Smooth-AP (2020) and Recall@k surrogate (2022).

    >>> rb.sigmoid_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.1)
    tensor([2.9517, 1.0189, 2.0294])
    """
    return SigmoidStep(tau).ranks(scores, where=where)


class SigmoidStep:
    r"""The sigmoid :math:`\sigma(x / \tau)` (see `rankbook.ranks.steps`).

    Beyond a lead of some 43 tau (float32) value and slope no longer change: they are :math:`10^{-19}`, so that no square of
    theirs is subnormal. Arithmetic on subnormals is some fifty times slower.
    """

    def __init__(self, tau: float):
        self.tau = check_positive("tau", tau)
        self.scale = 1 / self.tau

    def sums(self, leads: Tensor) -> Tensor:
        return self.values_(leads).sum(-1)

    def values_(self, leads: Tensor) -> Tensor:
        """Overwrite the scaled leads by the sigmoid there."""
        far = _far(leads.dtype)
        return leads.clamp_(-far, far).sigmoid_()

    def slopes_(self, leads: Tensor) -> Tensor:
        slope = leads.abs_().clamp_(max=_far(leads.dtype)).neg_().sigmoid_()  # even; at -|x| it keeps its digits when it is tiny
        return slope.addcmul_(slope, slope, value=-1)

    def formula(self) -> fused.Formula:
        return fused.Formula(self.scale, _far(torch.float32))

    def ranks(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        scores, where = check_scores(scores, where)
        return put_absent_last(_sigmoid(scores, where, knobs=(self.tau,)), where)


def _far(dtype: torch.dtype) -> float:
    return -0.49 * math.log(torch.finfo(dtype).tiny)


def _value(step: Callable[..., Step], scores: Tensor, where: Tensor | None, _: None, *knobs: float) -> tuple[Tensor]:
    """Each item counts the others by a step of their lead, with H(x) + H(-x) = 1, in blocks of pairs."""
    counted = step(*knobs)
    rows, columns = _as_lists(scores, where)
    # an item has counted itself with H(0) = 1/2
    return (count_steps(columns, rows, counted).add_(0.5).view(scores.shape),)


def _gradient(
    step: Callable[..., Step], grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[()], *knobs: float
) -> Tensor:
    """The slope is even, so the Jacobian off the diagonal is symmetric: one more pass over the pairs."""
    counted = step(*knobs)
    rows, columns = _as_lists(scores, where)
    there = None if where is None else where.reshape(rows.shape)
    g = grad.reshape(rows.shape)
    g = g if there is None else g.where(there, 0.0)
    back = fused.by_kernels(counted, rows, lambda formula: fused.pull(rows, _nobody_above(rows, there), g, formula, own=g))
    if back is None:
        back = _pulled_in_blocks(counted, rows, columns, g, there)
    back *= counted.scale
    return (back if there is None else back.where(there, 0.0)).view(scores.shape)


def _pulled_in_blocks(counted: Step, rows: Tensor, columns: Tensor, g: Tensor, there: Tensor | None) -> Tensor:
    present = None if there is None else there.to(g.dtype)
    back = torch.empty_like(g, memory_format=torch.contiguous_format)
    for lists, block, lead in leads(columns, rows, counted.scale):
        slope = counted.slopes_(lead)
        slope.diagonal(block.start, -2, -1).zero_()  # the item itself: its large slope would drown the small ones
        # dr_i/ds_j = slope_ij * scale and dr_i/ds_i = -sum_j slope_ij * scale
        back[lists, block] = _weighted_sum(slope, g, lists) - _weighted_sum(slope, present, lists) * g[lists, block]
    return back


def _nobody_above(rows: Tensor, there: Tensor | None) -> Tensor:
    """An absent item counts nobody: its row is at plus infinity."""
    return rows if there is None else rows.masked_fill(~there, torch.inf)


def _weighted_sum(pairs: Tensor, weight: Tensor | None, lists: slice) -> Tensor:
    """Sum over the items j: [lists, rows, n] x [lists, n] -> [lists, rows]."""
    return pairs.sum(-1) if weight is None else (pairs @ weight[lists].unsqueeze(-1)).squeeze(-1)


def _as_lists(scores: Tensor, where: Tensor | None) -> tuple[Tensor, Tensor]:
    """Scores as rows and as columns [lists, n]: nobody counts an absent item, whose column is at minus infinity."""
    rows = scores.reshape(-1, scores.shape[-1])
    return rows, rows if where is None else rows.masked_fill(~where.reshape(rows.shape), -torch.inf)


_sigmoid = ByHand("sigmoid", partial(_value, SigmoidStep), partial(_gradient, SigmoidStep))
