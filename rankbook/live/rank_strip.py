"""Scores on an axis, the ranking below, and what AP, recall@k and NDCG make of it."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import items, labeled_items, labels, whole
from rankbook.metrics import average_precision, ndcg, recall_at_k
from rankbook.ranks import exact_ranks


class RankStrip(LiveFigure, module="rank_strip"):
    """Drag scores, switch relevance: ranks and metrics follow.

    Traits:
        scores: 1 to 26 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        k: cutoff of recall@k, from 1 to the number of items.

    Change ``scores`` and ``relevance`` together, if their length changes, inside ``with strip.hold_trait_notifications():``.
    """

    scores = items([0.93, 0.84, 0.71, 0.63, 0.52, 0.40, 0.27, 0.14], 1, 26)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 26)
    k = whole(3, 1, 26)

    @traitlets.validate("scores", "relevance", "k")
    def _check(self, proposal: Any) -> Any:
        return labeled_items(proposal, "k", first=1)

    def readout(self) -> dict[str, Any]:
        scores = torch.tensor(self.scores, dtype=torch.float64)
        relevance = torch.tensor(self.relevance)
        values = {
            "scores": self.scores,
            "relevance": self.relevance,
            "ranks": exact_ranks(scores, relevance, ties="worst").tolist(),
            "k": self.k,
        }
        if not relevance.any():
            return {**values, "average_precision": None, "recall_at_k": None, "ndcg": None}
        return {
            **values,
            "average_precision": average_precision(scores, relevance).item(),
            "recall_at_k": recall_at_k(scores, relevance, k=self.k).item(),
            "ndcg": ndcg(scores, relevance).item(),
        }

    def describe(self) -> str:
        now = self.readout()
        text = f"{len(self.scores)} items on a score axis, {sum(self.relevance)} of them relevant: only their order reaches the metrics."
        if now["ndcg"] is None:
            return f"{text} Without a relevant item the metrics are undefined."
        return f"{text} Here AP = {now['average_precision']:.3f}, recall@{self.k} = {now['recall_at_k']:.3f}, NDCG = {now['ndcg']:.3f}."
