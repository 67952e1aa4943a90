"""One list, three losses: the exact one, the smooth one that may fall below it, and SupAP, which never does."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import items, labeled_items, labels, number, whole
from rankbook.metrics import average_precision
from rankbook.ranks import sigmoid_ranks, sup_ranks


class UpperBound(LiveFigure, module="upper_bound"):
    """Drag an item: 1 - AP, Smooth-AP and SupAP over its score, and how hard each of the two pushes it.

    Traits:
        scores: 2 to 8 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        item: the item whose score the curves vary; the one that was dragged last.
        tau: temperature of both, from 0.003 to 0.1; smaller is closer to exact.
        rho, delta: SupRank's slope, from 1 to 300, and the lead at which its line begins, from 0.01 to 0.3.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 2, 8)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 8)
    item = whole(5, 0, 7)
    tau = number(0.02, 0.003, 0.1)
    rho = number(10.0, 1, 300)
    delta = number(0.1, 0.01, 0.3)

    @traitlets.validate("scores", "relevance", "item")
    def _check(self, proposal: Any) -> Any:
        return labeled_items(proposal, "item", first=0)

    def readout(self) -> dict[str, Any]:
        relevance = torch.tensor(self.relevance)
        values: dict[str, Any] = self.figure_state()
        if not relevance.any():
            return values | dict.fromkeys(("exact", "smooth", "sup", "smooth_push", "sup_push", "flatters"))
        exact = 1 - average_precision(torch.tensor(self.scores, dtype=torch.float64), relevance).item()
        smooth, smooth_push = self._loss(partial(sigmoid_ranks, tau=self.tau), relevance)
        sup, sup_push = self._loss(partial(sup_ranks, tau=self.tau, rho=self.rho, delta=self.delta), relevance)
        return values | {
            "exact": exact,
            "smooth": smooth,
            "sup": sup,
            "smooth_push": smooth_push,
            "sup_push": sup_push,
            "flatters": smooth < exact - 1e-9,  # rounding is no flattery
        }

    def _loss(self, rank_fn: Any, relevance: Tensor) -> tuple[float, float]:
        """1 - AP with these ranks, and where descent pushes the item in hand."""
        scores = torch.tensor(self.scores, dtype=torch.float64, requires_grad=True)
        loss = 1 - average_precision(scores, relevance, rank_fn=rank_fn)
        (gradient,) = torch.autograd.grad(loss, scores)
        return loss.item(), 0.0 - gradient[self.item].item()

    def describe(self) -> str:
        now = self.readout()
        text = "A smooth loss may say less than the true error; SupAP never does, and it still pushes where the smooth push has died."
        if now["exact"] is None:
            return f"{text} Without a relevant item there is no loss."
        letter = "ABCDEFGH"[self.item]
        return (
            f"{text} At tau = {self.tau:g}, rho = {self.rho:g}, delta = {self.delta:g} the list has 1 - AP = {now['exact']:.3f}, "
            f"Smooth-AP = {now['smooth']:.3f}{' (flatters)' * now['flatters']} and SupAP = {now['sup']:.3f}; "
            f"{letter} is pushed by {now['smooth_push']:+.2g} and {now['sup_push']:+.2g}."
        )
