"""A bent scale: the same order of ten items, and how much of the squared error hangs on the few largest."""

from __future__ import annotations

from typing import Any

import torch

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import number, whole
from rankbook.metrics import spearman

ITEMS = 10


class BentScale(LiveFigure, module="bent_scale"):
    """Ten evenly spaced scores t, bent to e^(bend t); a model knows the largest of them, and predicts the mean of the others for each.

    Traits:
        bend: from 0, the even scale, to 8; the bent scores are stretched to reach from 0 to 1.
        known: how many of the largest the model predicts exactly, from 1 to 9.
    """

    bend = number(0.0, 0, 8)
    known = whole(2, 1, ITEMS - 1)

    def readout(self) -> dict[str, Any]:
        even = torch.linspace(1, 0, ITEMS, dtype=torch.float64)
        target = torch.expm1(self.bend * even) / torch.expm1(torch.tensor(self.bend, dtype=torch.float64)) if self.bend else even
        scores = target.clone()
        scores[self.known :] = target[self.known :].mean()
        left = (scores - target).square().sum() / (target.mean() - target).square().sum()
        ordered = (target[:, None] > target) & (scores[:, None] > scores)
        return {
            "bend": self.bend,
            "known": self.known,
            "target": target.tolist(),
            "scores": scores.tolist(),
            "explained": 1 - left.item(),
            "spearman": spearman(scores, target).item(),
            "ordered": int(ordered.sum()),
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            f"A model knows the {self.known} largest of ten scores, and predicts one value for the others. With bend {self.bend:g} that "
            f"removes {now['explained']:.0%} of the squared error; it orders {now['ordered']} of 45 pairs, and Spearman's correlation is "
            f"{now['spearman']:.3f}."
        )
