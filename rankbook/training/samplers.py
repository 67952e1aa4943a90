"""Batch samplers for a ``DataLoader``: lists of row numbers, with several items of each class in every batch.

Processes that train together share a batch: it is the same whatever their number, and each takes its part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler

from rankbook.checks import check_count, check_instance
from rankbook.files import sha256
from rankbook.relevance import Labels, check_labels
from rankbook.training.planning import check_share, numbered, plan_classes, plan_groups

_NEXT_EPOCH = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: the epochs of seeds 0, 1, 2, ... are no shifted copies of each other
_SEEDS = 2**63


class EpochSampler(Sampler[list[int]]):
    """Epochs that follow from seed and number. Iterating gives one epoch, and once more the next one; a subclass plans it.

    Of each batch the process ``rank`` of ``num_replicas`` gives its part: consecutive items, so that the parts in the order of the ranks
    are the batch; the first ones have one item more where it does not divide.
    """

    def __init__(self, generator: torch.Generator | None, seed: int | None, num_replicas: int, rank: int):
        if generator is not None:
            check_instance("generator", generator, torch.Generator, "torch.Generator().manual_seed(0)")
            if seed is not None:
                raise ValueError("seed must be left out if there is a generator: it is drawn from it")
            seed = int(torch.randint(_SEEDS - 1, (), generator=generator, device=generator.device))
        self.seed = check_count("seed", 0 if seed is None else seed, at_least=0, at_most=_SEEDS - 1)
        self.num_replicas = check_count("num_replicas", num_replicas)
        self.rank = check_count("rank", rank, at_least=0, at_most=self.num_replicas - 1)
        self.epoch, self.position, self.begun = 0, 0, False
        self.length = len(self._plan())

    def plan(self, generator: torch.Generator) -> list[Tensor]:
        """The items of each batch of an epoch."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[list[int]]:
        if self.begun:
            self.set_epoch(self.epoch + 1)
        self.begun = True
        for items in self._plan()[self.position :]:
            self.position += 1
            yield self._part(items)

    def set_epoch(self, epoch: int) -> None:
        """The next iteration gives this epoch from its beginning. Without this call each iteration gives the next epoch."""
        self.epoch, self.position, self.begun = check_count("epoch", epoch, at_least=0), 0, False

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of batches given, the same on all processes. Workers fetch ahead: set ``position`` to the number of batches
        that you have used."""
        over = self.position == self.length
        return {"seed": self.seed, "epoch": self.epoch + over, "position": 0 if over else self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        if not isinstance(state, dict) or not {"seed", "epoch", "position"} <= state.keys():
            raise ValueError(f"state must be what state_dict() gave, with seed, epoch and position, got {state!r:.80}")
        self.seed = check_count("seed", state["seed"], at_least=0, at_most=_SEEDS - 1)
        self.set_epoch(state["epoch"])
        self.position = check_count("position", state["position"], at_least=0, at_most=self.length)

    def fingerprint(self) -> dict[str, Any]:
        """What makes these batches these ones."""
        share = {} if self.num_replicas == 1 else {"num_replicas": self.num_replicas, "rank": self.rank}
        return self.shape() | {"seed": self.seed} | share

    def shape(self) -> dict[str, Any]:
        """Numbers and text that tell the batches of this sampler from others of one seed."""
        raise NotImplementedError

    def _part(self, items: Tensor) -> list[int]:
        if len(items) < self.num_replicas:
            raise ValueError(
                f"num_replicas must be at most the items of a batch, but one of epoch {self.epoch} has {len(items)} for "
                f"{self.num_replicas} processes; take more classes, or more per_class"
            )
        return items.tensor_split(self.num_replicas)[self.rank].tolist()

    def _plan(self) -> list[Tensor]:
        return self.plan(torch.Generator().manual_seed((self.seed + self.epoch * _NEXT_EPOCH) % _SEEDS))


class BalancedBatchSampler(EpochSampler):
    """Batches of ``classes`` classes with ``per_class`` items each, for ``DataLoader(..., batch_sampler=...)``.

    The rules are those of `BalancedBatches`: an epoch covers every class, the last batch is filled up with classes from the first,
    a class with fewer items gives all it has, and no item comes twice in a batch. Each iteration over the loader is a new epoch.
    The plan is made in the main process, so workers change nothing.

    Args:
        labels: ``[n]``, integers or strings; or ``[n, levels]``, balanced on the finest level. A tensor, a list, an array or a
            column of a table; row i is about item i of the data set.
        classes, per_class: the shape of a batch. More classes: more negatives; ``per_class - 1`` is the number of positives.
        generator: the seed is drawn from it; instead of ``seed``.
        seed: the same seed and epoch give the same batches; None: 0.
        num_replicas, rank: how many processes train together, and which this is, as ``torch.distributed.get_world_size()`` and
            ``get_rank()`` say. The batches stay those of one process; this one gives its part of each. All processes take the same
            seed.

    Yields: lists of row numbers. ``len``: batches of an epoch.

    Cost: an epoch sorts the n labels once; memory for the labels and the plan of one epoch.

    Raises:
        ValueError: more classes than there are, counts below 1, labels that are no ``[n]`` and no ``[n, levels]``.
        TypeError: labels of another kind, a generator that is none.

    >>> sampler = rb.BalancedBatchSampler(["a", "a", "b", "b", "c", "c"], classes=3, per_class=2)
    >>> [sorted(batch) for batch in sampler]
    [[0, 1, 2, 3, 4, 5]]
    >>> from torch.utils.data import DataLoader
    >>> loader = DataLoader(torch.eye(6), batch_sampler=sampler)
    >>> next(iter(loader)).shape
    torch.Size([6, 6])
    """

    def __init__(
        self,
        labels: Labels,
        *,
        classes: int,
        per_class: int,
        generator: torch.Generator | None = None,
        seed: int | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ):
        self.class_of = numbered(labels)
        self.classes = check_share("classes", classes, int(self.class_of.max()) + 1, "classes")
        self.per_class = check_count("per_class", per_class)
        super().__init__(generator, seed, num_replicas, rank)

    def plan(self, generator: torch.Generator) -> list[Tensor]:
        return plan_classes(self.class_of, self.classes, self.per_class, generator)

    def shape(self) -> dict[str, Any]:
        labels = f"{list(self.class_of.shape)} {sha256(self.class_of.numpy().tobytes())}"
        return {"classes": self.classes, "per_class": self.per_class, "labels": labels}


class HierarchicalBatchSampler(EpochSampler):
    """Batches of ``groups`` coarse groups, ``classes`` classes of each, ``per_class`` items of each.

    A hierarchical loss (`SupHAPLoss`, `SmoothNDCGLoss`) learns the coarse levels from siblings: other classes of the same group. A
    batch of random classes hardly holds any where there are many groups. An epoch covers every class; a group stands once in a
    batch, a group or class with fewer members gives all it has, and what is short is filled up with classes that come again.

    Args:
        labels: ``[n, levels]``, fine to coarse, integers or strings.
        groups, classes, per_class: the shape of a batch.
        level: the column of the groups; 1: the parents of the classes. Larger: coarser.
        generator, seed, num_replicas, rank: as for `BalancedBatchSampler`.

    Yields: lists of row numbers. ``len``: batches of an epoch, the same for each.

    Cost: an epoch sorts the n labels once, and the groups once a batch.

    Raises:
        ValueError: labels of one level, levels that do not nest, more groups than there are, no group with so many classes, counts
            below 1.

    >>> labels = torch.tensor([[0, 0], [1, 0], [2, 1], [3, 1], [4, 2], [5, 2]])
    >>> for batch in rb.HierarchicalBatchSampler(labels, groups=2, classes=2, per_class=1):
    ...     assert labels[batch, 1].bincount().max() == 2  # siblings
    """

    def __init__(
        self,
        labels: Labels,
        *,
        groups: int,
        classes: int,
        per_class: int,
        level: int = 1,
        generator: torch.Generator | None = None,
        seed: int | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ):
        levels, _ = check_labels(labels, device="cpu")
        if levels.shape[1] < 2:
            raise ValueError(
                f"labels must be [n, levels] with at least two levels, fine to coarse, got one level of {len(levels)} items; "
                "for plain classes take rb.BalancedBatchSampler"
            )
        level = check_count("level", level, at_most=levels.shape[1] - 1)
        self.class_of, self.group_of = numbered(levels), numbered(levels, level)
        classes_of = torch.stack([self.class_of, self.group_of], 1).unique(dim=0)[:, 1].bincount()
        self.groups = check_share("groups", groups, len(classes_of), "groups")
        if check_count("classes", classes) > classes_of.max():
            raise ValueError(
                f"classes must be from 1 to {int(classes_of.max())}, the classes of the largest group of labels, got {classes}"
            )
        self.classes, self.per_class = int(classes), check_count("per_class", per_class)
        super().__init__(generator, seed, num_replicas, rank)

    def plan(self, generator: torch.Generator) -> list[Tensor]:
        return plan_groups(self.class_of, self.group_of, self.groups, self.classes, self.per_class, generator)

    def shape(self) -> dict[str, Any]:
        labels = torch.stack([self.class_of, self.group_of])
        shape = {"groups": self.groups, "classes": self.classes, "per_class": self.per_class}
        return shape | {"labels": f"{list(labels.shape)} {sha256(labels.numpy().tobytes())}"}
