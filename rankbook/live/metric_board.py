"""Models give scores to the same items: what seven metrics say of the list, and against the first model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook import metrics
from rankbook.live.figure import LiveFigure
from rankbook.live.traits import BadTrait, Checked, items, labeled_items, labels, whole
from rankbook.ranks import exact_ranks

RUNNING = [0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20]
#: Two models in the order of the first, and one that brings F up, and B before A.
MODELS = [
    ["first", RUNNING],
    ["squeezed", [0.60, 0.58, 0.57, 0.54, 0.50, 0.49, 0.46, 0.42]],
    ["pushed apart", [0.99, 0.84, 0.83, 0.54, 0.52, 0.51, 0.10, 0.01]],
    ["reordered", [0.84, 0.91, 0.78, 0.52, 0.47, 0.66, 0.33, 0.20]],
]


def seven(k: int) -> dict[str, Callable[..., Tensor]]:
    """The metrics on display, in their order."""
    at_k = {name: partial(getattr(metrics, name), k=k) for name in ("precision_at_k", "recall_at_k", "hit_at_k")}
    return at_k | {name: getattr(metrics, name) for name in ("reciprocal_rank", "average_precision", "map_at_r", "ndcg")}


def _models(name: str, models: Any) -> list[list[Any]]:
    if not isinstance(models, (list, tuple)) or not 1 <= len(models) <= 6:
        raise ValueError(f"{name} must be a list of 1 to 6 pairs of a name and its scores, got {models!r:.60}")
    for i, model in enumerate(models):
        if not isinstance(model, (list, tuple)) or len(model) != 2 or not isinstance(model[0], str):
            raise ValueError(f"{name}[{i}] must be a pair of a name and its scores, got {model!r:.60}")
    if len({title for title, _ in models}) < len(models):
        raise ValueError(f"{name} must have names of their own, got {[title for title, _ in models]}")
    return [[title, _scores.check(f"{name}[{i}][1]", scores)] for i, (title, scores) in enumerate(models)]


_scores = items(RUNNING, 1, 26)


class MetricBoard(LiveFigure, module="metric_board"):
    """Choose a model, drag its items: seven metrics side by side, each against the first model.

    Traits:
        models: names and scores, ``[["first", [0.9, ...]], ...]``, 1 to 6; all are compared with the first.
        scores: 1 to 26 numbers in [0, 1], as many as each model has.
        relevance: as many, 1 (relevant) or 0.
        k: cutoff of precision, recall and hit, from 1 to the number of items.
    """

    models = Checked(MODELS, _models)
    scores = items(RUNNING, 1, 26)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 26)
    k = whole(4, 1, 26)

    @traitlets.validate("scores", "relevance", "k", "models")
    def _check(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        scores, models = (value if name == each else getattr(self, each) for each in ("scores", "models"))
        if any(len(its) != len(scores) for _, its in models):
            raise BadTrait(f"models and scores must have the same number of items, got {[len(its) for _, its in models]} and {len(scores)}")
        if name == "models":
            return value
        return labeled_items(proposal, "k", first=1)

    def readout(self) -> dict[str, Any]:
        relevance = torch.tensor(self.relevance)
        scores, first = (torch.tensor(values, dtype=torch.float64) for values in (self.scores, self.models[0][1]))
        state = {"scores": self.scores, "relevance": self.relevance, "k": self.k}
        state["ranks"] = exact_ranks(scores, relevance, ties="worst").tolist()
        if not relevance.any():
            return {**state, "changes": None, **dict.fromkeys(seven(self.k))}
        now, before = ({name: f(s, relevance).item() for name, f in seven(self.k).items()} for s in (scores, first))
        changes = [now[name] - before[name] for name in now]
        return {**state, "changes": [0.0 if abs(change) < 1e-12 else change for change in changes], **now}

    def describe(self) -> str:
        now = self.readout()
        text = f"{len(self.scores)} items, {sum(self.relevance)} of them relevant, and seven metrics of their order."
        if now["changes"] is None:
            return f"{text} Without a relevant item the metrics are undefined."
        shown = [f"{name.replace('at_k', f'at {self.k}').replace('_', ' ')} {now[name]:.3f}" for name in seven(self.k)]
        return f"{text} Here {', '.join(shown)}."
