"""Losses of the studies of codes: each says how many bits it wants, and which attention of the network, if any."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize

from rankbook.losses import PairwiseHashLoss, SupConLoss


class CodeLoss(nn.Module):
    """A loss of codes ``[b, bits]`` and labels ``[b]``, and what it asks of the network: ``bits``, and the name of an ``attention``."""

    def __init__(self, loss: nn.Module, bits: int, attention: str = "none"):
        super().__init__()
        self.loss, self.bits, self.attention = loss, bits, attention

    def forward(self, codes: Tensor, labels: Tensor) -> Tensor:
        return self.loss(codes, labels)


class OnTheSphere(SupConLoss):
    """The contrastive loss of the codes scaled to length 1; it knows nothing of bits."""

    def forward(self, codes: Tensor, labels: Tensor) -> Tensor:
        return super().forward(normalize(codes, dim=-1), labels)


def hashed(quantization: float, balanced: bool = True, *, bits: int, margin: float = 2.0, attention: str = "none") -> CodeLoss:
    """By default pairs of one class weigh as much as the others together."""
    return CodeLoss(PairwiseHashLoss(margin, quantization=quantization, balanced=balanced), bits, attention)


def released(quantization: float, balanced: bool = True, *, bits: int) -> CodeLoss:
    """With the margin of ASH's released code."""
    return hashed(quantization, balanced, bits=bits, margin=bits / 2)


def contrastive(temperature: float, *, bits: int) -> CodeLoss:
    return CodeLoss(OnTheSphere(temperature), bits)
