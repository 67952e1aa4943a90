"""Losses of pairs and triplets from pytorch-metric-learning, as contenders of an experiment: ``loss(embeddings, labels)``.

The package is the peer that the book compares with, not a dependency of rankbook: it is imported when a loss is made.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import torch
from torch import Tensor, nn


def triplets(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of every (anchor, positive, negative) of a batch.

    Those of the package's own search, in its order, without its mask of :math:`B^3` entries: a tenth of a training step, not half.

    >>> from rankbook.experiments.baselines import triplets
    >>> [i.tolist() for i in triplets(torch.tensor([7, 7, 8]))]
    [[0, 1], [1, 0], [2, 2]]
    """
    same = labels[:, None] == labels
    anchor, positive = same.clone().fill_diagonal_(False).nonzero(as_tuple=True)
    pair, negative = (~same[anchor]).nonzero(as_tuple=True)
    return anchor[pair], positive[pair], negative


class TripletLoss(nn.Module):
    r"""Mean of :math:`[d_{ap} - d_{an} + m]_+` over the triplets where it is positive; :math:`d` is the Euclidean distance.

    Args:
        margin: :math:`m`, in units of the distance of unit vectors.

    Raises:
        ImportError: pytorch-metric-learning is not installed.
    """

    def __init__(self, margin: float):
        super().__init__()
        self.margin = margin
        self.loss = _package("losses").TripletMarginLoss(margin=margin)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.loss(embeddings, labels, self.mine(embeddings, labels))

    def mine(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All triplets."""
        return triplets(labels)


class SemiHardTripletLoss(TripletLoss):
    """`TripletLoss` where the negative is farther than the positive, but by less than the margin (FaceNet, 1503.03832)."""

    def mine(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        anchor, positive, negative = triplets(labels)
        with torch.no_grad():
            distance = self.loss.distance(embeddings)
            gap = distance[anchor, negative] - distance[anchor, positive]
        keep = (gap > 0) & (gap <= self.margin)
        return anchor[keep], positive[keep], negative[keep]


class HardTripletLoss(TripletLoss):
    """`TripletLoss` of each anchor's farthest positive and nearest negative (batch hard, 1703.07737).

    Not every triplet whose negative is nearer than its positive: each of those violates any margin, so none could be tuned.
    """

    def __init__(self, margin: float):
        super().__init__(margin)
        self.miner = _package("miners").BatchHardMiner()

    def mine(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.miner(embeddings, labels)


def multi_similarity(beta: float) -> nn.Module:
    """Multi-similarity loss (1904.06627) with the package's ``alpha = 2`` and ``base = 0.5``; ``beta`` sharpens the negatives."""
    return _package("losses").MultiSimilarityLoss(beta=beta)


def pair_margins(neg_margin: float) -> nn.Module:
    """The contrastive loss of Hadsell et al. (2006): positives are pulled together, negatives pushed ``neg_margin`` apart (Euclidean)."""
    return _package("losses").ContrastiveLoss(pos_margin=0, neg_margin=neg_margin)


def _package(part: str) -> ModuleType:
    try:
        return importlib.import_module(f"pytorch_metric_learning.{part}")
    except ImportError as error:
        raise ImportError(
            "the triplet and multi-similarity losses need pytorch-metric-learning, which cannot be imported; "
            "try `pip install pytorch-metric-learning` (the extra `bench` of rankbook brings it too)"
        ) from error
