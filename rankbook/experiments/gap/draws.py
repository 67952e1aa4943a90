"""What a seed draws of a data set: training classes, validation classes out of the same pool, and test classes that no training sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from rankbook.datasets import Samples, cub, emoji, grocery
from rankbook.evaluation import evaluate_retrieval


class Unseen(NamedTuple):
    """Classes to judge on: each query against the gallery; without one, against the other queries."""

    queries: Samples
    gallery: Samples | None = None

    def measure(self, model: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """R@1, R@10, mAP@R and AP."""
        queries = model(self.queries.inputs)
        if self.gallery is None:
            return evaluate_retrieval(queries, self.queries.labels)
        return evaluate_retrieval(queries, self.queries.labels, model(self.gallery.inputs), self.gallery.labels)


class Draw(NamedTuple):
    """One seed's classes."""

    train: Samples
    validation: Unseen
    test: Unseen


class Pool(NamedTuple):
    """The samples of a set, in two parts that share no class. ``of_validation``: queries of the seen classes, if they are others."""

    seen: Samples
    of_validation: Samples | None
    unseen: Samples
    gallery_of_unseen: Samples | None
    share: float = 3 / 4  # of the seen classes that train; the others validate


def _emoji(root: Path | None) -> Pool:
    return Pool(emoji("train"), None, emoji("test"), None, share=1 / 2)


def _cub(root: Path | None) -> Pool:
    return Pool(_unit(cub(root, "train", "features")), None, _unit(cub(root, "test", "features")), None)


def _grocery(root: Path | None) -> Pool:
    """Photographs come in sequences, so queries and gallery are of two official splits; every third product is for the test."""
    train, validation, test = (_unit(grocery(root, split, "features")) for split in ("train", "validation", "test"))
    of_train, of_validation, of_test = (data.labels % 3 != 2 for data in (train, validation, test))
    return Pool(train[of_train], validation[of_validation], test[~of_test], train[~of_train])


def _unit(data: Samples) -> Samples:
    return replace(data, inputs=normalize(data.inputs, dim=1))


#: name -> folder of the reader -> samples. The first comes with the package.
SETS: dict[str, Callable[[Path | None], Pool]] = {"emoji": _emoji, "cub": _cub, "grocery": _grocery}


@lru_cache(maxsize=3)
def pool(data: str, root: Path | None) -> Pool:
    """A process reads a set once."""
    return SETS[data](root)


@lru_cache(maxsize=2)
def draw(data: str, root: Path | None, seed: int) -> Draw:
    """A share of the classes of the pool trains, the others validate; two of three of those that no training sees test."""
    parts, generator = pool(data, root), torch.Generator().manual_seed(seed)
    train, validation = _drawn(parts.seen.labels, parts.share, generator)
    test, _ = _drawn(parts.unseen.labels, 2 / 3, generator)
    seen = _of(parts.seen, validation)
    judged = Unseen(seen) if parts.of_validation is None else Unseen(_of(parts.of_validation, validation), seen)
    gallery = None if parts.gallery_of_unseen is None else _of(parts.gallery_of_unseen, test)
    return Draw(_of(parts.seen, train), judged, Unseen(_of(parts.unseen, test), gallery))


def _drawn(labels: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    classes = labels.unique()
    classes = classes[torch.randperm(len(classes), generator=generator)]
    return classes.tensor_split([round(share * len(classes))])


def _of(data: Samples, classes: Tensor) -> Samples:
    return data[torch.isin(data.labels, classes)]
