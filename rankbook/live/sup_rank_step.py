"""SupRank's step piece by piece: never below the exact step, and steep where the sigmoid is flat."""

from __future__ import annotations

from typing import Any

import torch

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import number
from rankbook.ranks import exact_ranks, sigmoid_ranks, sup_ranks


class SupRankStep(LiveFigure, module="sup_rank_step"):
    """An irrelevant item passes a relevant one: what the exact step, the sigmoid and SupRank's step count, and with which slope.

    Traits:
        gap: the lead, score of the irrelevant item minus score of the relevant one, in [-0.2, 0.5].
        tau: temperature of both, from 0.003 to 0.1; smaller is closer to exact.
        rho: slope of the line, from 1 to 300; larger pulls harder.
        delta: lead at which the line begins, from 0.01 to 0.3.
    """

    gap = number(0.3, -0.2, 0.5)
    tau = number(0.02, 0.003, 0.1)
    rho = number(10.0, 1, 300)
    delta = number(0.1, 0.01, 0.3)

    def readout(self) -> dict[str, Any]:
        scores = torch.tensor([0.0, self.gap], dtype=torch.float64, requires_grad=True)  # a relevant item, an irrelevant one
        step = exact_ranks(scores.detach())[0].item() - 1
        smooth = sigmoid_ranks(scores, tau=self.tau)[0]
        bound = sup_ranks(scores, torch.tensor([1, 0]), tau=self.tau, rho=self.rho, delta=self.delta)[0]
        smooth_slope, bound_slope = (torch.autograd.grad(rank, scores)[0][1].item() for rank in (smooth, bound))
        return {
            "gap": self.gap,
            "tau": self.tau,
            "rho": self.rho,
            "delta": self.delta,
            "step": step,
            "sigmoid": smooth.item() - 1,
            "bound": bound.item() - 1,
            "sigmoid_slope": smooth_slope,
            "bound_slope": bound_slope,
            "piece": "sigmoid" if self.gap < 0 else "sigmoid + 1/2" if self.gap <= self.delta else "line",
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            "An irrelevant item passes a relevant one: the sigmoid stays below the exact step and its slope dies, "
            "SupRank's step stays above and keeps its slope. "
            f"At a lead of {self.gap:g} (tau = {self.tau:g}, rho = {self.rho:g}, delta = {self.delta:g}) "
            f"the exact step is {now['step']:.0f}, "
            f"the sigmoid {now['sigmoid']:.4f} with slope {now['sigmoid_slope']:.2g}, "
            f"and SupRank's step {now['bound']:.3f} with slope {now['bound_slope']:.3g} ({now['piece']})."
        )
