"""Trained sorters in the page: the ranks that they predict, and the gradient that they give."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.chosen_sorter import ChosenSorter
from rankbook.live.figure import FELT, LiveFigure
from rankbook.live.traits import as_many, items, labels, whole
from rankbook.ranks import exact_ranks


class LearnedSorters(ChosenSorter, LiveFigure, module="learned_sorters"):
    """Choose a trained sorter, drag items, shuffle the input: predicted ranks against exact ones, and the gradient on each item.

    The browser runs the network itself: its weights are part of the figure, in half precision like the shipped files.
    An arrow is minus the gradient of the mean rank of the relevant items, SoDeep's loss.

    Args:
        sorters: names of shipped sorters, or a mapping from names to sorters: `rankbook.KernelSorter`, `rankbook.KnotSorter`,
            `rankbook.SetTransformerSorter` or `rankbook.BiGRUSorter`. The figure keeps a copy of their weights.

    Traits:
        scores: 2 to 8 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        sorter: the name of the sorter on display.
        shuffles: how often the input was riffled like a deck of cards before the network reads it.
        networks: the packed weights, made from ``sorters``.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 2, 8)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 8)
    shuffles = whole(0, 0, 10**6)

    @traitlets.validate("scores", "relevance")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "scores", "relevance")

    def readout(self) -> dict[str, Any]:
        sorter = self.chosen()
        scores = torch.tensor(self.scores, dtype=torch.float64, requires_grad=True)
        relevant = torch.tensor(self.relevance) > 0
        order = torch.tensor(riffled(len(self.scores), self.shuffles))
        ranks = torch.zeros_like(scores).index_copy(0, order, sorter(scores[order]))
        exact = exact_ranks(scores.detach())
        push = torch.zeros_like(scores)
        if relevant.any():
            push = -torch.autograd.grad(ranks[relevant].mean(), scores)[0]
        against = torch.where(relevant, -push, push)
        error = (ranks.detach() - exact).abs()
        return {
            "scores": self.scores,
            "relevance": self.relevance,
            "sorter": self.sorter,
            "shuffles": self.shuffles,
            "order": order.tolist(),
            "ranks": ranks.tolist(),
            "push": push.tolist(),
            "mean_rank": ranks[relevant].mean().item() if relevant.any() else None,
            "exact_mean_rank": exact[relevant].mean().item() if relevant.any() else None,
            "rank_error": error.mean().item(),
            "against": int((against >= FELT * push.abs().max()).sum()) if push.any() else 0,
            "order_effect": (ranks - sorter(scores)).abs().mean().item(),
        }

    def describe(self) -> str:
        now = self.readout()
        shuffled = f"; in a shuffled order the same scores get ranks that are {now['order_effect']:.3f} away" if self.shuffles else ""
        return (
            "Trained networks sort the scores here, and their gradient pushes each item: a small rank error does not make a good gradient. "
            f"The sorter {self.sorter} is off by {now['rank_error']:.3f} places on average and pushes {now['against']} of "
            f"{len(self.scores)} items against their label{shuffled}."
        )


def riffled(n: int, shuffles: int) -> list[int]:
    """The items 0 to n - 1 after as many perfect riffles: cut in half, then one from the lower half, one from the upper, and so on."""
    rounds = [list(range(n))]
    while (order := [rounds[-1][place // 2 + (0 if place % 2 else n // 2)] for place in range(n)]) != rounds[0]:
        rounds.append(order)
    return rounds[shuffles % len(rounds)]  # sooner or later the items are back where they were
