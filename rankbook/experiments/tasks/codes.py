"""Retrieval by codes of bits: a linear layer on frozen features, its signs as the code; and how a code is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from rankbook.datasets import Samples, emoji, fashion_mnist
from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.experiments.tasks.retrieval import loaded
from rankbook.metrics import average_precision
from rankbook.metrics.tied import counts_by_level, tied_average_precision
from rankbook.training import BalancedBatches


def hamming_distances(queries: Tensor, gallery: Tensor) -> Tensor:
    """Bits that differ ``[q, m]``, int64, between the signs of ``[q, K]`` and ``[m, K]`` real codes; 0 is the bit of the negative.

    >>> from rankbook.experiments.tasks.codes import hamming_distances
    >>> hamming_distances(torch.tensor([[0.3, -2.0]]), torch.tensor([[1.0, -1.0], [-0.1, 0.2]]))
    tensor([[0, 2]])
    """
    a, b = ((codes > 0).float() * 2 - 1 for codes in (queries, gallery))
    return ((queries.shape[1] - a @ b.T) / 2).round().long()


def measure_codes(codes: Tensor, labels: Tensor, gallery: Tensor | None = None, gallery_labels: Tensor | None = None) -> dict[str, Tensor]:
    """Of each real code ``[n, K]``: AP of its Hamming distances, as the mean of all orders of ties ("mAP"), worst, best.

    A code searches the ``gallery`` ``[m, K]``, or all others where there is none; it must find one of its label there.
    """
    where = None
    if gallery is None or gallery_labels is None:
        gallery, gallery_labels, where = codes, labels, ~torch.eye(len(codes), dtype=torch.bool)
    alike = labels[:, None] == gallery_labels
    counts = counts_by_level(hamming_distances(codes, gallery), alike, codes.shape[1] + 1, where=where)
    worst, mean, best = tied_average_precision(*counts)
    return {"mAP": mean, "worst": worst, "best": best}


@dataclass(frozen=True)
class Codes:
    """Bits for features so that the nearest codes of an item are of its class.

    Args:
        load: split -> samples; splits are disjoint in classes. With a ``root``, (split, root) -> samples.
        classes, per_class: the shape of a batch.
        gallery: the split that the items of another search; None: each item searches all others of its split.
        root: the folder of the data, where they do not come with the package.
    """

    load: Callable[..., Samples] = emoji
    classes: int = 32
    per_class: int = 4
    gallery: str | None = None
    root: Path | None = field(default=None, compare=False)

    metrics: ClassVar[tuple[str, ...]] = ("mAP", "worst", "best", "real")

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> nn.Module:
        """Train the linear layer; the same call gives the same one.

        Args:
            loss: (codes, labels) -> loss, and ``bits``, how many it wants.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: batches.
            seed: of the first weights and the batches.
        """
        data = loaded(self.load, "train", self.root)
        with seeded(seed) as generator:
            model = nn.Linear(data.inputs.shape[1], loss.bits)
            batches = BalancedBatches(data.inputs, data.labels, classes=self.classes, per_class=self.per_class, generator=generator)
            minimize(model, loss, batches, lr=lr, steps=steps)
        return model

    def measure(self, model: nn.Module, split: str) -> dict[str, float]:
        """`measure_codes` of the signs, and "real", the mAP of the cosine of the numbers before the cut."""
        data = loaded(self.load, split, self.root)
        with one_thread(), torch.no_grad():
            codes, gallery, gallery_labels = model(data.inputs), None, None
            if self.gallery is not None:
                searched = loaded(self.load, self.gallery, self.root)
                gallery, gallery_labels = model(searched.inputs), searched.labels
            found = {name: values.mean().item() for name, values in measure_codes(codes, data.labels, gallery, gallery_labels).items()}
            numbers = {"ref_embeddings": normalize(gallery, dim=-1), "ref_labels": gallery_labels} if self.gallery else {}
            real = evaluate_retrieval(normalize(codes, dim=-1), data.labels, metrics={"AP": average_precision}, **numbers)
            return {name: found[name] for name in ("mAP", "worst", "best")} | {"real": real["AP"]}


#: The pictures of each split: two parts of the training file, and one of the test file.
CLOTHES = {"train": slice(0, 9_000), "validation": slice(9_000, 10_000), "test": slice(0, 1_000)}


def clothes(split: str, root: Path) -> Samples:
    """Fashion-MNIST as 784 numbers from 0 to 1: its first 9,000 training pictures, the next 1,000 to choose by, 1,000 of its test."""
    data = fashion_mnist(root, "test" if split == "test" else "train")[CLOTHES[split]]
    return replace(data, inputs=data.inputs[:, 0].flatten(1).float() / 255)
