"""Losses for images and texts as contenders of a study: ``loss(images, image_labels, texts, text_labels, grades)``, both directions."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from rankbook.experiments.parts import Contender
from rankbook.losses import HardNegativeRankLoss, RecallAtKLoss, SmoothAPLoss, SmoothNDCGLoss, SupConLoss
from rankbook.ranks import sigmoid_ranks
from rankbook.sorters import load_sorter


class BothWays(nn.Module):
    """The mean of a batch loss over images that seek texts and texts that seek images.

    Args:
        loss: a batch loss of the package.
        graded: it reads the grades; else the labels alone.

    >>> from rankbook.experiments.matching import BothWays
    >>> x, y = torch.eye(3), torch.arange(3)
    >>> BothWays(rb.SmoothAPLoss(tau=0.01))(x, y, x, y, torch.eye(3))
    tensor(0.)
    """

    def __init__(self, loss: nn.Module, *, graded: bool = False):
        super().__init__()
        self.loss, self.graded = loss, graded

    def forward(self, images: Tensor, image_labels: Tensor, texts: Tensor, text_labels: Tensor, grades: Tensor) -> Tensor:
        if self.graded:
            return (self.loss(images, None, texts, relevance=grades) + self.loss(texts, None, images, relevance=grades.T)) / 2
        return (self.loss(images, image_labels, texts, text_labels) + self.loss(texts, text_labels, images, image_labels)) / 2


class HardTriplet(nn.Module):
    r"""VSE++ (1707.05612): :math:`[m - s^+ + \max s^-]_+` over all matching pairs, with the hardest negative of the batch, both ways.

    Args:
        margin: :math:`m`, in units of the cosine.
    """

    def __init__(self, margin: float):
        super().__init__()
        self.margin = margin

    def forward(self, images: Tensor, image_labels: Tensor, texts: Tensor, text_labels: Tensor, grades: Tensor) -> Tensor:
        scores, same = images @ texts.T, image_labels[:, None] == text_labels
        rivals = scores.masked_fill(same, -torch.inf)
        i, t = same.nonzero(as_tuple=True)
        return sum((self.margin - scores[i, t] + rivals.amax(1 - way)[(i, t)[way]]).relu().mean() for way in (0, 1)) / 2


class RankTriplet(nn.Module):
    """SoDeep's triplet of ranks (`rankbook.HardNegativeRankLoss`) on all matching pairs of the batch.

    Args:
        ranker: any ranker.
        margin: in places.
        share: the margin as a share of the pairs instead, as an argument of 0.2 on normalized ranks would read.
        scale: what the cosines are multiplied by before they are ranked: a learned sorter knows scores of the spread it was trained on.
    """

    def __init__(self, ranker, *, margin: float = 1.0, share: float | None = None, scale: float = 1.0):
        super().__init__()
        self.loss, self.share, self.scale = HardNegativeRankLoss(ranker, margin), share, scale

    def forward(self, images: Tensor, image_labels: Tensor, texts: Tensor, text_labels: Tensor, grades: Tensor) -> Tensor:
        i, t = (image_labels[:, None] == text_labels).nonzero(as_tuple=True)
        same = image_labels[i][:, None] == image_labels[i]
        if self.share is not None:
            self.loss.margin = self.share * len(i)
        return self.loss(self.scale * (images @ texts.T)[i][:, t], where=~same | torch.eye(len(i), dtype=torch.bool))


def _rank_triplet(tau: float, share: float | None = None) -> RankTriplet:
    return RankTriplet(partial(sigmoid_ranks, tau=tau), share=share)


def _learned(scale: float) -> RankTriplet:
    return RankTriplet(load_sorter("kernel"), scale=scale)


def _recall(tau: float) -> BothWays:
    return BothWays(RecallAtKLoss(k=(1, 5, 10), tau_score=tau))


def _smooth_ap(tau: float) -> BothWays:
    return BothWays(SmoothAPLoss(tau=tau))


def _ndcg(tau: float) -> BothWays:
    return BothWays(SmoothNDCGLoss(tau=tau), graded=True)


def _contrastive(temperature: float) -> BothWays:
    return BothWays(SupConLoss(temperature))


_TAU = {"tau": (0.01, 0.03, 0.1, 0.3)}

CONTENDERS = {
    "InfoNCE": Contender(_contrastive, {"temperature": (0.03, 0.07, 0.15, 0.3)}),
    "triplet (hard)": Contender(HardTriplet, {"margin": (0.05, 0.1, 0.2, 0.4)}),
    "rank triplet": Contender(_rank_triplet, {"tau": (0.03, 0.3, 3.0, 10.0)}),
    "rank triplet, margin .2 n": Contender(partial(_rank_triplet, share=0.2), {"tau": (0.1, 0.3, 1.0, 3.0)}),
    "rank triplet, learned": Contender(_learned, {"scale": (0.3, 1.0, 3.0, 10.0)}),
    "RS@k": Contender(_recall, _TAU),
    "Smooth-AP, both ways": Contender(_smooth_ap, _TAU),
    "NDCG, graded": Contender(_ndcg, _TAU),
}
