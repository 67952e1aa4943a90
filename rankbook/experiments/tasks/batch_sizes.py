"""Retrieval where the contenders differ in their batches: each loss brings the shape and the number of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from rankbook.experiments.tasks.pixels import PixelRetrieval
from rankbook.experiments.tasks.retrieval import Retrieval


class InBatches(nn.Module):
    """A loss, and how it is trained.

    Args:
        loss: (embeddings, labels) -> loss.
        classes: of a batch; the task says how many items each has.
        share: of the study's steps: 4 where the batches are a quarter as large and shall hold as many items in all.
        lr: peak learning rate.
    """

    def __init__(self, loss: nn.Module, classes: int, share: float, lr: float):
        super().__init__()
        self.loss, self.classes, self.share, self.lr = loss, classes, share, lr

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.loss(embeddings, labels)


@dataclass(frozen=True)
class BatchSizes(Retrieval):
    """`Retrieval` by losses that are `InBatches`."""

    def fit(self, loss: InBatches, *, steps: int, seed: int) -> nn.Module:
        """As `Retrieval.fit`, in batches of the loss's classes, at its learning rate, for its share of the steps."""
        task = replace(self, classes=loss.classes)
        return Retrieval.fit(task, loss, lr=loss.lr, steps=round(loss.share * steps), seed=seed)


@dataclass(frozen=True)
class PixelBatchSizes(PixelRetrieval, BatchSizes):
    """`BatchSizes` where the small network of `PixelRetrieval` is trained from its first weights, on pictures."""
