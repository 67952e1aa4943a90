"""The rank from NeuralSort's relaxed permutation matrix, of which a block at a time is there."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from rankbook.checks import check_positive, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.pairs import BLOCK, KEPT, blocks_at_once
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

    Cost: time :math:`O(n)` times the number of items that mix, :math:`O(n^2)` at most; :math:`O(n)` memory: the matrix is
    computed in blocks, and again in the backward pass. That of short lists (up to 128 items on a CPU), 8 MB in all at most, is kept.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0.

    Source: NeuralSort (ICLR 2019), equation 5; the division is ours.

    >>> rb.neuralsort_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.2)
    tensor([2.8302, 1.1026, 2.0610])
    """
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    return put_absent_last(_neuralsort(scores, where, knobs=(tau,)), where)


#: Rows of a block, and entries computed at a time: the passes over a block find it in the cache.
_HEIGHT, _ENTRIES = 32, 1 << 16
#: Up to so many items the search for the entries that are not 0 costs more than all of them, if these are kept.
_SHORT = 128


class _NeuralSort:
    """The entries e^logit of the relaxed permutation matrix of the sorted items on the line [lists, n], in blocks that share a buffer.

    Moving from the k-th best item to the next adds (2p - 2k - 1) gap_k to row p: with v the sum of k gap_k over the gaps up
    to the item, the logit is (2p - 1) (u_j - u_p) - 2 (v_j - v_p). No n, no sum over all pairs, no cancellation of
    |s_j - s_k| against n s. It is 0 at j = p, its largest, so a row needs no other scale; and it falls on both sides, the faster
    the farther the row is, so that on the host the entries of long lists that are 0 are not computed. The matrices of a few short
    lists are a block each there, ``kept`` for the backward pass [lists, n, n].
    """

    def __init__(self, line: Tensor, least: float, kept: Tensor | None = None):
        """``least`` is a logit below which an entry counts as 0; ``kept`` is what another object of this line has computed."""
        self.line, (self.lists, self.n) = line, line.shape
        self.index = torch.arange(self.n, dtype=line.dtype, device=line.device)
        self.kept, self.known = kept, kept is not None
        host = line.device.type == "cpu"
        keeps = self.known or (host and self.n <= _SHORT and line.numel() * self.n <= KEPT)
        self.entries = (BLOCK if keeps else _ENTRIES) * blocks_at_once(line.device)
        if self.known:
            return
        few = host or line.dtype == torch.float32  # float32 wants small numbers of rows
        height = _HEIGHT if few else max(_HEIGHT, self.entries // (self.lists * self.n))
        if keeps:
            self.kept, height = line.new_empty(self.lists, self.n, self.n), self.n
        self.gaps = line.diff(dim=-1, prepend=line[:, :1])
        starts = list(range(0, self.n, height))
        ends = [min(start + height, self.n) for start in starts]
        if host and self.n > 2 * height:
            columns = zip(self._ends(starts, least, -1), self._ends([end - 1 for end in ends], least, 1), strict=True)
        else:
            columns = [(0, self.n - 1)] * len(starts)
        self.blocks = [(slice(start, end), slice(left, right + 1)) for start, end, (left, right) in zip(starts, ends, columns, strict=True)]

    def _ends(self, rows: list[int], least: float, side: int) -> list[int]:
        """The farthest entry to the left (side -1) or to the right (1) of each row that is above ``least`` in some list: bisection."""
        twice_v = 2 * (self.index * self.gaps).cumsum(-1)
        row = torch.tensor(rows).expand(self.lists, -1)
        u, v = self.line.gather(-1, row), twice_v.gather(-1, row)
        inside, outside = row, torch.full_like(row, -1 if side < 0 else self.n)
        for _ in range(self.n.bit_length()):
            middle = (inside + outside).div(2, rounding_mode="floor" if side > 0 else "trunc")
            logit = (2 * row + 1) * (self.line.gather(-1, middle) - u) - (twice_v.gather(-1, middle) - v)
            above = logit > least
            inside, outside = torch.where(above, middle, inside), torch.where(above, outside, middle)
        return (inside.amin(0) if side < 0 else inside.amax(0)).tolist()

    def __iter__(self) -> Iterator[tuple[slice, slice, slice, Tensor]]:
        """Yield lists, rows, columns, and the entries [lists, rows, columns]."""
        if self.known:
            everyone = slice(0, self.n)
            yield from ((lists, everyone, everyone, self.kept[lists]) for lists in self._parts(self.n**2))
            return
        buffer = None
        for rows, columns in self.blocks:
            origin, height, width = rows.start, rows.stop - rows.start, columns.stop - columns.start
            u = self.line[..., columns] - self.line[..., origin, None]
            v = (2 * (self.index[columns] - origin) * self.gaps[..., columns]).cumsum(-1)
            v = v - v[..., origin - columns.start, None]  # counted from the first row: small numbers
            slope = 2 * (self.index[rows] - origin) + 1
            own = slice(rows.start - columns.start, rows.stop - columns.start)
            peak = slope * u[..., own] - v[..., own]
            for lists in self._parts(height * width):
                shape = (lists.stop - lists.start, height, width)
                size = math.prod(shape)
                if self.kept is None and (buffer is None or buffer.numel() < size):
                    buffer = u.new_empty(max(size, self.entries))
                block = buffer[:size].view(shape) if self.kept is None else self.kept[lists]
                torch.mul(u[lists].unsqueeze(-2), slope.unsqueeze(-1), out=block)
                block.sub_(v[lists].unsqueeze(-2)).sub_(peak[lists].unsqueeze(-1))
                if self.kept is not None:  # all of them: exponentials that leave the range are several times slower
                    block.clamp_(min=_far(block.dtype))
                block.exp_()
                yield lists, rows, columns, block

    def _parts(self, size: int) -> Iterator[slice]:
        """So many lists at a time that their blocks, of ``size`` entries each, stay in the cache; one at least."""
        step = max(1, self.entries // size)
        return (slice(first, min(first + step, self.lists)) for first in range(0, self.lists, step))

    def mean_places(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean place and mass of each column, and the sum of each row [lists, n]. No column is empty: item p leads row p."""
        sums, totals = torch.zeros_like(self.line[:, None].expand(-1, 2, -1)), torch.empty_like(self.line)
        for lists, rows, columns, block in self:
            totals[lists, rows] = total = block.sum(-1)
            weights = torch.stack([total.reciprocal(), (self.index[rows] + 1) / total], 1)
            sums[lists, :, columns] += weights @ block
        return sums[:, 1] / sums[:, 0], sums[:, 0], totals

    def to_line(self, pull: Tensor, ranks: Tensor, totals: Tensor) -> Tensor:
        """The gradient with respect to the scores in units; ``pull`` is that of the mean places over the masses.

        That of a logit is P_pj (pull_j (p - r_j) - mean of the same over row p). Item k enters row p through the gaps in
        front of it: (2p - 2k + 1) times its score, and a sum over the items behind it. In a block places count from its first row.
        """
        direct, rest = torch.zeros_like(pull), torch.zeros_like(pull)
        spare = None
        for lists, rows, columns, block in self:
            place, column = self.index[rows] - rows.start, self.index[columns] - rows.start
            if spare is None or spare.numel() < block.numel():
                spare = block.new_empty(max(block.numel(), self.entries))
            grad = spare[: block.numel()].view(block.shape)
            # an item alone in its row has p - r = 0 to the last digit: a difference of sums would lose what little is left
            torch.sub(place.unsqueeze(-1), (ranks[lists, columns] - (rows.start + 1)).unsqueeze(-2), out=grad)
            grad.mul_(pull[lists, columns].unsqueeze(-2)).mul_(block)
            share = totals[lists, rows].reciprocal()
            grad.addcmul_(block, (grad.sum(-1) * share).unsqueeze(-1), value=-1)
            whole, first = (torch.stack([share, share * place], 1) @ grad).unbind(1)
            rest[lists, columns] += whole
            direct[lists, columns] += 2 * first + (1 - 2 * column) * whole
        behind = rest.flip(-1).cumsum(-1).flip(-1) - rest
        return -direct - 2 * behind


def _far(dtype: torch.dtype) -> float:
    """A logit beside whose exponential that of 0 is everything, and which is a normal number, times others too."""
    return 0.85 * math.log(torch.finfo(dtype).tiny)


def _neuralsort_value(scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    cap = mixing_cap(scores.dtype)
    order, line = place_on_line(scores, where, tau, cap)
    matrix = _NeuralSort(_lists(line), -cap / 2)
    ranks, mass, totals = (x.reshape(scores.shape) for x in matrix.mean_places())
    kept = [] if matrix.kept is None else [matrix.kept.view(*scores.shape, -1)]
    return to_items(ranks, order, scores.dtype), order, line, ranks, mass, totals, *kept


def _neuralsort_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    order, line, ranks, mass, totals, *kept = saved
    pull = grad.gather(-1, order) / mass
    # repeated for many gradients at once, as for a Jacobian, it may have grown
    kept = [x.reshape(-1, *x.shape[-2:]) for x in kept if x.numel() <= KEPT]
    matrix = _NeuralSort(_lists(line), -mixing_cap(scores.dtype) / 2, *kept)
    back = matrix.to_line(*map(_lists, (pull, ranks, totals))).view(line.shape)
    back = to_items(back / tau, order, scores.dtype)
    return back if where is None else back.masked_fill_(~where, 0.0)


def _lists(values: Tensor) -> Tensor:
    return values.reshape(-1, values.shape[-1])


_neuralsort = ByHand("neuralsort", _neuralsort_value, _neuralsort_gradient)
