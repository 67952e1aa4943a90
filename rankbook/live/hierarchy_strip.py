"""Items of a label tree on a score axis: AP reads the class alone, H-AP and NDCG what a mistake shares with the query."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import as_many, items, labels, number
from rankbook.metrics import average_precision, hierarchical_ap, ndcg
from rankbook.ranks import exact_ranks
from rankbook.relevance import hierarchical_relevance


class HierarchyStrip(LiveFigure, module="hierarchy_strip"):
    """Drag scores, change levels: AP on the class, H-AP and NDCG follow.

    Traits:
        scores: 1 to 26 numbers in [0, 1].
        levels: as many: 2 (same class as the query), 1 (same group), 0 (stranger).
        alpha: of `rankbook.hierarchical_relevance`, from 0.25 to 4; larger gives the group less weight.

    Change ``scores`` and ``levels`` together, if their length changes, inside ``with strip.hold_trait_notifications():``.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 1, 26)
    levels = labels([2, 0, 2, 1, 0, 2, 1, 0], 26, highest=2)
    alpha = number(1.0, 0.25, 4)

    @traitlets.validate("scores", "levels")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "levels")

    def readout(self) -> dict[str, Any]:
        scores, levels = torch.tensor(self.scores, dtype=torch.float64), torch.tensor(self.levels)
        relevance = hierarchical_relevance(levels, alpha=self.alpha, dtype=torch.float64)
        same_class = levels == 2
        return {
            "scores": self.scores,
            "levels": self.levels,
            "alpha": self.alpha,
            "ranks": exact_ranks(scores, levels, ties="worst").tolist(),
            "relevance": relevance.tolist(),
            "average_precision": average_precision(scores, same_class).item() if same_class.any() else None,
            "hierarchical_ap": hierarchical_ap(scores, relevance).item() if levels.any() else None,
            "ndcg": ndcg(scores, levels).item() if levels.any() else None,
        }

    def describe(self) -> str:
        now = self.readout()
        text = (
            f"{len(self.scores)} items of a label tree on a score axis, {self.levels.count(2)} of the query's class and "
            f"{self.levels.count(1)} of its group: AP reads the class alone, H-AP and NDCG see near misses."
        )
        shown = {"AP": now["average_precision"], "H-AP": now["hierarchical_ap"], "NDCG": now["ndcg"]}
        numbers = ", ".join(f"{name} is undefined" if value is None else f"{name} = {value:.3f}" for name, value in shown.items())
        return f"{text} At alpha = {self.alpha:g}: {numbers}."
