"""Losses of a batch of pictures with many labels: ``loss(scores[b, labels], targets[b, labels])``.

The losses of pictures judge each score alone. The losses of lists read a column: the pictures of the batch, ranked by one label.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rankbook.experiments.parts import Contender
from rankbook.losses import MeanRankLoss, RankNetLoss, SmoothAPLoss
from rankbook.losses.batch_loss import BatchLoss
from rankbook.ranks import sigmoid_ranks
from rankbook.scale import CrossBatchMemory


class CrossEntropy(nn.Module):
    """Binary cross-entropy; a positive weighs ``pos_weight`` negatives."""

    def __init__(self, pos_weight: float = 1.0):
        super().__init__()
        self.pos_weight = pos_weight

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(scores, targets, pos_weight=scores.new_tensor(self.pos_weight))


class AsymmetricLoss(nn.Module):
    r"""Cross-entropy that passes over easy negatives (2009.14119, eq. 4 to 6, without focusing on positives).

    .. math:: \mathcal{L} = -\,y \log p \;-\; (1 - y)\, p_m^{\gamma} \log(1 - p_m), \qquad p_m = \max(p - m, 0)

    Args:
        gamma: :math:`\gamma`; larger passes over more negatives.
        margin: :math:`m`; a negative below this probability costs nothing.
    """

    def __init__(self, gamma: float = 4.0, margin: float = 0.05):
        super().__init__()
        self.gamma, self.margin = gamma, margin

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        shifted = (scores.sigmoid() - self.margin).clamp(min=0)
        negatives = shifted**self.gamma * torch.log1p(-shifted)
        return -(targets * nn.functional.logsigmoid(scores) + (1 - targets) * negatives).mean()


class PerLabel(nn.Module):
    """A loss of lists ``[labels, b]``: each label ranks the pictures of the batch."""

    def __init__(self, loss: nn.Module):
        super().__init__()
        self.loss = loss

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return self.loss(scores.T, targets.T)


class PerLabelBatch(nn.Module):
    """The same for a batch loss, which computes the ranks of the positives alone.

    Its queries are unit vectors, one a label, and its gallery the rows of scores: their products are the scores of the label.
    """

    def __init__(self, loss: BatchLoss):
        super().__init__()
        self.loss = loss

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return self.loss(torch.eye(scores.shape[1], dtype=scores.dtype), ref_embeddings=scores, relevance=targets.T)


class WithMemory(nn.Module):
    """`PerLabelBatch` whose lists are the batch and the scores of the last ``size`` pictures, as constants.

    The memory is `rankbook.CrossBatchMemory`: a row of scores is its embedding, a row of targets its labels.
    """

    def __init__(self, loss: BatchLoss, size: int):
        super().__init__()
        self.loss, self.size, self.memory = PerLabelBatch(loss), size, None

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        if self.memory is None:
            self.memory = CrossBatchMemory(self.size, scores.shape[1], levels=scores.shape[1])
        return self.memory(self._of_all, scores, targets.long())

    def _of_all(self, scores: Tensor, targets: Tensor, everyone: Tensor, all_targets: Tensor, **_: object) -> Tensor:
        return self.loss(everyone, all_targets.to(everyone.dtype))


class Sum(nn.Module):
    """``first + weight * second``."""

    def __init__(self, first: nn.Module, second: nn.Module, weight: float):
        super().__init__()
        self.first, self.second, self.weight = first, second, weight

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return self.first(scores, targets) + self.weight * self.second(scores, targets)


def smooth_ap(tau: float) -> PerLabelBatch:
    """Smooth-AP of each label over the batch."""
    return PerLabelBatch(SmoothAPLoss(tau=tau))


def smooth_ap_with_memory(tau: float) -> WithMemory:
    """Smooth-AP of each label over the batch and four batches before it."""
    return WithMemory(SmoothAPLoss(tau=tau), size=256)


def rank_net(sigma: float) -> PerLabel:
    """RankNet of each label over the batch."""
    return PerLabel(RankNetLoss(sigma=sigma))


def mean_rank(tau: float) -> PerLabel:
    """SoDeep's loss for mAP, with sigmoid ranks."""
    return PerLabel(MeanRankLoss(partial(sigmoid_ranks, tau=tau)))


def cross_entropy_and_mean_rank(weight: float) -> Sum:
    """What SoDeep trains on Pascal VOC: the cross-entropy of each score plus a share of its loss for mAP."""
    return Sum(CrossEntropy(), mean_rank(1.0), weight)


CROSS_ENTROPY = Contender(CrossEntropy, {"pos_weight": (1.0, 3.0)})
ASYMMETRIC = Contender(AsymmetricLoss, {"gamma": (1.0, 2.0)})
RANK_NET = Contender(rank_net, {"sigma": (0.3, 1.0)})
MEAN_RANK = Contender(mean_rank, {"tau": (1.0, 3.0)})
CROSS_ENTROPY_MEAN_RANK = Contender(cross_entropy_and_mean_rank, {"weight": (0.03, 0.3)})
SMOOTH_AP = Contender(smooth_ap, {"tau": (1.0, 3.0)})
SMOOTH_AP_MEMORY = Contender(smooth_ap_with_memory, {"tau": (1.0, 3.0)})
