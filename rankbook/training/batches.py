"""The batches of a training: any iterable of pairs, and the one that ranking losses need, with several items of each class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from rankbook.checks import check_count, check_instance
from rankbook.files import sha256
from rankbook.relevance import Labels, check_labels


class Batches(Protocol):
    """Pairs (inputs, labels): an iterator, or an iterable such as a ``DataLoader``, which is iterated anew each epoch.

    The state is needed only to resume from a checkpoint. A method ``fingerprint()``, not required, returns what makes these
    batches these ones, as a dictionary of numbers and text: a checkpoint with others is refused.
    """

    def __iter__(self) -> Iterator[tuple[Any, Any]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def endless(batches: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """Pairs without an end; errors say what came instead.

    Raises:
        TypeError: ``batches`` is neither an iterator nor an iterable; a batch is no pair.
        ValueError: an iterator that ends, an iterable that is empty.
    """
    if not hasattr(batches, "__next__") and not hasattr(batches, "__iter__"):
        raise TypeError(
            "batches must be an iterator or an iterable of pairs (inputs, labels), such as rb.BalancedBatches or a DataLoader, "
            f"got {type(batches).__name__}"
        )
    return _once(batches) if hasattr(batches, "__next__") else _anew(batches)


def _once(batches: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    count = 0
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            raise ValueError(
                f"batches ended after {count}, before the last step; pass an iterable that can start anew, such as the DataLoader "
                "itself in place of iter(loader), or ask for fewer steps"
            ) from None
        yield _pair(batch)
        count += 1


def _anew(batches: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield _pair(batch)
        if empty:
            raise ValueError(f"batches must hold at least one batch, but this {type(batches).__name__} is empty; look at drop_last")


def _pair(batch: Any) -> tuple[Any, Any]:
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        inputs, labels = batch
        return inputs, labels
    got = type(batch).__name__
    if isinstance(batch, (tuple, list)):
        got += f" of {len(batch)}"
    elif isinstance(batch, dict):
        got += f" with {', '.join(map(str, batch))}"
    raise TypeError(f"batches must give pairs (inputs, labels), got a {got}; wrap them: ((batch[...], batch[...]) for batch in ...)")


class BalancedBatches:
    """Endless batches of ``classes`` classes with ``per_class`` items each, so that each query has a positive.

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
        TypeError: ``inputs`` that no index tensor selects from, such as a list; labels of another kind.
        ValueError: another number of labels than of inputs; more classes than there are.

    >>> batches = rb.BalancedBatches(torch.arange(6), ["a", "a", "b", "b", "c", "c"], classes=3, per_class=2, generator=torch.Generator())
    >>> sorted(next(batches)[1].tolist())
    [0, 0, 1, 1, 2, 2]
    """

    def __init__(self, inputs: Any, labels: Labels, *, classes: int, per_class: int, generator: torch.Generator):
        if isinstance(inputs, (list, tuple, dict, str)) or not hasattr(inputs, "__getitem__") or not hasattr(inputs, "__len__"):
            raise TypeError(
                f"inputs must be a tensor [n, ...] or a container with a length that an index tensor selects from, got "
                f"{type(inputs).__name__}; try torch.stack(inputs), or a class whose __getitem__ takes a tensor of indices"
            )
        levels, _ = check_labels(labels, device="cpu")
        if len(levels) != len(inputs):
            raise ValueError(f"labels must be one for each of the {len(inputs)} inputs, got {len(levels)}")
        self.inputs = inputs
        self.labels = labels if isinstance(labels, Tensor) else levels.squeeze(1) if levels.shape[1] == 1 else levels
        names, self.class_of = levels[:, 0].cpu().unique(return_inverse=True)
        self.classes = check_count("classes", classes)
        if self.classes > len(names):
            raise ValueError(f"classes must be from 1 to the {len(names)} classes of labels, got {classes}")
        self.per_class = check_count("per_class", per_class)
        self.generator = check_instance("generator", generator, torch.Generator, "torch.Generator().manual_seed(0)")
        self.sizes = self.class_of.bincount()
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
        # the items of each class together, in random order
        shuffled = self._permutation(len(self.class_of))
        shuffled = shuffled[self.class_of[shuffled].argsort(stable=True)]
        first = self.sizes.cumsum(0) - self.sizes
        order = self._permutation(len(self.sizes))
        order = torch.cat([order, order[: -len(order) % self.classes]])
        self.epoch = [
            torch.cat([shuffled[first[c] : first[c] + min(self.per_class, self.sizes[c])] for c in batch])
            for batch in order.split(self.classes)
        ]

    def _permutation(self, n: int) -> Tensor:
        """On the CPU, whatever torch's default device is and wherever the generator lives."""
        return torch.randperm(n, generator=self.generator, device=self.generator.device).cpu()
