"""Exact ranks on the way forward, a differentiable ranker on the way back."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from rankbook.checks import check_callable, check_choice
from rankbook.described import arguments
from rankbook.ranks.exact import TIES, exact_ranks
from rankbook.types import RankFn


def straight_through(ranker: RankFn, *, ties: Literal["max", "average", "min", "worst"] = "max") -> nn.Module:
    r"""A ranker that says the exact ranks and has the gradient of another one.

    .. math:: r_i = r^{\text{exact}}_i, \qquad \frac{\partial r_i}{\partial s_j} := \frac{\partial \tilde r_i}{\partial s_j}

    The loss is then the metric itself, and only its gradient is an estimate. What is lost is the slope of the formula at the soft
    ranks: where ranks err, value and gradient no longer belong together, and the step may raise the loss.

    Args:
        ranker: any ranker, a learned sorter too: :math:`\tilde r`. A module is registered, so that it moves, saves and trains.
        ties: of the exact ranks, as in `exact_ranks`; ``"worst"`` needs relevance.

    Returns: a module with the call of a ranker, ``(scores[..., n], relevance=None, *, where=None) -> ranks[..., n]``.

    Cost: that of the ranker, and a sort.

    Raises:
        TypeError: ``ranker`` that cannot be called.
        ValueError: an unknown ``ties``; the rest as the two rankers.

    Source: the straight-through estimator of Estimating or Propagating Gradients Through Stochastic Neurons (1308.3432), on ranks.

    >>> ranker = rb.straight_through(partial(rb.sigmoid_ranks, tau=0.1))
    >>> scores = torch.tensor([0.2, 0.9, 0.5], requires_grad=True)
    >>> ranks = ranker(scores)
    >>> ranks.detach(), torch.autograd.grad(ranks[0], scores)[0]
    (tensor([3., 1., 2.]), tensor([-0.4609,  0.0091,  0.4518]))
    """
    return _StraightThrough(ranker, ties)


class _StraightThrough(nn.Module):
    def __init__(self, ranker: RankFn, ties: str):
        super().__init__()
        self.ranker, self.ties = check_callable("ranker", ranker), check_choice("ties", ties, TIES)

    def forward(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        exact = exact_ranks(scores, relevance, where=where, ties=self.ties)
        soft = self.ranker(scores, relevance, where=where).to(exact.dtype)
        return exact + (soft - soft.detach()) if soft.requires_grad else exact  # plus zero, whose gradient is the ranker's

    extra_repr = arguments
