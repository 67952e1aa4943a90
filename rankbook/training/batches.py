"""Endless batches of a data set in memory, with several items of each class, which ranking losses need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from rankbook.checks import check_count, check_instance
from rankbook.files import sha256
from rankbook.relevance import Labels, check_labels
from rankbook.training.planning import check_share, numbered, plan_classes


class BalancedBatches:
    """Endless batches of ``classes`` classes with ``per_class`` items each, so that each query has a positive.

    For data in memory, and `train`; `BalancedBatchSampler` gives the same batches through a ``DataLoader``.

    Each epoch covers every class: the classes are shuffled and dealt out; the last batch is filled up with classes from the
    first. A class with fewer items gives all it has. No item comes twice in a batch.

    Args:
        inputs: anything that an index tensor selects from: a tensor ``[n, ...]``, or your own container.
        labels: ``[n]``, integers or strings; or ``[n, levels]``, balanced on the finest level. A tensor, a list, an array or a
            column of a table.
        classes, per_class: the shape of a batch.
        generator: source of all randomness; its state is part of ``state_dict``.

    Yields: ``(inputs[items], labels[items])``; labels that are no tensor have become whole numbers.

    Cost: an epoch sorts the n items once.

    Raises:
        TypeError: ``inputs`` that no index tensor selects from, such as a list or a table; labels of another kind.
        ValueError: another number of labels than of inputs; more classes than there are.

    >>> batches = rb.BalancedBatches(torch.arange(6), ["a", "a", "b", "b", "c", "c"], classes=3, per_class=2, generator=torch.Generator())
    >>> sorted(next(batches)[1].tolist())
    [0, 0, 1, 1, 2, 2]
    """

    def __init__(self, inputs: Any, labels: Labels, *, classes: int, per_class: int, generator: torch.Generator):
        table = hasattr(inputs, "iloc")  # of pandas: an index selects columns, or by name
        if table or isinstance(inputs, (list, tuple, dict, str)) or not hasattr(inputs, "__getitem__") or not hasattr(inputs, "__len__"):
            raise TypeError(
                f"inputs must be a tensor [n, ...] or a container with a length that an index tensor selects from, got "
                f"{type(inputs).__name__}; try {'torch.tensor(inputs.to_numpy())' if table else 'torch.stack(inputs)'}, or a class whose "
                "__getitem__ takes a tensor of indices"
            )
        levels, _ = check_labels(labels, device="cpu")
        if len(levels) != len(inputs):
            raise ValueError(f"labels must be one for each of the {len(inputs)} inputs, got {len(levels)}")
        self.inputs = inputs
        self.labels = labels if isinstance(labels, Tensor) else levels.squeeze(1) if levels.shape[1] == 1 else levels
        self.class_of = numbered(levels)
        self.classes = check_share("classes", classes, int(self.class_of.max()) + 1, "classes")
        self.per_class = check_count("per_class", per_class)
        self.generator = check_instance("generator", generator, torch.Generator, "torch.Generator().manual_seed(0)")
        self._start_epoch()

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        return self

    def __next__(self) -> tuple[Any, Tensor]:
        if self.position == len(self.epoch):
            self._start_epoch()
        items = self.epoch[self.position]
        self.position += 1
        return self.inputs[items], self.labels[items]

    def fingerprint(self) -> dict[str, Any]:
        """The shapes, the seed, and a checksum of the labels."""
        return {
            "classes": self.classes,
            "per_class": self.per_class,
            "seed": self.generator.initial_seed(),
            "inputs": f"{type(self.inputs).__name__} {list(getattr(self.inputs, 'shape', [len(self.inputs)]))}",
            "labels": f"{list(self.labels.shape)} {sha256(self.labels.cpu().contiguous().numpy().tobytes())}",
        }

    def state_dict(self) -> dict[str, Any]:
        return {"random": self.random, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.set_state(state["random"])
        self._start_epoch()
        self.position = state["position"]

    def _start_epoch(self) -> None:
        self.random, self.position = self.generator.get_state(), 0
        self.epoch = plan_classes(self.class_of, self.classes, self.per_class, self.generator)
