"""Losses with a learned vector for each class, as contenders: they are made before the task knows how many classes there are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.losses import ClusterLoss


class NormalizedSoftmax(nn.Module):
    """`ClusterLoss` on the classes that `meet` tells it of, whatever their numbers.

    Args:
        temperature: of the softmax.
        speed: how many times faster than the model the vectors turn under Adam, whose steps have one size: they begin as much shorter,
            and only their direction counts. The authors of such losses give the vectors a learning rate of their own.
    """

    def __init__(self, temperature: float, speed: float = 10.0):
        super().__init__()
        self.temperature, self.speed = temperature, speed

    def meet(self, labels: Tensor, dimensions: int) -> None:
        """Begin with a random vector for each class of the training samples."""
        self.register_buffer("classes", labels.unique())
        self.loss = ClusterLoss(len(self.classes), dimensions, temperature=self.temperature)
        with torch.no_grad():
            self.loss.proxies.div_(self.speed)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        labels = labels if labels.ndim == 1 else labels[:, 0]  # of a label tree the class
        return self.loss(embeddings, torch.searchsorted(self.classes, labels.contiguous()))


class CrossEntropy(nn.Module):
    r"""Cross-entropy of a linear classifier on the embeddings: class vectors of any length, from 0 on, as its authors begin.

    Args:
        weight_decay: :math:`\lambda`, which adds :math:`\frac{\lambda}{2} \lVert\Theta\rVert^2`; the larger, the shorter the vectors, and
            the softer the probabilities.
        smoothing: the share of the target that all classes divide.
        speed: how many times faster than the model the vectors grow under Adam; see `NormalizedSoftmax`.
    """

    def __init__(self, weight_decay: float = 0.0, smoothing: float = 0.0, speed: float = 10.0):
        super().__init__()
        self.weight_decay, self.smoothing, self.speed = weight_decay, smoothing, speed

    def meet(self, labels: Tensor, dimensions: int) -> None:
        """Begin with a vector of 0 for each class of the training samples."""
        self.register_buffer("classes", labels.unique())
        self.slow = nn.Parameter(torch.zeros(len(self.classes), dimensions))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        vectors, target = self.speed * self.slow, torch.searchsorted(self.classes, labels)
        loss = nn.functional.cross_entropy(embeddings @ vectors.T, target, label_smoothing=self.smoothing)
        return loss + self.weight_decay / 2 * vectors.square().sum()


class WithClasses(nn.Module):
    r""":math:`(1 - \lambda)` times a loss plus :math:`\lambda` times `NormalizedSoftmax`: the cluster loss of SupRank in ROADMAP's place of
    the calibration."""

    def __init__(self, loss: nn.Module, weight: float, temperature: float = 0.05):
        super().__init__()
        self.loss, self.weight, self.clusters = loss, weight, NormalizedSoftmax(temperature)

    def meet(self, labels: Tensor, dimensions: int) -> None:
        self.clusters.meet(labels, dimensions)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return (1 - self.weight) * self.loss(embeddings, labels) + self.weight * self.clusters(embeddings, labels)
