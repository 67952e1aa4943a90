"""Predicted scores beside the measured ones: squared error and Spearman's correlation judge the same list, and disagree."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import as_many, items
from rankbook.metrics import spearman


class ScoreAgainstOrder(LiveFigure, module="score_against_order"):
    """Drag the prediction of each item away from its measured score, and see which measure minds.

    Traits:
        scores: 2 to 10 numbers in [0, 1], the predictions; the figure starts with close values in the wrong order.
        target: as many, what was measured.

    Change ``scores`` and ``target`` together, if their length changes, inside ``with figure.hold_trait_notifications():``.
    """

    scores = items([0.84, 0.85, 0.86, 0.87, 0.88, 0.89, 0.90, 0.40], 2, 10)
    target = items([0.97, 0.94, 0.91, 0.88, 0.85, 0.82, 0.75, 0.40], 2, 10)

    @traitlets.validate("scores", "target")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "target")

    def readout(self) -> dict[str, Any]:
        scores, target = (torch.tensor(values, dtype=torch.float64) for values in (self.scores, self.target))
        squares = (scores - target).square()
        varies = len(set(self.scores)) > 1 and len(set(self.target)) > 1
        wrong = (target[:, None] > target) & (scores[:, None] <= scores)
        return {
            "scores": self.scores,
            "target": self.target,
            "mse": squares.mean().item(),
            "spearman": spearman(scores, target).item() if varies else None,
            "wrong": int(wrong.sum()),
            "share": (squares.max() / squares.sum()).item() if squares.any() else None,
        }

    def describe(self) -> str:
        now = self.readout()
        order = "undefined, since all are equal" if now["spearman"] is None else f"{now['spearman']:.3f}"
        return (
            f"{len(self.scores)} items with a measured and a predicted score: the mean squared error is {now['mse']:.4f}, Spearman's "
            f"correlation {order}; {now['wrong']} pairs stand in the wrong order."
        )
