"""Temperature against gradient: small tau is exact and dead, large tau is alive and wrong."""

from __future__ import annotations

from typing import Any

import torch

from rankbook.live.figure import DEAD, LiveFigure
from rankbook.live.traits import number
from rankbook.ranks import exact_ranks, sigmoid_ranks


class TauGradient(LiveFigure, module="tau_gradient"):
    """A relevant and an irrelevant item: how gap and temperature decide the rank's error and its gradient.

    Traits:
        gap: score of the irrelevant minus score of the relevant item, in [-1, 1].
        tau: temperature, from 0.001 to 1; smaller is closer to exact.
    """

    gap = number(0.3, -1, 1)
    tau = number(0.05, 0.001, 1)

    def _rank_and_gradient(self, gap: float) -> tuple[float, float]:
        """Smooth rank of the relevant item, and the size of its gradient with respect to its own score."""
        scores = torch.tensor([0.0, gap], dtype=torch.float64, requires_grad=True)
        rank = sigmoid_ranks(scores, tau=self.tau)[0]
        (gradient,) = torch.autograd.grad(rank, scores)
        return rank.item(), gradient[0].abs().item()

    def readout(self) -> dict[str, Any]:
        exact = exact_ranks(torch.tensor([0.0, self.gap], dtype=torch.float64))[0].item()
        smooth, gradient = self._rank_and_gradient(self.gap)
        return {
            "gap": self.gap,
            "tau": self.tau,
            "exact_rank": exact,
            "smooth_rank": smooth,
            "rank_error": abs(smooth - exact),
            "gradient": gradient,
            "share_of_maximum": gradient / self._rank_and_gradient(0.0)[1],
            "dead": gradient < DEAD,
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            "A relevant item and an irrelevant one: with a small temperature the smooth rank is exact but its gradient is dead, "
            "with a large one it is alive but wrong. "
            f"At gap {self.gap:g} and tau = {self.tau:g} the rank is {now['smooth_rank']:.3f} (exact {now['exact_rank']:.0f}) "
            f"and its gradient {now['gradient']:.2g}, {'dead' if now['dead'] else 'alive'} (below 1e-6 counts as dead)."
        )
