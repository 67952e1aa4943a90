"""One label: what the cross-entropy charges for each picture, and the AP of their order."""

from __future__ import annotations

from typing import Any

import torch
import traitlets
from torch.nn.functional import softplus

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import as_many, items, labels, number
from rankbook.metrics import average_precision

EDGE = 0.01  # probabilities stay this far from 0 and 1, where a cost is infinite


class LabelCosts(LiveFigure, module="label_costs"):
    """Shift all probabilities of a label, or drag one past another: the cross-entropy sees the first, AP the second.

    Traits:
        scores: 1 to 8 probabilities in [0, 1], before the shift; they count from 0.01 to 0.99.
        relevance: as many, 1 (has the label) or 0.
        shift: added to each log-odds, from -4 to 4.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 1, 8)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 8)
    shift = number(0.0, -4, 4)

    @traitlets.validate("scores", "relevance")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "relevance")

    def readout(self) -> dict[str, Any]:
        scores, relevance = torch.tensor(self.scores, dtype=torch.float64), torch.tensor(self.relevance)
        logits = scores.clamp(EDGE, 1 - EDGE).logit() + self.shift
        costs = softplus(torch.where(relevance > 0, -logits, logits))
        return {
            "scores": self.scores,
            "relevance": self.relevance,
            "shift": self.shift,
            "costs": costs.tolist(),
            "cross_entropy": costs.mean().item(),
            "from_irrelevant": (costs[relevance == 0].sum() / costs.sum()).item(),
            "average_precision": average_precision(scores, relevance).item() if relevance.any() else None,
        }

    def describe(self) -> str:
        now = self.readout()
        ap = "undefined" if now["average_precision"] is None else f"{now['average_precision']:.3f}"
        return (
            f"The cross-entropy charges each picture alone, AP reads their order. With a shift of {self.shift:g} the cross-entropy is "
            f"{now['cross_entropy']:.3f}, {now['from_irrelevant']:.0%} of it from pictures without the label, and AP is {ap}."
        )
