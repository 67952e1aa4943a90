"""A task of milliseconds for the tests of studies: its module is found by spawned processes too."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

import rankbook as rb
from rankbook.datasets import Samples
from rankbook.experiments.parts import Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.retrieval import Retrieval


def clusters(split: str) -> Samples:
    """Classes are directions in noise, in pairs of one subgroup and fours of one group; no class is in two splits."""
    classes, first = {"train": (40, 0), "validation": (12, 40), "test": (12, 52)}[split]
    g = torch.Generator().manual_seed(first)
    y = torch.arange(classes).repeat_interleave(5)
    x = torch.randn(classes, 16, generator=g)[y] + torch.randn(len(y), 16, generator=g)
    return Samples(torch.nn.functional.normalize(x, dim=1), y + first, torch.stack([y + first, y // 2, y // 4], dim=1))


def noisy(split: str, root: Path) -> Samples:
    """Another set, whose noise stands in a file of the folder that the reader names."""
    data = clusters(split)
    noise = float((root / "noise.txt").read_text())
    x = data.inputs + noise * torch.randn(data.inputs.shape, generator=torch.Generator().manual_seed(1))
    return Samples(torch.nn.functional.normalize(x, dim=1), data.labels, data.levels)


class TwoKnobs(torch.nn.Module):
    """A loss with two knobs, one of them a tuple or None."""

    def __init__(self, tau: float, k: tuple[int, ...] | None):
        super().__init__()
        self.loss = rb.SmoothAPLoss(tau=tau) if k is None else rb.RecallAtKLoss(k=k, tau_score=tau)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.loss(embeddings, labels)


@dataclass(frozen=True)
class Counted:
    """A task without training: the metric follows from the configuration, a seed can fail, a split can be broken."""

    fails: int | None = None
    metrics: ClassVar[tuple[str, ...]] = ("AP",)

    def fit(self, loss, *, lr, steps, seed):
        if seed == self.fails:
            raise RuntimeError(f"seed {seed} fails")
        return torch.nn.Linear(1, 1).requires_grad_(False), lr + seed / 1000 + 1 / steps

    def measure(self, model, split):
        return {"AP": math.nan if split == "broken" else model[1]}


TINY = Study(
    name="tiny",
    question="Does it run?",
    task=Retrieval(load=clusters, classes=8, outputs=8),
    contenders={
        "Smooth-AP": Contender(rb.SmoothAPLoss, {"tau": (0.03, 0.1)}),
        "two knobs": Contender(TwoKnobs, {"tau": (0.1,), "k": (None, (1, 2))}),
    },
    grid={"lr": (0.01, 0.001)},
    steps=4,
    choose_by="mAP@R",
    reference="Smooth-AP",
    tuning_seeds=(100,),
    test_seeds=(0, 1),
    budgets=(0.5, 2),
    sets={"noisy": Retrieval(load=noisy, classes=8, outputs=8)},
)
