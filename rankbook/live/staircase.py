"""One score across the others: the exact rank jumps, the smooth rank glides."""

from __future__ import annotations

from typing import Any

import torch

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import items, number
from rankbook.ranks import exact_ranks, sigmoid_ranks


class Staircase(LiveFigure, module="staircase"):
    """Move one score across the others, and compare both ranks and both gradients.

    Traits:
        scores: the other items' scores, 1 to 20 numbers in [0, 1].
        x: the score that moves, in [0, 1].
        tau: temperature of the smooth rank, from 0.001 to 1, as in `TauGradient`; smaller is closer to exact.
    """

    scores = items([0.12, 0.25, 0.31, 0.48, 0.55, 0.74, 0.86], 1, 20)
    x = number(0.42, 0, 1)
    tau = number(0.02, 0.001, 1)

    def readout(self) -> dict[str, Any]:
        scores = torch.tensor([self.x, *self.scores], dtype=torch.float64, requires_grad=True)
        smooth_rank = sigmoid_ranks(scores, tau=self.tau)[0]
        (gradient,) = torch.autograd.grad(smooth_rank, scores)
        return {
            "scores": self.scores,
            "x": self.x,
            "tau": self.tau,
            "exact_rank": exact_ranks(scores.detach())[0].item(),
            "smooth_rank": smooth_rank.item(),
            "exact_gradient": None if self.x in self.scores else 0.0,
            "smooth_gradient": gradient[0].item(),
        }

    def describe(self) -> str:
        now = self.readout()
        slope = "no gradient (it jumps here)" if now["exact_gradient"] is None else "gradient 0"
        return (
            f"The rank of a score x among {len(self.scores)} others: "
            "the exact rank is a staircase without a useful gradient, the smooth rank glides. "
            f"At x = {self.x:g} the exact rank is {now['exact_rank']:.0f} with {slope}; "
            f"at tau = {self.tau:g} the smooth rank is {now['smooth_rank']:.3f} with gradient {now['smooth_gradient']:.3g}."
        )
