"""Whom one item feels: three families of rankers on one list with a crowd and with gaps, each at the same rank error."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from rankbook.live.figure import DEAD, FELT, LiveFigure
from rankbook.live.ranker_gallery import RANKERS
from rankbook.live.traits import items, number
from rankbook.ranks import exact_ranks

#: One ranker of each family: what decides is the distance, the crowd, the gaps.
SHOWN = ("sigmoid", "projection", "neuralsort")
#: Halvings, between 10^-4 and 10^2, until two knobs differ by 6e-9 decades.
HALVINGS = 30
#: Eight items with gaps, then a crowd of sixteen. At least nine items: even equal ranks are then wrong by more than 2 places.
SCORES = (0.95, 0.88, 0.80, 0.73, 0.66, 0.59, 0.51, 0.45, *(round(0.30 - 0.01 * i, 2) for i in range(16)))


def with_knob(ranker: str, knob: float) -> partial[Tensor]:
    function, name = RANKERS[ranker]
    return partial(function, **{name: knob})


def matched_knob(ranker: str, scores: Tensor, error: float) -> float:
    """The knob at which the mean rank error on ``scores`` is ``error``."""
    exact, low, high = exact_ranks(scores), -4.0, 2.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if (with_knob(ranker, 10**middle)(scores) - exact).abs().mean().item() > error:
            high = middle
        else:
            low = middle
    return 10**low


class FeltNeighbors(LiveFigure, module="felt_neighbors"):
    """Drag an item X through a list: three rows show how strongly its soft rank answers to each other score.

    Traits:
        scores: the others, 9 to 32 numbers in [0, 1].
        x: the score of X.
        error: the mean rank error, in places, to which every knob is set on the list without X, from 0.05 to 2.
    """

    scores = items(SCORES, 9, 32)
    x = number(0.7, 0, 1)
    error = number(0.4, 0.05, 2)

    def readout(self) -> dict[str, Any]:
        others = torch.tensor(self.scores, dtype=torch.float64)
        shown: dict[str, Any] = {"scores": list(self.scores), "x": self.x, "error": self.error}
        for ranker in SHOWN:
            knob = matched_knob(ranker, others, self.error)
            leaf = torch.cat([others, others.new_tensor([self.x])]).requires_grad_()
            (slopes,) = torch.autograd.grad(with_knob(ranker, knob)(leaf)[-1], leaf)
            push = slopes[:-1].abs()
            hardest, total = push.max().item(), push.sum().item()
            distance = (others - self.x).abs()
            shown |= {
                f"{ranker}_knob": knob,
                f"{ranker}_pushes": push.tolist(),
                f"{ranker}_slope": slopes[-1].item(),
                f"{ranker}_felt": (push >= FELT * hardest).sum().item() if hardest >= DEAD else 0,
                f"{ranker}_reach": (push * distance).sum().item() / total if hardest >= DEAD else None,
            }
        return shown

    def describe(self) -> str:
        now = self.readout()

        def said(ranker: str) -> str:
            reach = now[f"{ranker}_reach"]
            return "feels nobody" if reach is None else f"feels {now[f'{ranker}_felt']} items, {reach:.3f} away on average"

        return (
            f"Three rankers, each wrong by {self.error:g} places on average. At {self.x:g}, X {said('sigmoid')} with the sigmoid, where "
            f"the distance decides; it {said('projection')} with the projection, where the crowd decides; "
            f"it {said('neuralsort')} with NeuralSort, where the gaps decide."
        )
