"""All orders of a short list of a label tree: those of one AP, and how far apart H-AP says they are."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import as_many, items, labels, number
from rankbook.metrics import average_precision, hierarchical_ap
from rankbook.relevance import hierarchical_relevance

SAME = 1e-9  # two values of a metric that differ by less are one


class EqualAP(LiveFigure, module="equal_ap"):
    """Drag the list along the orders that have its AP: H-AP goes from the harshest to the kindest.

    Traits:
        scores: 1 to 8 numbers in [0, 1].
        levels: as many: 2 (same class as the query), 1 (same group), 0 (stranger).
        alpha: of `rankbook.hierarchical_relevance`, from 0.25 to 4.

    Change ``scores`` and ``levels`` together, if their length changes, inside ``with figure.hold_trait_notifications():``.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 1, 8)
    levels = labels([2, 0, 2, 1, 0, 2, 1, 0], 8, highest=2)
    alpha = number(1.0, 0.25, 4)

    @traitlets.validate("scores", "levels")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "levels")

    def _measured(self, scores: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        relevance = hierarchical_relevance(levels, alpha=self.alpha, dtype=torch.float64)
        return average_precision(scores, levels == 2, reduction="none"), hierarchical_ap(scores, relevance, reduction="none")

    def all_orders(self) -> tuple[Tensor, Tensor, Tensor]:
        """Every order of the levels, ``[orders, n]`` from the first place on, with its AP and H-AP."""
        n, of_class, of_group = len(self.levels), self.levels.count(2), self.levels.count(1)
        orders = [
            [2 if place in first else int(place in second) for place in range(n)]
            for first in combinations(range(n), of_class)
            for second in combinations([place for place in range(n) if place not in first], of_group)
        ]
        found = torch.tensor(orders)
        return found, *self._measured(-torch.arange(n, dtype=torch.float64).expand(found.shape), found)

    def readout(self) -> dict[str, Any]:
        scores, levels = torch.tensor(self.scores, dtype=torch.float64), torch.tensor(self.levels)
        state = {"scores": self.scores, "levels": self.levels, "alpha": self.alpha}
        empty = {
            "average_precision": None,
            "hierarchical_ap": None,
            "orders": 0,
            "same_ap": 0,
            "lowest": None,
            "highest": None,
            "widest": None,
        }
        if not (levels == 2).any():
            relevance = hierarchical_relevance(levels, alpha=self.alpha, dtype=torch.float64)
            return {**state, **empty, "hierarchical_ap": hierarchical_ap(scores, relevance).item() if levels.any() else None}
        ap, hap = (value.item() for value in self._measured(scores, levels))
        orders, ap_of, hap_of = self.all_orders()
        rows = [hap_of[(ap_of - value).abs() <= SAME] for value in ap_of.unique()]
        row = hap_of[(ap_of - ap).abs() <= SAME]
        return {
            **state,
            "average_precision": ap,
            "hierarchical_ap": hap,
            "orders": len(orders),
            "same_ap": len(row),
            "lowest": row.min().item() if len(row) else None,
            "highest": row.max().item() if len(row) else None,
            "widest": max((one.max() - one.min()).item() for one in rows),
        }

    def describe(self) -> str:
        now = self.readout()
        if now["average_precision"] is None:
            return "All orders of a list: without an item of the class AP is undefined."
        text = f"All {now['orders']} orders of {len(self.levels)} items of a label tree; this list has AP = {now['average_precision']:.3f}"
        text = f"{text} and H-AP = {now['hierarchical_ap']:.3f}."
        if now["lowest"] is None:
            return text
        return f"{text} The {now['same_ap']} orders of the same AP reach from {now['lowest']:.3f} to {now['highest']:.3f}."
