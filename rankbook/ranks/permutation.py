"""Rankers that relax the permutation matrix: NeuralSort and SoftSort, some rows of it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from rankbook.checks import check_positive, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.pairs import leads
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
        Ranks ``[..., n]`` in [1, n], differentiable once; as ``tau`` goes to 0 they become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n^2)` time, :math:`O(n)` memory: rows of the matrix are computed in blocks and again in the backward pass.

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
        Ranks ``[..., n]`` in [1, n], differentiable once; as ``tau`` goes to 0 they become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n^2)` time, :math:`O(n)` memory: rows of the matrix are computed in blocks and again in the backward pass.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0.

    Source: SoftSort (ICML 2020), equation 4 with d = the absolute difference; the division is ours.

    >>> rb.softsort_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.2)
    tensor([2.7813, 1.1506, 2.0601])
    """
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    return put_absent_last(_softsort(scores, where, knobs=(tau,)), where)


#: Entries of a matrix computed at a time: the buffers of several steps, one of them in float64, stay in the cache together.
_ENTRIES = 1 << 16


class _Rows:
    """The rows of a relaxed permutation matrix from the sorted items on the line [lists, n], in blocks that share their buffers."""

    def __init__(self, line: Tensor, dtype: torch.dtype):
        self.line, self.dtype = line, dtype
        self.places = torch.arange(1, line.shape[1] + 1, dtype=line.dtype, device=line.device)

    def logits(self, lists: slice, rows: slice, lead: Tensor, out: Tensor) -> Tensor:
        """Write the logits of the leads x_j - x_p on the line, up to a constant of the row; the leads may be overwritten."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
        """Yield lists, rows, the softmax [lists, rows, n], and a buffer of its size."""
        buffers = None
        for lists, rows, lead in leads(self.line, self.line, size=_ENTRIES):
            if buffers is None:  # the first block is the largest
                buffers = torch.empty(2, *lead.shape, dtype=self.dtype, device=lead.device)
            matrix, spare = buffers[:, : lead.shape[0], : lead.shape[1]]
            yield lists, rows, torch.softmax(self.logits(lists, rows, lead, spare), -1, out=matrix), spare

    def mean_places(self) -> tuple[Tensor, Tensor]:
        """Mean place and mass of each column [lists, n]. No column is empty: item p leads row p."""
        weights = torch.stack([self.places, torch.ones_like(self.places)]).to(self.dtype)
        sums = torch.zeros(len(self.line), 2, self.line.shape[1], dtype=self.dtype, device=self.line.device)
        for lists, rows, matrix, _ in self:
            sums[lists] += weights[:, rows] @ matrix
        return sums[:, 0] / sums[:, 1], sums[:, 1]

    def gradients(self, pull: Tensor, ranks: Tensor) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
        """Yield lists, rows, the gradient with respect to the logits, and a buffer; ``pull`` is that of the mean places over the masses."""
        places, part = self.places.to(self.dtype), None
        for lists, rows, matrix, spare in self:
            part = torch.empty_like(matrix) if part is None else part
            grad = part[: matrix.shape[0], : matrix.shape[1]]
            torch.sub(places[rows].unsqueeze(-1), ranks[lists].unsqueeze(-2), out=grad).mul_(pull[lists].unsqueeze(-2)).mul_(matrix)
            yield lists, rows, grad.addcmul_(matrix, grad.sum(-1, keepdim=True), value=-1), spare


class _NeuralSort(_Rows):
    """Moving from the k-th best item to the next adds (2p - 2k - 1) gap_k to row p: with v the sum of k gap_k over the gaps
    up to the item, the logit is (2p - 1) (u_j - u_p) - 2 (v_j - v_p). No n, no sum over all pairs, no cancellation of |s_j - s_k|
    against n s."""

    def __init__(self, line: Tensor, dtype: torch.dtype):
        super().__init__(line, dtype)
        self.twice_v = 2 * ((self.places - 1) * line.diff(dim=-1, prepend=line[..., :1])).cumsum(-1)

    def logits(self, lists: slice, rows: slice, lead: Tensor, out: Tensor) -> Tensor:
        v = self.twice_v[lists]
        return out.copy_(lead.mul_((2 * self.places[rows] - 1).unsqueeze(-1)).sub_(v.unsqueeze(-2)).add_(v[:, rows].unsqueeze(-1)))

    def to_scores(self, pull: Tensor, ranks: Tensor) -> Tensor:
        """Item k enters row p through the gaps in front of it: (2p - 2k + 1) times its score, and a sum over the items behind it."""
        direct, rest = torch.zeros_like(pull), torch.zeros_like(pull)
        twice = 2 * self.places.to(self.dtype)
        for lists, rows, grad, spare in self.gradients(pull, ranks):
            rest[lists] += grad.sum(-2)
            direct[lists] += grad.mul_(torch.sub(twice[rows].unsqueeze(-1) + 1, twice, out=spare[0])).sum(-2)
        behind = rest.flip(-1).cumsum(-1).flip(-1) - rest
        return -direct - 2 * behind


class _SoftSort(_Rows):
    def logits(self, lists: slice, rows: slice, lead: Tensor, out: Tensor) -> Tensor:
        return out.copy_(lead).abs_().neg_()

    def to_scores(self, pull: Tensor, ranks: Tensor) -> Tensor:
        scores = torch.zeros_like(pull)
        tie = (self.line.diff(dim=-1, prepend=self.line[..., :1]) > 0).cumsum(-1).to(self.dtype)  # the number of each tie
        for lists, rows, grad, spare in self.gradients(pull, ranks):
            side = torch.sub(tie[lists].unsqueeze(-2), tie[lists, rows].unsqueeze(-1), out=spare).sign_()
            scores[lists] += grad.mul_(side).sum(-2)  # who stands farther down the line is pulled up
            scores[lists, rows] -= grad.sum(-1)
        return scores


def _value(kind: type[_Rows], scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    order, line = place_on_line(scores, where, tau, mixing_cap(scores.dtype))
    ranks, mass = (x.view(scores.shape) for x in kind(line.reshape(-1, line.shape[-1]), scores.dtype).mean_places())
    return to_items(ranks, order, scores.dtype), order, line, ranks, mass


def _gradient(
    kind: type[_Rows], grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float
) -> Tensor:
    order, *saved = saved
    line, ranks, mass = (x.reshape(-1, x.shape[-1]) for x in saved)
    pull = grad.gather(-1, order).reshape(mass.shape) / mass
    to_scores = kind(line, scores.dtype).to_scores(pull, ranks).view(scores.shape)
    back = to_items(to_scores / tau, order, scores.dtype)
    return back if where is None else back.masked_fill_(~where, 0.0)


_neuralsort, _softsort = (
    ByHand(kind.__name__.strip("_").lower(), partial(_value, kind), partial(_gradient, kind)) for kind in (_NeuralSort, _SoftSort)
)
