"""The labels of one instance: where pairs push each of them, and where a loss of single labels does."""

from __future__ import annotations

import math
from typing import Any

import torch
import traitlets

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import as_many, choice, labels, numbers
from rankbook.losses import MultiLabelRankingLoss

REACH = 4.0  # scores are log-odds between -REACH and REACH


class LabelPushes(LiveFigure, module="label_pushes"):
    """Drag a label's score; bars show how each of two losses divides its push over the labels.

    Traits:
        scores: 1 to 8 scores from -4 to 4; 0 is the threshold.
        relevance: as many, 1 (the instance has the label) or 0.
        weighting: of the loss beside the pairs, "u1" to "u4".
    """

    scores = numbers([1.2, 0.4, -0.3, -0.8, -1.0, -1.4, -2.0, -2.6], 1, 8, -REACH, REACH)
    relevance = labels([0, 1, 0, 0, 1, 0, 0, 0], 8)
    weighting = choice("u1", ("u1", "u2", "u3", "u4"))

    @traitlets.validate("scores", "relevance")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "relevance")

    def readout(self) -> dict[str, Any]:
        scores, relevance = torch.tensor(self.scores, dtype=torch.float64), torch.tensor(self.relevance)
        state = self.figure_state()
        if relevance.all() or not relevance.any():  # no pair
            none = dict.fromkeys(("rank_loss", "pairs", "value", "bound", "on_irrelevant"))
            return state | none | {"pair_pushes": [0.0] * len(scores), "pushes": [0.0] * len(scores)}
        pairs, of_pairs = self._shares("pa")
        value, of_labels = self._shares(self.weighting)
        wrong = scores[relevance == 0][:, None] >= scores[relevance > 0]
        return state | {
            "rank_loss": wrong.double().mean().item(),
            "pairs": pairs,
            "value": value,
            "bound": self._shares("u3")[0] / math.log(2),
            "on_irrelevant": of_labels[relevance == 0].abs().sum().item(),
            "pair_pushes": of_pairs.tolist(),
            "pushes": of_labels.tolist(),
        }

    def describe(self) -> str:
        now = self.readout()
        if now["bound"] is None:
            return "An instance with one kind of labels: there is no pair to order."
        return (
            f"{sum(self.relevance)} of {len(self.scores)} labels are relevant, and {now['rank_loss']:.0%} of the pairs are in the wrong "
            f"order; the bound of u3 is {now['bound']:.3f}. Pairs push both kinds alike; {self.weighting} spends "
            f"{now['on_irrelevant']:.0%} of its push on the irrelevant labels."
        )

    def _shares(self, weighting: str) -> tuple[float, torch.Tensor]:
        """The loss, and minus its gradient as shares of the whole push."""
        leaf = torch.tensor(self.scores, dtype=torch.float64, requires_grad=True)
        value = MultiLabelRankingLoss(weighting)(leaf, torch.tensor(self.relevance))
        (slope,) = torch.autograd.grad(value, leaf)
        return value.item(), -slope / slope.abs().sum()
