"""Seven rankers on one list: soft ranks against exact ranks, and who feels whom."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import at_most_items, choice, items, number, whole
from rankbook.ranks import (
    box_ranks,
    exact_ranks,
    laplace_ranks,
    neuralsort_ranks,
    projection_ranks,
    sigmoid_ranks,
    softsort_ranks,
)

#: Name of the ranker -> (ranker, name of its knob). The exact ranks have none.
RANKERS: dict[str, tuple[Callable[..., Tensor], str | None]] = {
    "exact": (exact_ranks, None),
    "sigmoid": (sigmoid_ranks, "tau"),
    "laplace": (laplace_ranks, "tau"),
    "box": (box_ranks, "width"),
    "projection": (projection_ranks, "tau"),
    "softsort": (softsort_ranks, "tau"),
    "neuralsort": (neuralsort_ranks, "tau"),
}


class RankerGallery(LiveFigure, module="ranker_gallery"):
    """Choose a ranker, turn its knob, drag an item: all soft ranks, and the Jacobian as a heat map.

    Traits:
        scores: 2 to 8 numbers in [0, 1].
        item: the index of the item that moves.
        ranker: "exact", "sigmoid", "laplace", "box", "projection", "softsort" or "neuralsort".
        knob: its temperature, width or strength, from 0.003 to 3; smaller is closer to exact.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 2, 8)
    item = whole(5, 0, 7)
    ranker = choice("sigmoid", RANKERS)
    knob = number(0.1, 0.003, 3)

    @traitlets.validate("scores", "item")
    def _check(self, proposal: Any) -> Any:
        return at_most_items(proposal, "scores", "item", first=0)

    def readout(self) -> dict[str, Any]:
        scores = torch.tensor(self.scores, dtype=torch.float64)
        ranker, knob = RANKERS[self.ranker]
        rank_fn = ranker if knob is None else partial(ranker, **{knob: self.knob})
        ranks = rank_fn(scores)
        jacobian = torch.autograd.functional.jacobian(rank_fn, scores)
        weight = jacobian.abs().fill_diagonal_(0)
        distance = (scores[:, None] - scores).abs()
        return {
            "scores": self.scores,
            "item": self.item,
            "ranker": self.ranker,
            "knob": self.knob,
            "ranks": ranks.tolist(),
            "jacobian": jacobian.flatten().tolist(),
            "rank_error": (ranks - exact_ranks(scores)).abs().mean().item(),
            "reach": ((weight * distance).sum() / weight.sum()).item() if weight.any() else None,
            "own_slope": jacobian[self.item, self.item].item(),
            "rank_sum": ranks.sum().item(),
        }

    def describe(self) -> str:
        now = self.readout()
        reach = "no item feels another" if now["reach"] is None else f"an item feels others {now['reach']:.3f} away on average"
        return (
            "Rankers differ in how far an item looks for its neighbors: the larger the knob, the more of the Jacobian is alive, "
            f"and the farther the soft ranks are from the exact ones. With {self.ranker} ranks at knob {self.knob:g} "
            f"the mean rank error is {now['rank_error']:.3f} and {reach}."
        )
