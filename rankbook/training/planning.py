"""Which items make a batch: the one place of the rules that `BalancedBatches` and the batch samplers share.

An epoch deals out every class; the last batch is filled up with classes from the first. A class with fewer items gives all it
has. No item comes twice in a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_count
from rankbook.relevance import Labels, check_labels


def numbered(labels: Labels, column: int = 0) -> Tensor:
    """One level of any form of labels as numbers from 0 on, on the CPU."""
    levels, _ = check_labels(labels, device="cpu")
    return levels[:, column].cpu().unique(return_inverse=True)[1]


def check_share(name: str, value: int, total: int, what: str) -> int:
    """Return ``value`` if it is a whole number from 1 to ``total``."""
    if check_count(name, value) > total:
        raise ValueError(f"{name} must be from 1 to the {total} {what} of labels, got {value}")
    return int(value)


def plan_classes(class_of: Tensor, classes: int, per_class: int, generator: torch.Generator) -> list[Tensor]:
    """The items of each batch of an epoch: ``classes`` classes, ``per_class`` items of each."""
    items = _Items(class_of, per_class, generator)
    order = _permutation(len(items), generator)
    return [items.of(batch) for batch in _deal(order, classes)]


def plan_groups(class_of: Tensor, group_of: Tensor, groups: int, classes: int, per_class: int, generator: torch.Generator) -> list[Tensor]:
    """The items of each batch of an epoch: ``groups`` groups, ``classes`` classes of each, ``per_class`` items of each.

    Each group is dealt out in hands of ``classes``. A batch takes one hand of those groups that have most hands left; a group that
    has none left gives one again. So a group stands once in a batch, and the epoch is as short as the largest group allows.
    """
    items = _Items(class_of, per_class, generator)
    group_of_class = torch.empty(len(items), dtype=torch.int64, device="cpu").scatter_(0, class_of, group_of)
    order = _permutation(len(items), generator)
    by_group = order[group_of_class[order].argsort(stable=True)].split(group_of_class.bincount().tolist())
    hands = [_deal(members, classes) for members in by_group]
    left = torch.tensor([len(of_group) for of_group in hands], device="cpu")
    batches = []
    while (left > 0).any():
        ties = _permutation(len(hands), generator)
        chosen = ties[left[ties].argsort(descending=True, stable=True)][:groups]
        batches.append(items.of(torch.cat([hands[g][left[g] % len(hands[g])] for g in chosen.tolist()])))
        left[chosen] -= 1
    return [batches[i] for i in _permutation(len(batches), generator).tolist()]


class _Items:
    """The first ``per_class`` items of each class, in random order."""

    def __init__(self, class_of: Tensor, per_class: int, generator: torch.Generator):
        shuffled = _permutation(len(class_of), generator)
        self.order = shuffled[class_of[shuffled].argsort(stable=True)]  # the items of each class together
        sizes = class_of.bincount()
        self.first, self.taken = sizes.cumsum(0) - sizes, sizes.clamp(max=per_class)

    def __len__(self) -> int:
        return len(self.first)

    def of(self, classes: Tensor) -> Tensor:
        first, taken = self.first[classes].tolist(), self.taken[classes].tolist()
        return torch.cat([self.order[start : start + count] for start, count in zip(first, taken, strict=True)])


def _deal(order: Tensor, size: int) -> list[Tensor]:
    """Parts of ``size``, the last one filled up from the first; all in one part if there are fewer."""
    size = min(size, len(order))
    return list(torch.cat([order, order[: -len(order) % size]]).split(size))


def _permutation(n: int, generator: torch.Generator) -> Tensor:
    """On the CPU, whatever torch's default device is and wherever the generator lives."""
    return torch.randperm(n, generator=generator, device=generator.device).cpu()
