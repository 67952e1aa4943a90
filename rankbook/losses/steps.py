"""Step functions of the fused core: the sum of H over the leads, and its slope, in place."""

from __future__ import annotations

import torch
from torch import Tensor


class SigmoidStep:
    """sigma(x / tau), by the tanh: sigma(x) = (1 + tanh(x / 2)) / 2 is faster and has no subnormal tail."""

    def __init__(self, tau: float):
        self.scale = 0.5 / tau

    def __call__(self, leads: Tensor) -> Tensor:
        tanh = leads.mul_(self.scale).tanh_()
        total = (tanh.shape[-1] + tanh.sum(-1)) / 2
        torch.addcmul(tanh.new_full((), self.scale / 2), tanh, tanh, value=-self.scale / 2, out=leads)
        return total


class SupStep:
    """SupRank's H^-: at least 1 for every lead >= 0, and of constant slope rho beyond delta (see `rankbook.sup_ranks`)."""

    def __init__(self, tau: float, rho: float, delta: float):
        self.sigmoid, self.rho, self.delta = SigmoidStep(tau), rho, delta

    def __call__(self, leads: Tensor) -> Tensor:
        ahead = (leads >= 0).sum(-1).to(leads.dtype)
        beyond = (leads - self.delta).relu_()
        excess = beyond.sum(-1)
        total = self.sigmoid(leads.clamp_(max=self.delta)) + ahead / 2 + self.rho * excess
        leads.masked_fill_(beyond > 0, self.rho)
        return total
