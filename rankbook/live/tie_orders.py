"""Tied scores: every order of the tied items is one result; each metric from the worst to the best, and what rankbook returns."""

from __future__ import annotations

import math
from itertools import combinations, product
from typing import Any

import torch
import traitlets

from rankbook.checks import check_number
from rankbook.live.figure import LiveFigure
from rankbook.live.metric_board import RUNNING, seven
from rankbook.live.traits import Checked, items, labeled_items, labels, whole


def _step(name: str, value: Any) -> float:
    value = check_number(name, value, at_least=0, at_most=1)
    if 0 < value < 0.01:
        raise ValueError(f"{name} must be 0 (the scores as they are) or from 0.01 to 1, got {value}")
    return value


class TieOrders(LiveFigure, module="tie_orders"):
    """Round the scores, drag items together: between its worst and its best order each metric has room for luck.

    Traits:
        scores: 1 to 10 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        k: cutoff of precision, recall and hit, from 1 to the number of items.
        step: scores are rounded to multiples of it, half a step up; 0 leaves them as they are.
    """

    scores = items(RUNNING, 1, 10)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 10)
    k = whole(4, 1, 10)
    step = Checked(0.2, _step)

    @traitlets.validate("scores", "relevance", "k")
    def _check(self, proposal: Any) -> Any:
        return labeled_items(proposal, "k", first=1)

    def levels(self) -> list[float]:
        """The scores in steps, as whole numbers."""
        return [float(math.floor(s / self.step + 0.5)) for s in self.scores] if self.step else list(self.scores)

    def readout(self) -> dict[str, Any]:
        levels, relevance = torch.tensor(self.levels(), dtype=torch.float64), torch.tensor(self.relevance)
        # each row is the relevance from the first place to the last, for one order of the tied items
        cells = [relevance[levels == level] for level in levels.unique().flip(0)]
        picks = [[torch.isin(torch.arange(len(c)), torch.tensor(p)) for p in combinations(range(len(c)), int(c.sum()))] for c in cells]
        orders = torch.stack([torch.cat(pick) for pick in product(*picks)]).long()
        state = {"scores": self.scores, "relevance": self.relevance, "k": self.k, "step": self.step, "possible": len(orders)}
        if not relevance.any():
            return {**state, **dict.fromkeys(("worst", "average", "best", "returned"))}
        places = -torch.arange(len(levels), dtype=torch.float64).expand(orders.shape)
        values = torch.stack([f(places, orders, reduction="none") for f in seven(self.k).values()])
        return {
            **state,
            "worst": values.amin(1).tolist(),
            "average": values.mean(1).tolist(),
            "best": values.amax(1).tolist(),
            "returned": [f(levels, relevance).item() for f in seven(self.k).values()],
        }

    def describe(self) -> str:
        now = self.readout()
        lists = f"rounded to steps of {self.step:g}, their scores" if self.step else "their scores"
        text = f"{len(self.scores)} items, {sum(self.relevance)} of them relevant; {lists} allow {now['possible']} lists."
        if now["worst"] is None:
            return f"{text} Without a relevant item the metrics are undefined."
        ap = list(seven(self.k)).index("average_precision")
        return (
            f"{text} AP is {now['worst'][ap]:.3f} at worst and {now['best'][ap]:.3f} at best; rankbook returns {now['returned'][ap]:.3f}."
        )
