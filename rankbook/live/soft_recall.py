"""RS@k on eight items: two temperatures soften ranks and cut, and a perfect list keeps a loss."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import FELT, LiveFigure
from rankbook.live.traits import items, labeled_items, labels, number, whole
from rankbook.metrics import capped_recall, within_top_k
from rankbook.ranks import sigmoid_ranks


class SoftRecall(LiveFigure, module="soft_recall"):
    """Drag items, turn two temperatures: the loss RS@k at one k, its floor, and where its gradient lives.

    Traits:
        scores: 2 to 8 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        k: length of the short list, at most the number of items.
        tau_score: temperature of the ranks, from 0.003 to 0.3, in units of the scores.
        tau_rank: temperature of the cut, from 0.05 to 2, in ranks.
    """

    scores = items([0.95, 0.83, 0.71, 0.59, 0.47, 0.35, 0.23, 0.11], 2, 8)
    relevance = labels([1, 1, 1, 0, 0, 0, 0, 0], 8)
    k = whole(3, 1, 8)
    tau_score = number(0.005, 0.003, 0.3)
    tau_rank = number(1.0, 0.05, 2)

    @traitlets.validate("scores", "relevance", "k")
    def _check(self, proposal: Any) -> Any:
        return labeled_items(proposal, "k", first=1)

    def readout(self) -> dict[str, Any]:
        relevance, values = torch.tensor(self.relevance), self.figure_state()
        if not relevance.any():
            zeros = [0.0] * len(self.scores)
            return values | {
                "ranks": self._ranks().tolist(),
                "inside": zeros,
                "gradient": zeros,
                "loss": None,
                "exact": None,
                "floor": None,
                "moved": 0,
            }
        scores = torch.tensor(self.scores, dtype=torch.float64, requires_grad=True)
        loss = 1 - self._recall(scores, relevance)
        (gradient,) = torch.autograd.grad(loss, scores)
        ranks, push = self._ranks(), gradient.abs()
        perfect = relevance.sort(descending=True).values
        places = torch.arange(len(perfect), 0, -1, dtype=torch.float64)
        floor = 1 - capped_recall(places, perfect, k=(self.k,), tau_rank=self.tau_rank).item()
        return values | {
            "ranks": ranks.tolist(),
            "inside": torch.where(relevance > 0, within_top_k(ranks, self.k, self.tau_rank), 0.0).tolist(),
            "gradient": gradient.tolist(),
            "loss": loss.item(),
            "exact": 1 - capped_recall(scores.detach(), relevance, k=(self.k,)).item(),
            "floor": floor,
            "moved": int((push >= FELT * push.max()).sum()) if push.max() > 0 else 0,
        }

    def _ranks(self) -> Tensor:
        return sigmoid_ranks(torch.tensor(self.scores, dtype=torch.float64), tau=self.tau_score)

    def _recall(self, scores: Tensor, relevance: Tensor) -> Tensor:
        return capped_recall(scores, relevance, k=(self.k,), tau_rank=self.tau_rank, rank_fn=partial(sigmoid_ranks, tau=self.tau_score))

    def describe(self) -> str:
        now = self.readout()
        text = "RS@k softens the ranks and the cut at k, so that a perfect list keeps a loss."
        if now["loss"] is None:
            return f"{text} Without a relevant item there is no loss."
        return (
            f"{text} At k = {self.k}, tau_score = {self.tau_score:g} and tau_rank = {self.tau_rank:g} the list has 1 - recall = "
            f"{now['exact']:.3f} and the loss {now['loss']:.3f}, of which a perfect list has {now['floor']:.3f}; {now['moved']} of "
            f"{len(self.scores)} items feel the gradient."
        )
