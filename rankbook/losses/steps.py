"""Step functions of the fused core: the sum of H over the leads, and its slope, in place."""

from __future__ import annotations

import math

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
        tanh = math.tanh(delta / (2 * tau))
        self.slope_at_delta = (1 - tanh * tanh) / (4 * tau)

    def __call__(self, leads: Tensor) -> Tensor:
        spare = torch.empty_like(leads)
        ahead = torch.ge(leads, 0, out=spare).sum(-1)
        beyond = torch.sub(leads, self.delta, out=spare).relu_()
        excess = beyond.sum(-1)
        total = self.sigmoid(leads.clamp_(max=self.delta)) + ahead / 2 + self.rho * excess
        leads.add_(beyond.sign_(), alpha=self.rho - self.slope_at_delta)
        return total
