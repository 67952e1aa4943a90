"""The sigmoid rank: replace each step of the counting by a sigmoid."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankbook.checks import check_positive, check_scores
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.pairs import leads, present_weights, sigmoid_slope_, weighted_sum


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
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    return put_absent_last(_SigmoidRanks.apply(scores, where, tau), where)


class _SigmoidRanks(torch.autograd.Function):
    """Ranks in blocks of pairs. The Jacobian off the diagonal is symmetric, so backward is one more pass over the pairs."""

    @staticmethod
    def forward(ctx, scores: Tensor, where: Tensor | None, tau: float) -> Tensor:
        ctx.save_for_backward(scores, where)
        ctx.tau = tau
        present = present_weights(scores, where)
        n = scores.shape[-1]
        s = scores.reshape(-1, n)
        ranks = torch.empty_like(s)
        for lists, rows, lead in leads(s, s, tau):
            half = 0.5 * n if present is None else 0.5 * present[lists].sum(-1, keepdim=True)
            # sigma(x) = 1/2 + tanh(x/2) / 2; tanh is faster than the sigmoid and has no subnormal tail
            ranks[lists, rows] = half + 0.5 * weighted_sum(lead.mul_(0.5).tanh_(), present, lists)
        # an item that is present has counted itself with sigma(0) = 1/2
        ranks += 0.5 if present is None else 1 - 0.5 * present
        return ranks.view(scores.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_ranks: Tensor):
        scores, where = ctx.saved_tensors
        present = present_weights(scores, where)
        s, g = (x.reshape(-1, scores.shape[-1]) for x in (scores, grad_ranks))
        g = g if present is None else g * present
        grad = torch.empty_like(g)
        for lists, rows, lead in leads(s, s, ctx.tau):
            slope = sigmoid_slope_(lead)
            # dr_i/ds_j = slope_ij / tau and dr_i/ds_i = -sum_j slope_ij / tau
            grad[lists, rows] = weighted_sum(slope, g, lists) - weighted_sum(slope, present, lists) * g[lists, rows]
        grad /= ctx.tau
        return (grad if present is None else grad * present).view(scores.shape), None, None
