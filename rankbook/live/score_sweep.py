"""One item across its list: its rank and the AP are staircases of its score, with slope zero."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import items, labeled_items, labels, whole
from rankbook.metrics import average_precision
from rankbook.ranks import exact_ranks

_PAST = 1e-9


class ScoreSweep(LiveFigure, module="score_sweep"):
    """Drag an item: its rank and the AP of the list stand still, then jump, and the slope of both is zero in between.

    Traits:
        scores: 2 to 12 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        item: the position of the item whose staircases are drawn.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 2, 12)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 12)
    item = whole(5, 0, 11)

    @traitlets.validate("scores", "relevance", "item")
    def _check(self, proposal: Any) -> Any:
        return labeled_items(proposal, "item", first=0)

    def readout(self) -> dict[str, Any]:
        here = self.scores[self.item]
        others = [score for i, score in enumerate(self.scores) if i != self.item]
        now = self._average_precision(here)
        past = {score: self._average_precision(score + _PAST) for score in sorted(others) if score >= here}
        jump_at = next((score for score, value in past.items() if value != now), None)
        return {
            **self.figure_state(),
            "rank": exact_ranks(torch.tensor(self.scores, dtype=torch.float64))[self.item].item(),
            "average_precision": now,
            "slope": None if here in others else 0,
            "jump_at": jump_at,
            "jump": None if jump_at is None else past[jump_at] - now,
        }

    def _average_precision(self, score: float) -> float | None:
        """AP of the list if the item had this score."""
        if not any(self.relevance):
            return None
        scores = torch.tensor(self.scores, dtype=torch.float64)
        scores[self.item] = score
        return average_precision(scores, torch.tensor(self.relevance)).item()

    def describe(self) -> str:
        now = self.readout()
        name = chr(ord("A") + self.item)
        ap = "undefined" if now["average_precision"] is None else f"{now['average_precision']:.3f}"
        return (
            f"The rank of {name} and the AP of the list are staircases of the score of {name}: their slope is 0 between two jumps. "
            f"At {self.scores[self.item]:g} its rank is {now['rank']:.0f} and AP = {ap}."
        )
