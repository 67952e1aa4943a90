"""Average precision by histograms: FastAP and SoftBin AP. No ranks, no sorting, O(B M).

Called as every batch loss: see `rankbook.losses.batch_loss`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.checks import check_count
from rankbook.losses.batch_loss import BatchLoss
from rankbook.retrieval.blocks import in_blocks
from rankbook.retrieval.gradients import Losses, Reduction, Scale
from rankbook.retrieval.positives import Group, Positives


class BinnedAPLoss(BatchLoss):
    r"""1 - average precision of a soft histogram: the scores fall into bins, and all items of a bin are tied.

    .. math:: \mathrm{AP} = \frac{1}{|P|} \sum_{l} \frac{h^+_l\, H^+_l}{H_l}

    with the soft counts :math:`h_l` of the bins from the best down, :math:`h^+` of the positives, and their running sums
    :math:`H`. A score between two bin centers is split between them in proportion: each item touches two bins.
    """

    def __init__(self, centers: int, best: float, worst: float, *, include_query: bool, reduction: Reduction):
        super().__init__(include_query=include_query, reduction=reduction)
        self.centers, self.best, self.worst = centers, best, worst

    def compute(self, positives: Positives, scale: Scale, wanted: bool) -> Losses:
        return in_blocks(_HistogramLoss(self.centers, self.best, self.worst), positives, scale, wanted)


class FastAPLoss(BinnedAPLoss):
    r"""FastAP: binned AP on squared distances in [0, 4] between unit vectors.

    Args:
        bins: number :math:`L` of intervals; there are :math:`L + 1` bin centers. More bins are closer to AP, and a score then
            moves mass over a shorter distance.
        include_query: leave each query in its own gallery.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Embeddings must have unit norm: the squared distance is :math:`2 - 2 s`; what lies outside [0, 4] counts in the end bins.

    Cost: :math:`O(B M)` time and :math:`O(256\,M)` memory, whatever the number of bins.

    Source: Deep Metric Learning to Rank (CVPR 2019); 10 bins as in ROADMAP's baseline.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [-0.1, -1.0], [-0.2, -1.0]]), dim=1)
    >>> rb.FastAPLoss()(embeddings, torch.tensor([0, 0, 1, 1])) < 1e-6
    tensor(True)
    """

    def __init__(self, bins: int = 10, *, include_query: bool = False, reduction: Reduction = "mean"):
        bins = check_count("bins", bins)
        super().__init__(bins + 1, best=1.0, worst=-1.0, include_query=include_query, reduction=reduction)
        self.bins = bins


class SoftBinAPLoss(BinnedAPLoss):
    r"""SoftBin AP, the listwise AP loss: binned AP on similarities in [-1, 1].

    Args:
        bins: number of bin centers, evenly spaced from 1 down to -1. More bins are closer to AP.
        include_query: leave each query in its own gallery.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost: :math:`O(B M)` time and :math:`O(256\,M)` memory, whatever the number of bins.

    Source: Learning with Average Precision (ICCV 2019, 1906.07589); 20 bins on [-1, 1] as in ROADMAP's baseline.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [-0.1, -1.0], [-0.2, -1.0]]), dim=1)
    >>> rb.SoftBinAPLoss()(embeddings, torch.tensor([0, 0, 1, 1])) < 1e-6
    tensor(True)
    """

    def __init__(self, bins: int = 20, *, include_query: bool = False, reduction: Reduction = "mean"):
        bins = check_count("bins", bins, at_least=2)
        super().__init__(bins, best=1.0, worst=-1.0, include_query=include_query, reduction=reduction)
        self.bins = bins


class _HistogramLoss(NamedTuple):
    """The losses of a block of queries: see `rankbook.retrieval.blocks.BlockLoss`.

    An item at place p between the centers gives 1 - frac(p) to the bin floor(p) and frac(p) to the next, so the slope of what it
    gives is the difference of the gradients of the two. What is not in the gallery falls into one more bin, which nobody reads.
    """

    centers: int
    best: float
    worst: float

    def __call__(self, scores: Tensor, group: Group, total: int | Tensor, wanted: bool) -> Tensor:
        places, last = group.places, self.centers - 1
        slope = last / (self.worst - self.best)
        line = scores.sub_(self.best).mul_(slope)
        beyond = (line < 0).logical_or_(line > last) if wanted else None
        group.leave_out(line.clamp_(0, last), self.centers)
        lower = line.long()
        above = _soft_counts(lower, line.frac_(), self.centers).cumsum_(1)
        above = torch.where(above > 0, above, 1.0)
        lower_of_positives, moved, share = lower.gather(1, places), line.gather(1, places), group.shares(line.dtype)
        of_positives = _soft_counts(lower_of_positives, moved, self.centers)
        weighed = share * of_positives if group.weights is None else _soft_counts(lower_of_positives, moved, self.centers, share)
        precision = of_positives.cumsum(1) / above
        losses = 1 - (weighed * precision).sum(1)
        if wanted:
            at_bins = weighed / above
            torch.gather(_slopes(_sums_from(at_bins * precision), slope), 1, lower, out=scores)
            more = _slopes(_sums_from(at_bins), slope).gather(1, lower_of_positives)
            more += share * _slopes(precision, slope).gather(1, lower_of_positives)
            scores.scatter_add_(1, places, more.neg_()).masked_fill_(beyond, 0)
            group.leave_out(scores, 0)
        return losses


def _soft_counts(lower: Tensor, share: Tensor, centers: int, weights: Tensor | None = None) -> Tensor:
    """Items [q, m] in the bin ``lower``, but for a share in the next -> counts [q, centers]. There is one bin more to fall into."""
    ones, share = (torch.ones_like(share), share) if weights is None else (weights, weights * share)
    whole, moved = (share.new_zeros(share.shape[0], centers + 1).scatter_add_(1, lower, x) for x in (ones, share))
    whole -= moved
    whole[:, 1:] += moved[:, :-1]
    return whole[:, :-1]


def _sums_from(values: Tensor) -> Tensor:
    """Sum of the values from each place on: [q, centers]."""
    return values.flip(1).cumsum_(1).flip(1)


def _slopes(grad_counts: Tensor, slope: float) -> Tensor:
    """Gradient of a score in each bin; the last center belongs to the interval before it: [q, centers], and one more that is unread."""
    steps = grad_counts.diff(dim=1).mul_(slope)
    return torch.cat([steps, steps[:, -1:], steps[:, -1:]], dim=1)
