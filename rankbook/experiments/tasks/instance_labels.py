"""The labels of a picture against each other: `ManyLabels`, judged by how each picture ranks its labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.labels import ManyLabels, Scorer, Tagged, emoji_keywords, flickr8k_nouns


def every_fourth(data: Tagged) -> Tagged:
    """The same pictures with a quarter of the labels, as frequent and as rare ones as all."""
    return data._replace(targets=data.targets[:, ::4], names=data.names[::4])


def every_fourth_keyword() -> Tagged:
    return every_fourth(emoji_keywords())


def every_fourth_noun(root: Path) -> Tagged:
    return every_fourth(flickr8k_nouns(root))


@dataclass(frozen=True)
class InstanceLabels(ManyLabels):
    """`ManyLabels`, whose metric is one minus the ranking loss: the share of a picture's pairs (has, lacks) in the right order.

    A tie is wrong. The mean is over the pictures that have a label and lack one.
    """

    metrics: ClassVar[tuple[str, ...]] = ("pairs right", "first right")

    def measure(self, model: Scorer, split: str) -> dict[str, float]:
        """The share of pairs in the right order, and of pictures whose first label is one that they have."""
        rows = self.rows(model, split)
        with one_thread(), torch.no_grad():
            scores, targets = model(self.data.inputs[rows]), self.data.targets[rows] > 0
        both = targets.any(1) & ~targets.all(1)
        scores, targets = scores[both], targets[both]
        best = scores.masked_fill(~targets, -torch.inf).amax(1) > scores.masked_fill(targets, -torch.inf).amax(1)
        return {"pairs right": pairs_right(scores, targets).mean().item(), "first right": best.double().mean().item()}


def pairs_right(scores: Tensor, targets: Tensor) -> Tensor:
    """Of each row, the share of pairs (positive, negative) whose positive has the higher score: [n], in float64.

    >>> from rankbook.experiments.tasks.instance_labels import pairs_right
    >>> pairs_right(torch.tensor([[3.0, 2.0, 2.0, 1.0]]), torch.tensor([[True, False, True, False]]))
    tensor([0.7500], dtype=torch.float64)
    """
    ahead = (scores[:, :, None] > scores[:, None, :]) & targets[:, :, None] & ~targets[:, None, :]
    return ahead.sum((1, 2)).double() / (targets.sum(1) * (~targets).sum(1))
