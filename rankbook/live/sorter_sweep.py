"""One item moves through its list: the rank that a trained sorter gives it, and whether its gradient has the right sign."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.chosen_sorter import ChosenSorter
from rankbook.live.figure import DEAD, LiveFigure
from rankbook.live.traits import at_most_items, items, whole
from rankbook.ranks import exact_ranks

#: Places on the way of the item, the middles of as many equal parts of [0, 1].
PLACES = 400


class SorterSweep(ChosenSorter, LiveFigure, module="sorter_sweep"):
    """Choose a trained sorter and drag one item across the others: its predicted rank beside the exact staircase.

    Drawn thick: where the gradient has the wrong sign, so that a higher score is said to worsen the rank. The gradient is
    autograd's: what a sorter holds constant, such as the widths of its steps, does not enter it.

    Args:
        sorters: as of `rankbook.live.LearnedSorters`.

    Traits:
        scores: 2 to 8 numbers in [0, 1].
        item: the index of the item that moves.
        sorter: the name of the sorter on display.
        networks: the packed weights, made from ``sorters``.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 2, 8)
    item = whole(5, 0, 7)

    @traitlets.validate("scores", "item")
    def _check(self, proposal: Any) -> Any:
        return at_most_items(proposal, "scores", "item", first=0)

    def readout(self) -> dict[str, Any]:
        item, here = self.item, torch.tensor([self.scores], dtype=torch.float64)
        way = here.repeat(PLACES, 1)
        way[:, item] = (torch.arange(PLACES, dtype=torch.float64) + 0.5) / PLACES
        lists = torch.cat([here, way]).requires_grad_()
        ranks = self.chosen()(lists)[:, item]
        (gradient,) = torch.autograd.grad(ranks.sum(), lists)
        slopes = gradient[:, item]
        return {
            "scores": self.scores,
            "item": item,
            "sorter": self.sorter,
            "rank": ranks[0].item(),
            "exact_rank": exact_ranks(here)[0, item].item(),
            "slope": slopes[0].item(),
            "error_on_the_way": (ranks[1:].detach() - exact_ranks(way)[:, item]).abs().mean().item(),
            "wrong_way": (slopes[1:] > DEAD).double().mean().item(),
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            "One item moves through its list, and a trained network follows its rank: a small error does not say which way it leans. "
            f"The sorter {self.sorter} is off by {now['error_on_the_way']:.3f} places along the way, and its gradient has the wrong sign "
            f"on {now['wrong_way']:.1%} of it."
        )
