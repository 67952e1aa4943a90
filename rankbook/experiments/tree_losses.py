"""Mixtures of a loss on the class with one on the label tree, as contenders."""

from __future__ import annotations

from torch import Tensor, nn

from rankbook.experiments.contenders import scaled_sup_hap
from rankbook.losses import SmoothAPLoss


class Mixture(nn.Module):
    r""":math:`(1 - w)` times a loss on the class plus :math:`w` times one on the tree; the ends are these losses alone."""

    def __init__(self, weight: float, on_class: nn.Module, on_tree: nn.Module):
        super().__init__()
        parts = {loss: share for loss, share in ((on_class, 1 - weight), (on_tree, weight)) if share > 0}
        self.losses, self.shares = nn.ModuleList(parts), tuple(parts.values())

    def forward(self, embeddings: Tensor, levels: Tensor) -> Tensor:
        return sum(share * loss(embeddings, levels) for share, loss in zip(self.shares, self.losses, strict=True))


def class_to_tree(weight: float) -> Mixture:
    """Smooth-AP and SupH-AP at the widths that each chose alone on the validation classes of the emoji."""
    return Mixture(weight, SmoothAPLoss(tau=0.1), scaled_sup_hap(0.03))
