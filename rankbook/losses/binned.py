"""Average precision by histograms: FastAP and SoftBin AP. No ranks, no sorting, O(B M).

Called as the losses of `rankbook.losses.retrieval`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankbook.losses.batch import check_batch, queries_by_positives, warn_no_positive


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
        scores = batch.scores()
        without_query = batch.own_gallery and not self.include_query
        above = self._histogram(scores, without_query).cumsum(1)
        loss, count = scores.new_zeros(()), 0
        for rows, places, _ in queries_by_positives(batch, include_query=self.include_query, limit=len(scores)):
            of_positives = self._histogram(scores[rows[:, None], places], False)
            so_far = above.index_select(0, rows)
            precision = of_positives.cumsum(1) / torch.where(so_far > 0, so_far, 1.0)
            loss = loss + len(rows) - (of_positives * precision).sum() / places.shape[1]
            count += len(rows)
        if count == 0:
            warn_no_positive()
            return 0.0 * scores.sum()
        return loss / count

    def _histogram(self, scores: Tensor, without_query: bool) -> Tensor:
        return _SoftHistogram.apply(scores, self.centers, self.best, self.worst, without_query)


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


class _SoftHistogram(torch.autograd.Function):
    """Soft counts [q, centers] of scores [q, m], from the best bin down; ``without_query`` leaves out the diagonal.

    An item at place p gives 1 - frac(p) to the bin floor(p) and frac(p) to the next, so the slope of what it gives is the
    difference of two neighboring gradients.
    """

    @staticmethod
    def forward(ctx, scores: Tensor, centers: int, best: float, worst: float, without_query: bool) -> Tensor:
        ctx.slope, ctx.without_query = (centers - 1) / (worst - best), without_query
        place = (scores - best).mul_(ctx.slope)
        outside = (place < 0) | (place > centers - 1)
        ctx.outside = outside if outside.any() else None
        place.clamp_(0, centers - 1)
        lower = place.floor().clamp_(max=centers - 2)
        share = place.sub_(lower)
        index = lower.long()
        counts = scores.new_zeros(len(scores), centers)
        ones = torch.ones_like(share)
        if without_query:
            ones.fill_diagonal_(0)
            share.fill_diagonal_(0)
        ctx.save_for_backward(index)
        counts.scatter_add_(1, index, ones.sub_(share))
        return counts.scatter_add_(1, index + 1, share)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_counts: Tensor):
        (index,) = ctx.saved_tensors
        grad = grad_counts.diff(dim=1).mul_(ctx.slope).gather(1, index)
        if ctx.outside is not None:
            grad.masked_fill_(ctx.outside, 0)
        if ctx.without_query:
            grad.fill_diagonal_(0)
        return grad, None, None, None, None
