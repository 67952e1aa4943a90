"""Step functions of the fused core: the sum of H over the leads, and the slope, in place."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class SigmoidStep:
    """sigma(x / tau), by the tanh: sigma(x) = (1 + tanh(x / 2)) / 2 is faster and has no subnormal tail."""

    def __init__(self, tau: float):
        self.scale = 0.5 / tau

    def sums(self, leads: Tensor) -> Tensor:
        return leads.tanh_().sum(-1).add_(leads.shape[-1]).mul_(0.5)

    def slopes_(self, leads: Tensor) -> Tensor:
        tanh = leads.tanh_()
        return torch.addcmul(tanh.new_full((), 0.5), tanh, tanh, value=-0.5, out=leads)


class SupStep:
    """SupRank's H^-: at least 1 for every lead >= 0, and of constant slope rho beyond delta (see `rankbook.sup_ranks`)."""

    def __init__(self, tau: float, rho: float, delta: float):
        self.sigmoid = SigmoidStep(tau)
        self.scale = self.sigmoid.scale
        self.rho, self.delta = rho / self.scale, delta * self.scale
        self.slope_at_delta = (1 - math.tanh(self.delta) ** 2) / 2

    def sums(self, leads: Tensor) -> Tensor:
        spare = torch.ge(leads, 0, out=torch.empty_like(leads))  # not boolean: floats are summed several times faster
        total = spare.sum(-1).mul_(0.5)
        total.add_(torch.sub(leads, self.delta, out=spare).relu_().sum(-1), alpha=self.rho)
        return total.add_(self.sigmoid.sums(leads.clamp_(max=self.delta)))

    def slopes_(self, leads: Tensor) -> Tensor:
        beyond = torch.gt(leads, self.delta, out=torch.empty_like(leads))
        return self.sigmoid.slopes_(leads.clamp_(max=self.delta)).add_(beyond, alpha=self.rho - self.slope_at_delta)
