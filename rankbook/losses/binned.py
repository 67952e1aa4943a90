"""Average precision by histograms: FastAP and SoftBin AP. No ranks, no sorting, O(B M).

Called as the losses of `rankbook.losses.retrieval`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankbook.losses.batch import check_batch, warn_no_positive


class BinnedAPLoss(nn.Module):
    r"""1 - average precision of a soft histogram: the scores fall into bins, and all items of a bin are tied.

    .. math:: \mathrm{AP} = \frac{1}{|P|} \sum_{l} \frac{h^+_l\, H^+_l}{H_l}

    with the soft counts :math:`h_l` of the bins from the best down, :math:`h^+` of the positives, and their running sums
    :math:`H`. A score between two bin centers is split between them in proportion: each item touches two bins.
    """

    def __init__(self, centers: int, best: float, worst: float, *, include_query: bool):
        super().__init__()
        if not isinstance(centers, int) or centers < 2:
            raise ValueError(f"bins must be a whole number that gives at least two bin centers, got {centers!r} centers")
        self.centers, self.best, self.worst, self.include_query = centers, best, worst, include_query

    def forward(
        self, embeddings: Tensor, labels: Tensor, ref_embeddings: Tensor | None = None, ref_labels: Tensor | None = None
    ) -> Tensor:
        batch = check_batch(embeddings, labels, ref_embeddings, ref_labels).finest()
        positive = batch.labels == batch.ref_labels.T
        where = batch.where(self.include_query)
        if where is not None:
            positive = positive & where
        place = (self.best - batch.scores()) * ((self.centers - 1) / (self.best - self.worst))
        of_positives, of_negatives = _SoftHistograms.apply(place, positive, where, self.centers).unbind(1)
        cumulative = (of_positives + of_negatives).cumsum(1)
        share = of_positives * of_positives.cumsum(1) / torch.where(cumulative > 0, cumulative, 1.0)
        count = positive.sum(1)
        defined = count > 0
        if not defined.any():
            warn_no_positive()
        losses = torch.where(defined, 1 - share.sum(1) / count.clamp(min=1), 0.0)
        return losses.sum() / defined.sum().clamp(min=1)


class FastAPLoss(BinnedAPLoss):
    r"""FastAP: binned AP on squared distances in [0, 4] between unit vectors.

    Args:
        bins: number :math:`L` of intervals; there are :math:`L + 1` bin centers. More bins are closer to AP, and a score then
            moves mass over a shorter distance.
        include_query: leave each query in its own gallery.

    Embeddings must have unit norm: the squared distance is :math:`2 - 2 s`; what lies outside [0, 4] counts in the end bins.

    Cost: :math:`O(B M)` time and memory, whatever the number of bins.

    Source: Deep Metric Learning to Rank (CVPR 2019); 10 bins as in ROADMAP's baseline.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [-0.1, -1.0], [-0.2, -1.0]]), dim=1)
    >>> rb.FastAPLoss()(embeddings, torch.tensor([0, 0, 1, 1])) < 1e-6
    tensor(True)
    """

    def __init__(self, bins: int = 10, *, include_query: bool = False):
        super().__init__(bins + 1, best=1.0, worst=-1.0, include_query=include_query)

    def extra_repr(self) -> str:
        return f"bins={self.centers - 1}, include_query={self.include_query}"


class SoftBinAPLoss(BinnedAPLoss):
    r"""SoftBin AP, the listwise AP loss: binned AP on similarities in [-1, 1].

    Args:
        bins: number of bin centers, evenly spaced from 1 down to -1. More bins are closer to AP.
        include_query: leave each query in its own gallery.

    Cost: :math:`O(B M)` time and memory, whatever the number of bins.

    Source: Learning with Average Precision (ICCV 2019, 1906.07589); 20 bins on [-1, 1] as in ROADMAP's baseline.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [-0.1, -1.0], [-0.2, -1.0]]), dim=1)
    >>> rb.SoftBinAPLoss()(embeddings, torch.tensor([0, 0, 1, 1])) < 1e-6
    tensor(True)
    """

    def __init__(self, bins: int = 20, *, include_query: bool = False):
        super().__init__(bins, best=1.0, worst=-1.0, include_query=include_query)

    def extra_repr(self) -> str:
        return f"bins={self.centers}, include_query={self.include_query}"


class _SoftHistograms(torch.autograd.Function):
    """Histograms [b, 2, centers] of the positives and of the others. An item at place p gives 1 - frac(p) to the bin
    floor(p) and frac(p) to the next, so the slope of its count is the difference of two neighboring gradients."""

    @staticmethod
    def forward(ctx, place: Tensor, positive: Tensor, where: Tensor | None, centers: int) -> Tensor:
        inside = place.clamp(0, centers - 1)
        lower = inside.floor().clamp_(max=centers - 2)
        upper_share = inside - lower
        lower_share = 1 - upper_share
        if where is not None:
            upper_share, lower_share = upper_share * where, lower_share * where
        index = torch.where(positive, lower, lower + centers).long()
        counts = place.new_zeros(len(place), 2 * centers)
        counts.scatter_add_(1, index, lower_share)
        ctx.save_for_backward(index, (inside == place) if where is None else (inside == place) & where)
        return counts.scatter_add_(1, index + 1, upper_share).view(-1, 2, centers)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_counts: Tensor):
        index, movable = ctx.saved_tensors
        grad = grad_counts.reshape(len(index), -1)
        return grad.diff(dim=1).gather(1, index) * movable, None, None, None
