"""Rankers that relax the permutation matrix: NeuralSort, SoftSort, Sinkhorn."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rankbook.checks import check_positive, check_scores
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.spacing import place_on_line, to_items


def neuralsort_ranks(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, tau: float = 0.1) -> Tensor:
    r"""The mean place of each item in NeuralSort's relaxed permutation matrix.

    .. math::
        \hat P_{p,:} = \mathrm{softmax}\!\left[\frac{(n + 1 - 2p)\, s - A \mathbf{1}}{\tau}\right], \quad A_{jk} = |s_j - s_k|, \qquad
        r_i = \frac{\sum_p p\, \hat P_{pi}}{\sum_p \hat P_{pi}}

    Row p says which item stands at place p. Its columns need not sum to 1; dividing by the sum keeps the ranks in [1, n].

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        tau: temperature in units of the scores. Smaller is closer to the exact ranks. What counts is the gap
            between neighbors in the sorted list (the logit of the k-th neighbor falls as :math:`k^2`), so ``tau``
            scales with spread / n; the gradient vanishes once all gaps exceed some ``10 * tau``.

    Returns:
        Ranks ``[..., n]`` in [1, n], differentiable; as ``tau`` goes to 0 they become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n^2)` time and memory for each list.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0.

    Source: NeuralSort (ICLR 2019), equation 5; the division is ours.

    >>> rb.neuralsort_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.2)
    tensor([2.8302, 1.1026, 2.0610])
    """
    scores, where, order, u = _sorted_line(scores, where, tau)
    places = torch.arange(1, u.shape[-1] + 1, dtype=u.dtype, device=u.device)
    # Moving from the k-th best item to the next adds (2p - 2k - 1) gap_k to row p: with v the sum of k gap_k over the
    # gaps up to the item, the logit is (2p - 1) u - 2v, up to a constant of the row. No n, no sum over all pairs, no
    # cancellation of |s_j - s_k| against n s.
    gaps = u.diff(dim=-1, prepend=u[..., :1])
    v = ((places - 1) * gaps).cumsum(-1)
    logits = (2 * places - 1).unsqueeze(-1) * _from_own(u) - 2 * _from_own(v)
    return put_absent_last(_mean_place(logits.to(scores.dtype), order), where)


def softsort_ranks(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, tau: float = 0.1) -> Tensor:
    r"""The mean place of each item in SoftSort's relaxed permutation matrix.

    .. math::
        \hat P_{p,:} = \mathrm{softmax}\!\left[-\frac{|s_{[p]} - s|}{\tau}\right], \qquad
        r_i = \frac{\sum_p p\, \hat P_{pi}}{\sum_p \hat P_{pi}}

    where :math:`s_{[p]}` is the p-th highest score. Dividing by the sum of the column keeps the ranks in [1, n].

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        tau: temperature in units of the scores. Smaller is closer to the exact ranks. It counts as in `laplace_ranks`: an item
            feels those within some ``10 * tau``; scale it with the spread of the scores, down with n for the same fidelity.

    Returns:
        Ranks ``[..., n]`` in [1, n], differentiable; as ``tau`` goes to 0 they become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n^2)` time and memory for each list.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0.

    Source: SoftSort (ICML 2020), equation 4 with d = the absolute difference; the division is ours.

    >>> rb.softsort_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.2)
    tensor([2.7813, 1.1506, 2.0601])
    """
    scores, where, order, u = _sorted_line(scores, where, tau)
    return put_absent_last(_mean_place(-_from_own(u).abs().to(scores.dtype), order), where)


def sinkhorn_ranks(
    scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, tau: float = 0.1, iterations: int = 10
) -> Tensor:
    r"""The mean place of each item when the scores are transported to the places 1..n at least cost, with entropy.

    .. math::
        P = \arg\min_{P\mathbf{1} = P^\top\mathbf{1} = \mathbf{1}}
            \sum_{ip} P_{ip}\, \frac{s_i\, p}{\tau} + \sum_{ip} P_{ip} (\log P_{ip} - 1), \qquad
        r_i = \sum_p p\, P_{ip}

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
        Ranks ``[..., n]`` in [1, n], differentiable; as ``tau`` goes to 0 they become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n^2 \cdot \text{iterations})` time and, to differentiate, memory for each list.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0, ``iterations`` not a whole number of at least 1.

    Source: Differentiable Ranks and Sorting using Optimal Transport (NeurIPS 2019); the start from the sorted duals as in
    Rethinking Initialization of the Sinkhorn Algorithm (AISTATS 2023).

    >>> rb.sinkhorn_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.2)
    tensor([2.6721, 1.2651, 2.0628])
    """
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
        raise ValueError(f"iterations must be a whole number of at least 1, got {iterations!r}")
    scores, where, order, u = _sorted_line(scores, where, tau)
    places = torch.arange(1, u.shape[-1] + 1, dtype=u.dtype, device=u.device)
    # log P_ip = u_i p - price_p; the price rises by the mean u of neighbors: item p then prefers its own place
    price = ((u[..., 1:] + u[..., :-1]) / 2).cumsum(-1)
    price = torch.cat([torch.zeros_like(u[..., :1]), price], -1)
    log_plan = (u.unsqueeze(-1) * _from_own(places) - _from_own(price)).to(scores.dtype)
    for _ in range(iterations):
        log_plan = log_plan.log_softmax(-2).log_softmax(-1)
    ranks = (log_plan.exp() * places.to(scores.dtype)).sum(-1)
    return put_absent_last(to_items(ranks, order, scores.dtype), where)


def _sorted_line(scores: Tensor, where: Tensor | None, tau: float) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """Check the input; the order and the place of the sorted items on the line, in units of tau, best first.

    Two items whose gap reaches the cap do not mix: e^(-cap / 2) is 0 in the dtype of the scores, or below its normal numbers.
    """
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    cap = -2 * math.log(torch.finfo(scores.dtype).tiny)
    return scores, where, *place_on_line(scores, where, tau, cap)


def _from_own(values: Tensor) -> Tensor:
    """x_j - x_p [..., p, j]: row by row from the diagonal, so that far items and long lists cost no digits."""
    return values.unsqueeze(-2) - values.unsqueeze(-1)


def _mean_place(logits: Tensor, order: Tensor) -> Tensor:
    """Ranks of the items from the logits [..., place, sorted item]. No column is empty: item p leads row p."""
    matrix = logits.softmax(-1)
    places = torch.arange(1, matrix.shape[-1] + 1, dtype=matrix.dtype, device=matrix.device)
    return to_items((places @ matrix) / matrix.sum(-2), order, matrix.dtype)
