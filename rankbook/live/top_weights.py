"""Eight patients and an organ: a fit of all outcomes, and one that weighs the first N, which errs more and may choose better."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import number, whole
from rankbook.ranks import exact_ranks

#: Of each patient the points of the old score, and by how many years the donor is older; in the order of the points.
POINTS = [6.0, 5.5, 5.0, 4.0, 3.0, 2.5, 2.0, 1.5]
GAP = [0, -10, -25, -30, 10, 35, -15, -5]
KAPPA, SWEEPS = 20, 20


def weighted_fit(design: Tensor, outcome: Tensor, weights: Tensor) -> Tensor:
    """What a linear model predicts whose weighted squared error is least."""
    weighted = design * weights[:, None]
    return design @ torch.linalg.solve(design.T @ weighted, weighted.T @ outcome)


class TopWeights(LiveFigure, module="top_weights"):
    """Drag how much the old score leaves out, and N: the fit for the first N pays in error, and may recommend better patients.

    The outcome is the points, less ``misfit`` for each ten years that the donor is older. Both fits are linear in the points and the
    years, and see all eight outcomes. One weighs all alike, the other by :math:`1 + 20\\,e^{-(r - 1) / N}`, r the rank by its own
    prediction, in 20 turns.

    Traits:
        n: N, from 1 to 7.
        misfit: from 0 to 3 points for each ten years.
    """

    n = whole(3, 1, 7)
    misfit = number(2.0, 0, 3)

    def readout(self) -> dict[str, Any]:
        points, years = (torch.tensor(one, dtype=torch.float64) for one in (POINTS, GAP))
        outcome = points - self.misfit * years.clamp(min=0) / 10
        design = torch.stack([torch.ones_like(points), points, years / 10], dim=1)
        of_all = of_first = weighted_fit(design, outcome, torch.ones_like(points))
        for _ in range(SWEEPS):
            of_first = weighted_fit(design, outcome, 1 + KAPPA * torch.exp(-(exact_ranks(of_first) - 1) / self.n))
        chosen = {"all": exact_ranks(of_all) <= self.n, "first": exact_ranks(of_first) <= self.n, "best": exact_ranks(outcome) <= self.n}
        return self.figure_state() | {
            "outcome": outcome.tolist(),
            "of_all": of_all.tolist(),
            "of_first": of_first.tolist(),
            "error_all": (of_all - outcome).square().mean().sqrt().item(),
            "error_first": (of_first - outcome).square().mean().sqrt().item(),
            **{f"mean_{name}": outcome[found].mean().item() for name, found in chosen.items()},
            **{f"chosen_{name}": found.int().tolist() for name, found in chosen.items()},
        }

    def describe(self) -> str:
        now = self.readout()

        def named(chosen: str) -> str:
            return " ".join(letter for letter, one in zip("ABCDEFGH", now[f"chosen_{chosen}"], strict=True) if one)

        return (
            f"Eight patients for an organ, misfit {self.misfit:g}, N = {self.n}. The fit of all recommends {named('all')}: "
            f"{now['mean_all']:.2f} points on average, with an RMSE of {now['error_all']:.2f}. The fit for the first N recommends "
            f"{named('first')}: {now['mean_first']:.2f} points, with an RMSE of {now['error_first']:.2f}. The best are {named('best')}, "
            f"{now['mean_best']:.2f} points."
        )
