"""Retrieval with a linear head on frozen features: trained on some classes, judged on others, in seconds a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from rankbook.datasets import Samples, emoji
from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.training import BalancedBatches


class Head(nn.Module):
    """A linear map to the unit sphere."""

    def __init__(self, inputs: int, outputs: int = 256):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.normalize(self.linear(features), dim=-1)


@dataclass(frozen=True)
class Retrieval:
    """Embed features so that the nearest neighbors of an item are of its class.

    Args:
        load: split -> samples; splits are disjoint in classes. With a ``root``, (split, root) -> samples.
        classes, per_class: the shape of a batch.
        outputs: dimensions of the embedding.
        gallery: the split that the items of another search; None: each item searches all others of its split.
        root: the folder of the data, where they do not come with the package.
    """

    load: Callable[..., Samples] = emoji
    classes: int = 32
    per_class: int = 4
    outputs: int = 256
    gallery: str | None = None
    root: Path | None = field(default=None, compare=False)

    metrics: ClassVar[tuple[str, ...]] = ("R@1", "R@10", "mAP@R", "AP")

    def samples(self, split: str) -> Samples:
        return loaded(self.load, split, self.root)

    def labels(self, samples: Samples) -> Tensor:
        """What the loss is told."""
        return samples.labels

    def network(self, samples: Samples) -> nn.Module:
        """What is trained, with its first weights."""
        return Head(samples.inputs.shape[1], self.outputs)

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> nn.Module:
        """Train the network; the same call gives the same network.

        Args:
            loss: (embeddings, labels) -> loss; its own parameters, if any, are trained too. One with a vector for each class is
                told of them first: ``loss.meet(labels, outputs)``.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: batches.
            seed: of the first weights and the batches; they are the same for every loss.
        """
        data = self.samples("train")
        with seeded(seed) as generator:
            model = self.network(data)
            if hasattr(loss, "meet"):
                loss.meet(data.labels, self.outputs)
            batches = BalancedBatches(data.inputs, self.labels(data), classes=self.classes, per_class=self.per_class, generator=generator)
            minimize(model, loss, batches, lr=lr, steps=steps)
        return model

    def measure(self, model: nn.Module, split: str) -> dict[str, float]:
        """The metrics on the classes of a split. ``torch.nn.Identity()``: the features as they are, compared by the dot product."""
        data = self.samples(split)
        with one_thread(), torch.no_grad():
            if self.gallery is None:
                return self.evaluate(model(data.inputs), self.labels(data))
            searched = self.samples(self.gallery)
            return self.evaluate(model(data.inputs), self.labels(data), model(searched.inputs), self.labels(searched))

    def evaluate(
        self, queries: Tensor, labels: Tensor, gallery: Tensor | None = None, gallery_labels: Tensor | None = None
    ) -> dict[str, float]:
        """Of embeddings and what the loss would be told; see `evaluate_retrieval`."""
        return evaluate_retrieval(queries, labels, gallery, gallery_labels)


@lru_cache(maxsize=8)
def loaded(load: Callable[..., Samples], split: str, root: Path | None) -> Samples:
    """A process reads a split once, not once a run."""
    return load(split) if root is None else load(split, root)
