"""One logit for two lists: pairs turn their order right and spoil the probabilities, which a map for each list repairs."""

from __future__ import annotations

from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.calibrated import MonotoneCalibration, evaluate_probabilities
from rankbook.live.figure import LiveFigure
from rankbook.live.traits import BadTrait, as_many, choice, items, labels, number

PIECES, FLOOR = 10, 0.05  # of the map
STEPS = 300  # of the fit of its heights
NEWTON = 40

#: The better an item of a list, the more it is clicked; but the list of the better items is clicked less.
FEATURE = (0.02, 0.08, 0.16, 0.22, 0.28, 0.34, 0.42, 0.50, 0.48, 0.56, 0.64, 0.70, 0.78, 0.84, 0.90, 0.98)
CLICKS = (0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1)


class TwoMasters(LiveFigure, module="two_masters"):
    """Drag the weight of the pairs: the order of both lists turns right, and the probabilities go wrong. Then switch the map on.

    The logit is linear in the one feature, and the best one for cross-entropy plus ``weight`` times RankNet on the two lists. The map is
    that of `rankbook.MonotoneCalibration` (10 pieces, floor 0.05), one for each list, fitted to it by 300 steps of expectation
    maximization.

    Traits:
        feature: of 8 to 20 items, numbers in [0, 1]; the first half is list A, the others list B.
        clicks: as many, 0 or 1; each list has both.
        weight: of the pairs, from 0 to 3.
        map: "off" or "on".
    """

    feature = items(FEATURE, 8, 20)
    clicks = labels(CLICKS, 20)
    weight = number(0.1, 0.0, 3.0)
    map = choice("off", ("off", "on"))

    @traitlets.validate("feature", "clicks")
    def _check(self, proposal: Any) -> Any:
        value = as_many(proposal, "feature", "clicks")
        if proposal["trait"].name == "clicks":
            half = len(value) // 2
            if not all(0 < sum(some) < len(some) for some in (value[:half], value[half:])):
                raise BadTrait(f"clicks must have 0 and 1 in each half, got {value}")
        return value

    def readout(self) -> dict[str, Any]:
        x, y = (torch.tensor(values, dtype=torch.float64) for values in (self.feature, self.clicks))
        n = len(x)
        lists = (torch.arange(n) >= n // 2).long()
        slope, shift = best_logit(x, y, lists, self.weight)
        p = torch.sigmoid(slope * x + shift)
        if self.map == "on":
            p = mapped(p, y, lists)
        found = evaluate_probabilities(p, y, lists)
        return {
            "slope": slope.item(),
            "shift": shift.item(),
            "predicted": p.tolist(),
            "gauc": found["GAUC"],
            "log_loss": found["LogLoss"],
            "of_a": p[lists == 0].mean().item(),
            "of_b": p[lists == 1].mean().item(),
            **{name: getattr(self, name) for name in ("feature", "clicks", "weight", "map")},
        }

    def describe(self) -> str:
        now = self.readout()
        half = len(self.clicks) // 2
        shares = [sum(some) / len(some) for some in (self.clicks[:half], self.clicks[half:])]
        return (
            f"Two lists of items, ranked by one logit. With the pairs at weight {self.weight:g} and the map {self.map}, GAUC is "
            f"{now['gauc']:.3f} and LogLoss {now['log_loss']:.3f}. List A is clicked {shares[0]:.2f} of the time and predicted "
            f"{now['of_a']:.2f}, list B {shares[1]:.2f} and {now['of_b']:.2f}."
        )


def best_logit(x: Tensor, y: Tensor, lists: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Slope and shift of the logit that minimizes mean cross-entropy plus ``weight`` times the mean RankNet loss of the lists: Newton."""
    gaps = [(x[of & (y == 1)][:, None] - x[of & (y == 0)]).flatten() for of in (lists == 0, lists == 1)]
    at = x.new_zeros(2)
    design = torch.stack([x, torch.ones_like(x)])
    for _ in range(NEWTON):
        p = torch.sigmoid(at @ design)
        gradient = design @ (p - y) / len(x)
        curvature = (design * (p * (1 - p))) @ design.T / len(x)
        for gap in gaps:
            wrong = torch.sigmoid(-at[0] * gap)
            gradient[0] -= weight / len(gaps) * (gap * wrong).mean()
            curvature[0, 0] += weight / len(gaps) * (gap.square() * wrong * (1 - wrong)).mean()
        at = at - torch.linalg.solve(curvature, gradient)
    return at[0], at[1]


def mapped(p: Tensor, y: Tensor, lists: Tensor) -> Tensor:
    """What the map of its list makes of each probability."""
    calibrate = MonotoneCalibration(2, pieces=PIECES, hidden=(), floor=FLOOR).double()
    with torch.no_grad():
        calibrate.network[-1].weight.copy_(torch.stack([heights(p[lists == at], y[lists == at]).log() for at in (0, 1)], 1))
        return calibrate(p, torch.nn.functional.one_hot(lists, 2).double())


def heights(p: Tensor, y: Tensor) -> Tensor:
    """Heights of the pieces ``[K]``: the map is a mixture with them as weights, so expectation maximization climbs its likelihood."""
    inside = (p[:, None] * PIECES - torch.arange(PIECES)).clamp(0, 1)
    share = (1 - FLOOR) * inside + FLOOR * p[:, None]
    a = p.new_full((PIECES,), 1 / PIECES)
    for _ in range(STEPS):
        g = share @ a
        a = a * ((y / g) @ share + ((1 - y) / (1 - g)) @ (1 - share)) / len(p)
    return a
