"""Rankers that relax the permutation matrix: NeuralSort and SoftSort."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rankbook.checks import check_positive, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.spacing import mixing_cap, place_on_line, to_items


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
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    return put_absent_last(_neuralsort(scores, where, knobs=(tau,)), where)


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
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    return put_absent_last(_softsort(scores, where, knobs=(tau,)), where)


def _softsort_value(scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    order, u = place_on_line(scores, where, tau, mixing_cap(scores.dtype))
    line = u.reshape(-1, u.shape[-1])
    ranks, mass = _mean_places(lambda lists, rows: _leads(line, lists, rows).abs_().neg_(), line, scores.dtype)
    return to_items(ranks.view(u.shape), order, scores.dtype), order, u, ranks.view(u.shape), mass.view(u.shape)


def _softsort_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    order, *saved = saved
    line, ranks, mass = (x.reshape(-1, x.shape[-1]) for x in saved)
    pull = grad.gather(-1, order).reshape(line.shape) / mass
    to_scores = torch.zeros_like(pull)

    def logits(lists: slice, rows: slice) -> Tensor:
        return _leads(line, lists, rows).abs_().neg_()

    for lists, rows, to_logits in _to_logits(logits, pull, ranks, line):
        along = to_logits.mul_(_leads(line, lists, rows).sign_())  # a score that is farther behind is pulled up
        to_scores[lists] += along.sum(-2)
        to_scores[lists, rows] -= along.sum(-1)
    return _back(to_scores.view(scores.shape), order, where, tau)


def _neuralsort_logits(u: Tensor) -> Callable[[slice, slice], Tensor]:
    """Moving from the k-th best item to the next adds (2p - 2k - 1) gap_k to row p: with v the sum of k gap_k over the gaps
    up to the item, the logit is (2p - 1) u - 2v, up to a constant of the row. No n, no sum over all pairs, no cancellation of
    |s_j - s_k| against n s."""
    places = torch.arange(1, u.shape[-1] + 1, dtype=u.dtype, device=u.device)
    twice_v = 2 * ((places - 1) * u.diff(dim=-1, prepend=u[..., :1])).cumsum(-1)
    own = (2 * places - 1) * u - twice_v

    def logits(lists: slice, rows: slice) -> Tensor:
        along = (2 * places[rows] - 1).unsqueeze(-1) * u[lists].unsqueeze(-2)
        return along.sub_(twice_v[lists].unsqueeze(-2)).sub_(own[lists, rows].unsqueeze(-1))

    return logits


def _neuralsort_value(scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    order, u = place_on_line(scores, where, tau, mixing_cap(scores.dtype))
    line = u.reshape(-1, u.shape[-1])
    ranks, mass = _mean_places(_neuralsort_logits(line), line, scores.dtype)
    return to_items(ranks.view(u.shape), order, scores.dtype), order, u, ranks.view(u.shape), mass.view(u.shape)


def _neuralsort_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    order, *saved = saved
    line, ranks, mass = (x.reshape(-1, x.shape[-1]) for x in saved)
    pull = grad.gather(-1, order).reshape(line.shape) / mass
    direct, rest = torch.zeros_like(pull), torch.zeros_like(pull)
    places = torch.arange(line.shape[-1], dtype=pull.dtype, device=pull.device)
    for lists, rows, to_logits in _to_logits(_neuralsort_logits(line), pull, ranks, line):
        rest[lists] += to_logits.sum(-2)
        # item k enters row p through the gaps in front of it: (2p - 2k + 1) times its score, and a sum over those behind it
        direct[lists] += to_logits.mul_((places[rows].unsqueeze(-1) - places).mul_(2).add_(1)).sum(-2)
    behind = rest.flip(-1).cumsum(-1).flip(-1) - rest
    return _back((-direct - 2 * behind).view(scores.shape), order, where, tau)


_softsort = ByHand("softsort", _softsort_value, _softsort_gradient)
_neuralsort = ByHand("neuralsort", _neuralsort_value, _neuralsort_gradient)


# ------------------------------------------------------------------ the matrices, some rows at a time

#: Entries of the matrix computed at a time: 1 MiB of float64, which stays in the cache and bounds the memory.
_ENTRIES = 1 << 17


def _mean_places(logits: Callable[[slice, slice], Tensor], line: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean place and mass of each column [lists, n]. No column is empty: item p leads row p."""
    places = torch.arange(1, line.shape[-1] + 1, dtype=dtype, device=line.device)
    sums = torch.zeros(len(line), 2, line.shape[-1], dtype=dtype, device=line.device)
    for lists, rows in _blocks(line):
        matrix = logits(lists, rows).to(dtype).softmax(-1)
        weights = torch.stack([places[rows], torch.ones_like(places[rows])])
        sums[lists] += weights @ matrix
    return sums[:, 0] / sums[:, 1], sums[:, 1]


def _to_logits(
    logits: Callable[[slice, slice], Tensor], pull: Tensor, ranks: Tensor, line: Tensor
) -> Iterator[tuple[slice, slice, Tensor]]:
    """The gradient with respect to the logits, a block [lists, rows, n] at a time, from that of each column's mean over its mass."""
    places = torch.arange(1, line.shape[-1] + 1, dtype=pull.dtype, device=line.device)
    for lists, rows in _blocks(line):
        matrix = logits(lists, rows).to(pull.dtype).softmax(-1)
        part = (places[rows].unsqueeze(-1) - ranks[lists].unsqueeze(-2)).mul_(pull[lists].unsqueeze(-2)).mul_(matrix)
        yield lists, rows, part.addcmul_(matrix, part.sum(-1, keepdim=True), value=-1)


def _leads(line: Tensor, lists: slice, rows: slice) -> Tensor:
    return line[lists].unsqueeze(-2) - line[lists, rows].unsqueeze(-1)


def _blocks(line: Tensor) -> Iterator[tuple[slice, slice]]:
    """Whole lists while they are short, some rows of one list when it is long."""
    count, n = line.shape
    lists, height = max(1, _ENTRIES // n**2), min(max(1, _ENTRIES // n), n)
    for start in range(0, count, lists):
        for first in range(0, n, height):
            yield slice(start, start + lists), slice(first, first + height)


def _back(to_scores: Tensor, order: Tensor, where: Tensor | None, tau: float) -> Tensor:
    """From the sorted items on the line in units of tau to the items."""
    grad = to_items(to_scores / tau, order, to_scores.dtype)
    return grad if where is None else grad.masked_fill_(~where, 0.0)
