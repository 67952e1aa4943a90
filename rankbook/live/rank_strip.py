"""Scores on an axis, the ranking below, and what AP, R@k and NDCG make of it."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.figure import LiveFigure, check_scores
from rankbook.metrics import average_precision, ndcg, recall_at_k
from rankbook.ranks import exact_ranks


class RankStrip(LiveFigure, module="rank_strip"):
    """Drag scores, switch relevance: ranks and metrics follow.

    Traits:
        scores: 1 to 26 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        k: cutoff of R@k, from 1 to the number of items.

    Change ``scores`` and ``relevance`` together, if their length changes, inside ``with strip.hold_trait_notifications():``.
    """

    scores = traitlets.List(traitlets.Float(), [0.93, 0.84, 0.71, 0.63, 0.52, 0.40, 0.27, 0.14]).tag(sync=True)
    relevance = traitlets.List(traitlets.Int(), [1, 0, 1, 0, 0, 1, 0, 0]).tag(sync=True)
    k = traitlets.Int(3).tag(sync=True)

    @traitlets.validate("scores")
    def _check_scores(self, proposal: Any) -> list[float]:
        scores = check_scores("scores", proposal["value"], 26)
        self._check_lengths(len(scores), len(self.relevance))
        return scores

    @traitlets.validate("relevance")
    def _check_relevance(self, proposal: Any) -> list[int]:
        relevance = proposal["value"]
        if bad := [i for i, rel in enumerate(relevance) if rel not in (0, 1)]:
            raise ValueError(f"relevance[{bad[0]}]: expected 0 or 1, got {relevance[bad[0]]}")
        self._check_lengths(len(self.scores), len(relevance))
        return relevance

    @traitlets.validate("k")
    def _check_k(self, proposal: Any) -> int:
        if not 1 <= proposal["value"] <= len(self.scores):
            raise ValueError(f"k: expected 1 to {len(self.scores)} (the number of items), got {proposal['value']}")
        return proposal["value"]

    @staticmethod
    def _check_lengths(scores: int, relevance: int) -> None:
        if scores != relevance:
            raise ValueError(
                f"relevance: expected one value for each of the {scores} scores, got {relevance}; "
                "to change the number of items set both inside `with strip.hold_trait_notifications():`"
            )

    def readout(self) -> dict[str, Any]:
        scores = torch.tensor(self.scores, dtype=torch.float64)
        relevance = torch.tensor(self.relevance)
        values = {"scores": self.scores, "relevance": self.relevance, "ranks": exact_ranks(scores).tolist(), "k": self.k}
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
        return f"{text} Here AP = {now['average_precision']:.3f}, R@{self.k} = {now['recall_at_k']:.3f}, NDCG = {now['ndcg']:.3f}."
