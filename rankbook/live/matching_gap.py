"""Three views of five items: what the matching gap sees of a view that is out of step, and what pairs of views see."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import number, numbers
from rankbook.losses import MultiMarginalMatchingGap

ITEMS, HALF = 5, 180
TOLERANCE, SWEEPS = 1e-6, 20_000
IN_STEP = [20, 55, 90, 125, 160]
SLID = [angle - 20 for angle in IN_STEP]


class MatchingGap(LiveFigure, module="matching_gap"):
    """Drag the items of three views along a half circle of unit vectors: the gap hears who changed places, not who moved.

    Lines show the matching: their strength is the marginal of P for two neighboring views.

    Traits:
        first, second, third: five angles each, of the same items, in degrees from 0 to 180.
        epsilon: of the matching gap, from 0.04 to 0.4; InfoNCE of the pairs is shown at the temperature that makes its kernel the same.
    """

    first = numbers(IN_STEP, ITEMS, ITEMS, 0, HALF)
    second = numbers(IN_STEP, ITEMS, ITEMS, 0, HALF)
    third = numbers(SLID, ITEMS, ITEMS, 0, HALF)
    epsilon = number(0.04, 0.04, 0.4)

    def views(self) -> torch.Tensor:
        """Unit vectors [3, 5, 2] in float64."""
        angles = torch.deg2rad(torch.tensor([self.first, self.second, self.third], dtype=torch.float64))
        return torch.stack([angles.cos(), angles.sin()], dim=2)

    def readout(self) -> dict[str, Any]:
        views, loss = self.views(), MultiMarginalMatchingGap(self.epsilon, tolerance=TOLERANCE, iterations=SWEEPS)
        own, plans = torch.arange(ITEMS), loss.plans(views)
        scores = [views[a] @ views[b].T for a, b in combinations(range(3), 2)]
        both = [one for score in scores for one in (score, score.T)]
        sharp = len(views) ** 2 * self.epsilon / 2
        return self.figure_state() | {
            "gap": loss(views).item(),
            "info_nce": torch.stack([torch.nn.functional.cross_entropy(one / sharp, own) for one in both]).mean().item(),
            "right": sum(int((one.diag() >= one.amax(1)).sum()) for one in both),
            "cost": (1 - views.mean(0).square().sum(1)).mean().item(),
            "upper": (ITEMS * plans[0, 1]).flatten().tolist(),
            "lower": (ITEMS * plans[1, 2]).flatten().tolist(),
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            f"Three views of {ITEMS} items on a half circle. The matching gap is {now['gap']:.3f} at epsilon {self.epsilon:g}, InfoNCE of "
            f"the pairs of views {now['info_nce']:.3f}; of {6 * ITEMS} searches in another view {now['right']} find their item first. "
            f"The true matching costs {now['cost']:.3f}."
        )
