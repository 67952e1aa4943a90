"""One list in two batches: the mean of their APs against the AP of the list, and the gaps of all ways to split it."""

from __future__ import annotations

from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.gap import decomposability_gap
from rankbook.live.figure import LiveFigure
from rankbook.live.traits import BadTrait, items, labeled_items, labels, whole
from rankbook.metrics import average_precision

_ROUNDING = 1e-9


class SplitBatches(LiveFigure, module="split_batches"):
    """Move items between two batches: no score changes, but the mean of the batches does, and the gap may be of either sign.

    Traits:
        scores: 2 to 8 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        batch: as many, 0 for the first batch, 1 for the second.
        item: the item that was dragged last.

    The query ranks both batches. A batch without a relevant item has no AP and is not in the mean.
    """

    scores = items([0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20], 2, 8)
    relevance = labels([1, 0, 1, 0, 0, 1, 0, 0], 8)
    batch = labels([0, 0, 1, 1, 0, 1, 0, 1], 8)
    item = whole(5, 0, 7)

    @traitlets.validate("scores", "relevance", "item")
    def _check(self, proposal: Any) -> Any:
        return labeled_items(proposal, "item", first=0)

    @traitlets.validate("batch")
    def _check_batch(self, proposal: Any) -> Any:
        if len(proposal["value"]) != len(self.scores):
            raise BadTrait(f"batch must hold one value for each of the {len(self.scores)} scores, got {len(proposal['value'])}")
        return proposal["value"]

    def _values(self, present: Tensor) -> Tensor:
        """AP of the items that are present, ``[splits, n]``; NaN without a relevant one."""
        scores, relevance = torch.tensor(self.scores, dtype=torch.float64), torch.tensor(self.relevance)
        lists = scores.expand(present.shape), relevance.expand(present.shape)
        values = average_precision(*lists, where=present, reduction="none")
        return torch.where((present & (relevance > 0)).any(-1), values, torch.nan)

    def all_gaps(self) -> Tensor:
        """The gap of every split; the split s puts the item i into the second batch if bit i of s is 1."""
        n = len(self.scores)
        second = (torch.arange(2**n)[:, None] >> torch.arange(n) & 1).bool()
        batches = torch.stack([self._values(~second), self._values(second)])
        return batches.nanmean(0) - self._values(torch.ones(1, n, dtype=torch.bool))

    def readout(self) -> dict[str, Any]:
        state = self.figure_state()
        if not any(self.relevance):
            return state | dict.fromkeys(("first", "second", "mean", "whole", "gap", "lowest", "highest", "below"))
        # the query is an item of both batches: its score with an item is that item's
        embeddings = torch.tensor([1.0, *self.scores], dtype=torch.float64)[:, None]
        classes = torch.tensor([1, *self.relevance])
        places = [[0, *(i + 1 for i, b in enumerate(self.batch) if b == which)] for which in (0, 1)]
        of_all = decomposability_gap(embeddings, classes, places, reduction="none")
        of_query = {name: of_all[name][0].item() for name in ("batch", "whole", "gap")}
        second = torch.tensor(self.batch) == 1
        first_ap, second_ap = (None if value.isnan() else value.item() for value in self._values(torch.stack([~second, second])))
        gaps = self.all_gaps()
        return state | {
            "first": first_ap,
            "second": second_ap,
            "mean": of_query["batch"],
            "whole": of_query["whole"],
            "gap": of_query["gap"],
            "lowest": gaps.min().item(),
            "highest": gaps.max().item(),
            "below": int((gaps < -_ROUNDING).sum()),
        }

    def describe(self) -> str:
        now = self.readout()
        text = "A list in two batches: no score changes, and the mean of the batches does."
        if now["whole"] is None:
            return f"{text} Without a relevant item there is no AP."
        aps = ["no AP" if now[name] is None else f"AP = {now[name]:.3f}" for name in ("first", "second")]
        return (
            f"{text} The batches have {aps[0]} and {aps[1]}, on average {now['mean']:.3f}; the whole list has {now['whole']:.3f}, so the "
            f"gap is {now['gap']:.3f}. Over all {2 ** len(self.scores)} splits it goes from {now['lowest']:.3f} to {now['highest']:.3f}, "
            f"and {now['below']} are below 0."
        )
