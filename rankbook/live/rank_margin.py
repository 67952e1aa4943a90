"""The triplet loss on scores and on ranks: which margin can a better score reach?"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import FELT, LiveFigure
from rankbook.live.traits import as_many, choice, items, labels, number
from rankbook.ranks import exact_ranks, sigmoid_ranks

#: Name of the loss -> its margin, in units of the score or in places.
MARGINS = {"score": 0.2, "place": 1.0, "places": 3.0}
ZERO = 1e-12  # a loss below this is rounding


class RankMargin(LiveFigure, module="rank_margin"):
    """Drag the answer ahead of its rivals: a margin on scores is reached, a margin of one place too, one of three places never.

    Traits:
        scores: 2 to 8 numbers in [0, 1], captions for one image.
        relevance: as many; the first 1 is the answer, further ones belong to the image too and leave the list, 0 is a rival.
        loss: "score" (a lead of 0.2 over the best rival), "place" (of one rank), "places" (of three ranks).
        tau: temperature of the sigmoid ranks, from 0.003 to 0.3.

    The loss is [margin - lead]_+, in units of its margin: of `rankbook.HardNegativeRankLoss` times the length of the list.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 2, 8)
    relevance = labels([0, 0, 1, 0, 0, 0, 0, 0], 8)
    loss = choice("places", MARGINS)
    tau = number(0.05, 0.003, 0.3)

    @traitlets.validate("scores", "relevance")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "relevance")

    def readout(self) -> dict[str, Any]:
        values = self.figure_state()
        scores = torch.tensor(self.scores, dtype=torch.float64, requires_grad=True)
        relevance = torch.tensor(self.relevance)
        nothing = {"value": None, "lead": None, "rank": None, "push": [0.0] * len(relevance), "felt": 0}
        if not relevance.any() or relevance.all():
            return values | nothing
        answer = int(relevance.nonzero()[0])
        here = relevance == 0
        here[answer] = True
        lead = self._lead(scores, here, answer)
        value = (MARGINS[self.loss] - lead).clamp(min=0)
        push = torch.zeros_like(scores)
        if value > ZERO:
            push = 0.0 - torch.autograd.grad(value, scores)[0]
        top = push.abs().max()
        return values | {
            "value": value.item() if value > ZERO else 0.0,
            "lead": lead.item(),
            "rank": int(exact_ranks(scores.detach(), where=here)[answer]),
            "push": push.tolist(),
            "felt": int((push.abs() >= FELT * top).sum()) if top > 0 else 0,
        }

    def _lead(self, scores: Tensor, here: Tensor, answer: int) -> Tensor:
        """Of the answer over its hardest rival, in scores or in places; equal rivals share it."""
        rivals = here.clone()
        rivals[answer] = False
        hardest = rivals & (scores == scores[rivals].max())
        if self.loss == "score":
            return scores[answer] - scores[hardest].mean()
        ranks = partial(sigmoid_ranks, tau=self.tau)(scores, where=here)
        return ranks[hardest].mean() - ranks[answer]

    def describe(self) -> str:
        now = self.readout()
        text = "A triplet loss asks for a lead of the answer over its hardest rival, in scores or in places."
        if now["value"] is None:
            return f"{text} Without an answer and a rival there is no loss."
        unit = "of score" if self.loss == "score" else "places"
        return (
            f"{text} The answer has rank {now['rank']} and leads by {now['lead']:.2f} {unit}; the margin is {MARGINS[self.loss]:g}, "
            f"the loss {now['value']:.2f}, and {now['felt']} of {len(self.scores)} captions feel a push."
        )
