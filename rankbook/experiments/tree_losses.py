"""Losses on a label tree as contenders: SupCon on each level, SupNDCG, and mixtures of a loss on the class with one on the tree."""

from __future__ import annotations

from torch import Tensor, nn

from rankbook.experiments.class_vectors import NormalizedSoftmax
from rankbook.experiments.contenders import scaled_sup_hap
from rankbook.experiments.parts import Contender
from rankbook.losses import SmoothAPLoss, SupConLoss, SupNDCGLoss


class LevelSupCon(nn.Module):
    """The mean over the levels of `SupConLoss` on the labels of that level: SupCon, told of the tree level by level."""

    def __init__(self, temperature: float):
        super().__init__()
        self.loss = SupConLoss(temperature)

    def forward(self, embeddings: Tensor, levels: Tensor) -> Tensor:
        return sum(self.loss(embeddings, labels) for labels in levels.unbind(1)) / levels.shape[1]


class Mixture(nn.Module):
    r""":math:`(1 - w)` times a loss on the class plus :math:`w` times one on the tree; the ends are these losses alone."""

    def __init__(self, weight: float, on_class: nn.Module, on_tree: nn.Module):
        super().__init__()
        parts = {loss: share for loss, share in ((on_class, 1 - weight), (on_tree, weight)) if share > 0}
        self.losses, self.shares = nn.ModuleList(parts), tuple(parts.values())

    def meet(self, labels: Tensor, dimensions: int) -> None:
        """A loss with a vector for each class is told of the classes."""
        for loss in self.losses:
            if hasattr(loss, "meet"):
                loss.meet(labels, dimensions)

    def forward(self, embeddings: Tensor, levels: Tensor) -> Tensor:
        return sum(share * loss(embeddings, levels) for share, loss in zip(self.shares, self.losses, strict=True))


def class_to_tree(weight: float) -> Mixture:
    """Smooth-AP and SupH-AP at the widths that each chose alone on the validation classes of the emoji."""
    return Mixture(weight, SmoothAPLoss(tau=0.1), scaled_sup_hap(0.03))


def half_and_half(tau: float) -> Mixture:
    """Smooth-AP at ``tau`` and SupH-AP at the width that it chose alone, one half each."""
    return Mixture(0.5, SmoothAPLoss(tau=tau), scaled_sup_hap(0.03))


def sup_hap_with_classes(weight: float) -> Mixture:
    """The form of HAPPIER: SupH-AP with ``weight``, and class vectors with the rest."""
    return Mixture(weight, NormalizedSoftmax(temperature=0.05), scaled_sup_hap(0.03))


def scaled_sup_ndcg(tau: float) -> SupNDCGLoss:
    """SupNDCG in the shape of `scaled_sup_hap`."""
    return SupNDCGLoss(tau=tau, rho=1 / tau, delta=5 * tau)


# Two values each, around the best widths of the study of the emoji tree.
SUP_CON = Contender(SupConLoss, {"temperature": (0.05, 0.1)})
LEVEL_SUP_CON = Contender(LevelSupCon, {"temperature": (0.05, 0.1)})
SMOOTH_AP = Contender(SmoothAPLoss, {"tau": (0.03, 0.1)})
HALVES = Contender(half_and_half, {"tau": (0.03, 0.1)})
SUP_HAP = Contender(scaled_sup_hap, {"tau": (0.01, 0.03)})
SUP_HAP_CLASSES = Contender(sup_hap_with_classes, {"weight": (0.5, 0.9)})
SUP_NDCG = Contender(scaled_sup_ndcg, {"tau": (0.01, 0.03)})
