"""The Sinkhorn rank: entropic transport of the scores to the places. Plain operations: differentiable any number of times."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_count, check_positive, check_scores
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.spacing import mixing_cap, place_on_line, to_items


def sinkhorn_ranks(
    scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, tau: float = 0.1, iterations: int = 10
) -> Tensor:
    r"""The mean place of each item when the scores are transported to the places 1..n at least cost, with entropy.

    .. math::
        \begin{aligned}
        P &= \arg\min_{P\mathbf{1} = P^\top\mathbf{1} = \mathbf{1}} \sum_{ip} P_{ip}\, \frac{s_i\, p}{\tau} \\
          &\qquad + \sum_{ip} P_{ip} (\log P_{ip} - 1), \\
        r_i &= \sum_p p\, P_{ip}
        \end{aligned}

    Sinkhorn's iterations make columns and rows sum to 1 in turn. They start from the prices of the transport without entropy,
    which the sort gives in closed form: so any number of iterations is right as ``tau`` goes to 0.

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        tau: temperature in units of the scores. Smaller is closer to the exact ranks. What counts is the gap between
            neighbors in the sorted list, so ``tau`` scales with spread / n; the gradient vanishes once all gaps
            exceed some ``20 * tau``.
        iterations: passes over columns and rows, at least 1. The rows always sum to 1, the columns after enough passes:
            some 10 for ``tau`` near the gaps, more for larger ``tau``.

    Returns:
        Ranks ``[..., n]`` in [1, n], differentiable any number of times; as ``tau`` goes to 0 they become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n^2 \cdot \text{iterations})` time and, to differentiate, memory for each list.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0, ``iterations`` not a whole number of at least 1.

    Source: Differentiable Ranks and Sorting using Optimal Transport (NeurIPS 2019); the start from the sorted duals as in
    Rethinking Initialization of the Sinkhorn Algorithm (AISTATS 2023).

    >>> rb.sinkhorn_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.2)
    tensor([2.6721, 1.2651, 2.0628])
    """
    tau, iterations = check_positive("tau", tau), check_count("iterations", iterations)
    scores, where = check_scores(scores, where)
    order, u = place_on_line(scores, where, tau, mixing_cap(scores.dtype))
    places = torch.arange(1, u.shape[-1] + 1, dtype=u.dtype, device=u.device)
    # log P_ip = u_i p - price_p; the price rises by the mean u of neighbors: item p then prefers its own place
    price = ((u[..., 1:] + u[..., :-1]) / 2).cumsum(-1)
    price = torch.cat([torch.zeros_like(u[..., :1]), price], -1)
    log_plan = (u.unsqueeze(-1) * _from_own(places) - _from_own(price)).to(scores.dtype)
    for _ in range(iterations):
        log_plan = log_plan.log_softmax(-2).log_softmax(-1)
    ranks = (log_plan.exp() * places.to(scores.dtype)).sum(-1)
    return put_absent_last(to_items(ranks, order, scores.dtype), where)


def _from_own(values: Tensor) -> Tensor:
    """x_j - x_p [..., p, j]: row by row from the diagonal, so that far items and long lists cost no digits."""
    return values.unsqueeze(-2) - values.unsqueeze(-1)
