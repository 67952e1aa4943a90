"""The losses that the study of clicks compares: cross-entropy of the logit, alone and with pairs of items of a list."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rankbook.experiments.parts import Contender
from rankbook.losses import RankNetLoss, SelfBoostedLoss


class ClickBatch(NamedTuple):
    """What the loss of a batch sees: clicks, which rows there are, and beside each sample its list as the deployed model scored it."""

    labels: Tensor
    where: Tensor
    list_scores: Tensor | None = None
    list_labels: Tensor | None = None
    list_where: Tensor | None = None


class CrossEntropy(nn.Module):
    """Each sample by itself; ``smoothing`` moves its label that much of the way to one half."""

    batches = "samples"

    def __init__(self, smoothing: float = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, batch: ClickBatch) -> Tensor:
        labels = batch.labels[batch.where]
        return binary_cross_entropy_with_logits(logits[batch.where], labels + self.smoothing * (0.5 - labels))


class ListPairs(CrossEntropy):
    """Cross-entropy, and RankNet on the lists of the batch."""

    batches = "lists"

    def __init__(self, weight: float):
        super().__init__()
        self.weight, self.pairs = weight, RankNetLoss()

    def forward(self, logits: Tensor, batch: ClickBatch) -> Tensor:
        return super().forward(logits, batch) + self.weight * self.pairs(logits, batch.labels, where=batch.where)


class LoggedPairs(CrossEntropy):
    """Cross-entropy, and each sample against its list as the deployed model scored it."""

    batches = "logged"

    def __init__(self, weight: float):
        super().__init__()
        self.weight, self.pairs = weight, SelfBoostedLoss()

    def forward(self, logits: Tensor, batch: ClickBatch) -> Tensor:
        pairs = self.pairs(logits, batch.labels, batch.list_scores, batch.list_labels, where=batch.list_where)
        return super().forward(logits, batch) + self.weight * pairs


WEIGHTS = {"weight": (0.1, 1.0, 4.0)}

POINT = Contender(CrossEntropy, {"smoothing": (0.0, 0.001, 0.003)})
LIST_PAIRS = Contender(ListPairs, WEIGHTS)
LOGGED_PAIRS = Contender(LoggedPairs, WEIGHTS)
