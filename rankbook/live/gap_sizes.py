"""How large the gap is in batches of some size: typically, at worst, and at worst with calibrated scores."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from rankbook.gap import calibrated_gap_bound, gap_bound, thinned_average_precision
from rankbook.live.figure import LiveFigure
from rankbook.live.traits import number, whole
from rankbook.metrics import average_precision

#: The data of the figure: so many classes, so many items in each. The query is one of them.
CLASSES, ITEMS = 64, 16


class GapSizes(LiveFigure, module="gap_sizes"):
    """Drag the number of classes in a batch: the typical gap follows it, the worst case hardly does.

    The list of a query has 15 relevant items and 1,008 others. Logits of evenly spread quantiles are their scores; those of the
    relevant are shifted. Balanced batches cut the data: the query's class fills some of them, in the others nothing is relevant.

    Traits:
        classes: in a batch, from 2 to 64.
        items: of a class in a batch, from 2 to 16.
        shift: of the relevant scores, from 0 (chance) to 9 (nearly perfect).
        bad_positives, bad_negatives: the share of relevant items below alpha and of the others above beta, dealt evenly to the batches.
    """

    classes = whole(16, 2, CLASSES)
    items = whole(4, 2, ITEMS)
    shift = number(5.0, 0, 9)
    bad_positives = number(0.4, 0, 1)
    bad_negatives = number(0.1, 0, 1)

    def ranking(self) -> tuple[Tensor, Tensor]:
        """Scores and relevance of the list."""
        counts = ITEMS - 1, (CLASSES - 1) * ITEMS
        quantiles = [(torch.arange(count, dtype=torch.float64) + 0.5) / count for count in counts]
        positives, negatives = ((u / (1 - u)).log() for u in quantiles)
        return torch.cat([positives + self.shift, negatives]), torch.tensor([1, 0]).repeat_interleave(torch.tensor(counts))

    def batches(self) -> dict[str, Tensor]:
        """What each batch holds for the query, as the bounds ask it; the last is all batches without a relevant item together."""
        sizes = torch.tensor([min(self.items, ITEMS - start) for start in range(0, ITEMS, self.items)] + [0])
        positives, negatives = sizes.clone(), (self.classes - 1) * sizes
        positives[0] -= 1  # the query
        negatives[-1] = (CLASSES - self.classes) * ITEMS
        bad = {"bad_positives": _dealt(self.bad_positives, positives), "bad_negatives": _dealt(self.bad_negatives, negatives)}
        return {"positives": positives, "negatives": negatives, **bad}

    def readout(self) -> dict[str, Any]:
        scores, relevance = self.ranking()
        of_all = average_precision(scores, relevance).item()
        kept = {"kept_positives": self.items - 1, "kept_negatives": (self.classes - 1) * self.items}
        counts = self.batches()
        return self.figure_state() | {
            "size": self.classes * self.items,
            "whole": of_all,
            "typical": thinned_average_precision(scores, relevance, **kept).item() - of_all,
            "worst": gap_bound(counts["positives"], counts["negatives"]).item(),
            "calibrated": calibrated_gap_bound(**counts).item(),
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            f"Batches of {self.classes} classes with {self.items} items each, {now['size']} in all, of {CLASSES} classes with {ITEMS}. "
            f"The whole ranking has AP = {now['whole']:.3f}; its typical gap is {now['typical']:.3f}, the worst gap of perfect batches "
            f"{now['worst']:.3f}, and {now['calibrated']:.3f} if {100 * self.bad_positives:g} % of the relevant items and "
            f"{100 * self.bad_negatives:g} % of the others are on the wrong side of the thresholds."
        )


def _dealt(share: float, sizes: Tensor) -> Tensor:
    """This share of all items, in whole items, over the batches in proportion to their sizes."""
    ends = sizes.cumsum(0)
    total = int(ends[-1])
    dealt = math.floor(share * total + 0.5) * ends // max(1, total)
    return dealt.diff(prepend=dealt.new_zeros(1))
