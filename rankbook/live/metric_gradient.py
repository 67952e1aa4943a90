"""The gradient of four metrics on one list: the metric decides whom a loss moves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import FELT, LiveFigure
from rankbook.live.traits import as_many, choice, items, labels, number
from rankbook.metrics import average_precision, ndcg, recall_at_k, reciprocal_rank
from rankbook.ranks import sigmoid_ranks

#: Name of the metric -> (metric to train, metric to measure): recall takes a soft cut to train.
METRICS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "AP": (average_precision, average_precision),
    "NDCG": (ndcg, ndcg),
    "RR": (reciprocal_rank, reciprocal_rank),
    "R@3": (partial(recall_at_k, k=3, tau_rank=1.0), partial(recall_at_k, k=3)),
}


class MetricGradient(LiveFigure, module="metric_gradient"):
    """Choose a metric, turn tau, drag items: the arrow on each item is the gradient of the metric with sigmoid ranks.

    Traits:
        scores: 2 to 8 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        metric: "AP", "NDCG", "RR" (reciprocal rank) or "R@3" (recall with a sigmoid cut, tau_rank = 1).
        tau: temperature of the ranks, from 0.003 to 1.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 2, 8)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 8)
    metric = choice("AP", METRICS)
    tau = number(0.05, 0.003, 1)

    @traitlets.validate("scores", "relevance")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "relevance")

    def readout(self) -> dict[str, Any]:
        scores = torch.tensor(self.scores, dtype=torch.float64, requires_grad=True)
        relevance = torch.tensor(self.relevance)
        values = {"scores": self.scores, "relevance": self.relevance, "metric": self.metric, "tau": self.tau}
        if not relevance.any():
            return {**values, "value": None, "exact_value": None, "gradient": [0.0] * len(self.scores), "hardest": None, "moved": 0}
        to_train, to_measure = METRICS[self.metric]
        value = to_train(scores, relevance, rank_fn=partial(sigmoid_ranks, tau=self.tau))
        (gradient,) = torch.autograd.grad(value, scores)
        push = gradient.abs()
        top = push.max()
        return {
            **values,
            "value": value.item(),
            "exact_value": to_measure(scores, relevance).item(),
            "gradient": gradient.tolist(),
            # the first of those within rounding of the largest: opposite pushes of a pair are equal
            "hardest": int((push >= top * (1 - 1e-9)).nonzero()[0]) if top > 0 else None,
            "moved": int((push >= FELT * top).sum()) if top > 0 else 0,
        }

    def describe(self) -> str:
        now = self.readout()
        text = "The metric decides whom a rank loss moves: an arrow on each item shows the gradient of the metric with sigmoid ranks."
        if now["hardest"] is None:
            return f"{text} Here nothing moves."
        letter, push = "ABCDEFGH"[now["hardest"]], now["gradient"][now["hardest"]]
        return (
            f"{text} At tau = {self.tau:g}, {self.metric} is {now['value']:.3f} and pushes {letter} hardest ({push:+.3f}); "
            f"{now['moved']} of {len(self.scores)} items feel it."
        )
