"""One list of a label tree, judged level by level: H-AP with weights is a mean of two APs, and ASI has a verdict of its own."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import as_many, items, labels, number
from rankbook.metrics import asi, average_precision, hierarchical_ap
from rankbook.ranks import exact_ranks
from rankbook.relevance import hierarchical_relevance


class LevelVerdicts(LiveFigure, module="level_verdicts"):
    """Drag items, and the weight of the class: the AP of each level, their weighted mean, and ASI.

    Traits:
        scores: 1 to 26 numbers in [0, 1].
        levels: as many: 2 (same class as the query), 1 (same group), 0 (stranger).
        weight: of the class, from 0 to 1; the group has the rest (`rankbook.hierarchical_relevance` with ``weights``).

    Change ``scores`` and ``levels`` together, if their length changes, inside ``with figure.hold_trait_notifications():``.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 1, 26)
    levels = labels([2, 0, 2, 1, 0, 2, 1, 0], 26, highest=2)
    weight = number(0.5, 0, 1)

    @traitlets.validate("scores", "levels")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "levels")

    def readout(self) -> dict[str, Any]:
        scores, levels = torch.tensor(self.scores, dtype=torch.float64), torch.tensor(self.levels)
        relevance = hierarchical_relevance(levels, weights=(self.weight, 1 - self.weight), dtype=torch.float64)
        return {
            "scores": self.scores,
            "levels": self.levels,
            "weight": self.weight,
            "ranks": exact_ranks(scores, levels, ties="worst").tolist(),
            "class_ap": average_precision(scores, levels == 2).item() if (levels == 2).any() else None,
            "group_ap": average_precision(scores, levels).item() if levels.any() else None,
            "weighted_ap": hierarchical_ap(scores, relevance).item() if relevance.any() else None,
            "asi": asi(scores, levels).item() if levels.any() else None,
        }

    def describe(self) -> str:
        now = self.readout()
        shown = {"AP of the class": now["class_ap"], "AP of the group": now["group_ap"], "H-AP": now["weighted_ap"], "ASI": now["asi"]}
        numbers = ", ".join(f"{name} is undefined" if value is None else f"{name} = {value:.3f}" for name, value in shown.items())
        return f"{len(self.scores)} items of a label tree on a score axis. With the class at {self.weight:g}: {numbers}."
