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
        return self.loss(embeddings, torch.searchsorted(self.classes, labels))


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
