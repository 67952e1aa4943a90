"""SoDeep's loss for matching pairs: the answer must rank ahead of its hardest rival, in both directions."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_number, check_scores, first, reads_values
from rankbook.losses.sodeep import LossOfRanks
from rankbook.precision import full_precision
from rankbook.types import RankFn


class HardNegativeRankLoss(LossOfRanks):
    r"""A triplet loss on ranks for matching pairs, such as images and their captions, in both directions.

    .. math:: \mathcal{L} = \frac{1}{2B} \sum_i \Big( \max_{c \ne i} \frac{[\alpha + r_{ii} - r_{ic}]_+}{n_i}
        + \max_{c \ne i} \frac{[\alpha + r'_{ii} - r'_{ci}]_+}{n'_i} \Big)

    where :math:`r` ranks the rows of the score matrix and :math:`r'` its columns; the pair (i, i) is the positive, and :math:`n_i` is the
    number of items in its list: B if all others are negatives.

    Args:
        ranker: any ranker.
        margin: :math:`\alpha`, in places, at least 0: by so many the answer must lead its hardest rival. At the default of 1, with
            exact ranks, a pair whose answer comes first costs nothing, whatever the size of the batch. The hardest rival stands right
            behind the first place: only rivals that tie are more than one place behind, so a margin above 1 is never reached by the
            order. It keeps every pair at work for ever, pushing its rivals together; with a wide ``tau`` that may help, so tune the two
            together. A share of the batch, such as 0.2, is 0.2 B places.

    Call with ``(scores[b, b], *, where=None)``, at least two pairs. ``where[b, b]`` is False for a row and a column that are no
    negatives of each other, such as an image and a second caption of it; they then leave each other's list. Its diagonal is True.

    The same caption twice in a batch, or the same image, is found by itself: columns (or rows) that are equal to the last bit in
    the whole matrix are no negatives of each other. Unless all are equal: a model that maps everything to one point has not
    learned to match. A pair without a negative costs 0.

    Cost: that of the ranker on both directions, and :math:`O(B^2)`.

    Raises:
        ValueError: scores that are not square or not finite, a mask of another shape or with a False on its diagonal, a margin below
            0.

    Source: SoDeep (CVPR 2019, eq. 10), averaged over both directions. The paper does not give the margin; its code has an argument
    of 0.2 that it ignores, and one place in its stead. The rule for duplicates is ours.

    >>> rb.HardNegativeRankLoss(partial(rb.sigmoid_ranks, tau=0.01))(torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    tensor(0.)
    >>> rb.HardNegativeRankLoss(partial(rb.sigmoid_ranks, tau=0.01))(torch.tensor([[0.9, 0.8], [0.8, 0.1]]))
    tensor(0.5000)
    """

    def __init__(self, ranker: RankFn, margin: float = 1.0):
        super().__init__(ranker)
        self.margin = check_number("margin", margin, at_least=0)

    @full_precision
    def forward(self, scores: Tensor, *, where: Tensor | None = None) -> Tensor:
        scores, where = check_scores(scores, where)
        if scores.dim() != 2 or scores.shape[0] != scores.shape[1] or len(scores) < 2:
            raise ValueError(f"scores must be square, one row and one column for each of at least two pairs, got {tuple(scores.shape)}")
        pair = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        if where is not None and reads_values(where) and not where.diagonal().all():
            (at,) = first(~where.diagonal())
            raise ValueError(
                f"where must be True on its diagonal, the pairs themselves, but where[{at}, {at}] is False; leave the pair out"
            )
        there = pair | ~_same_thing(scores.detach())
        if where is not None:
            there = there & where
        elif reads_values(there) and there.all():
            there = None
        columns = None if there is None else there.T.contiguous()
        return (self._one_way(scores, pair, there) + self._one_way(scores.T.contiguous(), pair, columns)) / 2

    def _one_way(self, scores: Tensor, pair: Tensor, there: Tensor | None) -> Tensor:
        ranks = self.rank(scores, pair, where=there)
        rivals = ~pair if there is None else there & ~pair
        hardest = ranks.masked_fill(~rivals, torch.inf).amin(-1)  # the wrong item that ranks best
        length = float(len(scores)) if there is None else there.sum(-1).to(ranks.dtype)
        return ((self.margin + ranks.diagonal() - hardest).relu() / length).mean()


def _same_thing(scores: Tensor) -> Tensor:
    """Whether two rows, or two columns, are equal in the whole matrix: ``[b, b]``; not if all rows, or all columns, are."""
    same = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
    for rows in (scores, scores.T):
        marks = _marks(rows)
        same = same | ((marks[:, None] == marks) & (marks != marks[0]).any())
    return same


def _marks(rows: Tensor) -> Tensor:
    """A whole number for each row ``[b, n]``, the same for the same numbers: the sum of their bits times odd random weights, modulo 2^64.

    Two rows that differ share one by an accident of 2^-40 or less. To compare all columns of each two rows would cost O(b^3).
    """
    bits = (rows + 0.0).contiguous().view(torch.int32 if rows.dtype == torch.float32 else torch.int64).long()  # -0.0 is 0.0
    weights = torch.arange(1, rows.shape[1] + 1, device=rows.device) * -7046029254386353131  # the steps of SplitMix64
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        weights = (weights ^ (weights >> shift)) * factor
    return (bits * (weights | 1)).sum(-1)
