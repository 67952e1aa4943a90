"""Retrieval with a small network that learns from the pixels alone, instead of a head on features that somebody else has learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from rankbook.datasets import Samples, cub, emoji, grocery
from rankbook.experiments.tasks.fitting import seeded
from rankbook.experiments.tasks.retrieval import Retrieval
from rankbook.experiments.tasks.sets import species_of
from rankbook.experiments.train.networks import Patches

SIZE = 48  # pixels; that of the emoji


def drawings(split: str) -> Samples:
    """The pictures of the emoji set, whose splits share no class."""
    return emoji(split, "images")


@lru_cache(maxsize=3)
def untrained_drawings(split: str) -> Samples:
    """`drawings` as features of length 1: what the network of `PixelRetrieval` makes of them at random first weights, one draw for all."""
    data = drawings(split)
    with seeded(0), torch.no_grad():
        blocks = Patches(SIZE).blocks
        parts = [blocks(images.float() / 255).flatten(1) for images in data.inputs.split(256)]
    return replace(data, inputs=nn.functional.normalize(torch.cat(parts), dim=1))


def bird_photographs(split: str, root: Path) -> Samples:
    """`rankbook.experiments.tasks.sets.birds`, as pictures."""
    return in_memory(species_of(cub(root, "test" if split == "test" else "train", size=SIZE), split))


def grocery_photographs(split: str, root: Path) -> Samples:
    """`rankbook.experiments.tasks.sets.groceries`, as pictures."""
    return in_memory(grocery(root, split, size=SIZE))


def in_memory(samples: Samples) -> Samples:
    """The pictures as bytes: read and scaled once, not once a batch."""
    parts = [(samples.inputs[rows] * 255).round().to(torch.uint8) for rows in torch.arange(len(samples)).split(256)]
    return replace(samples, inputs=torch.cat(parts))


@dataclass(frozen=True)
class PixelRetrieval(Retrieval):
    """`Retrieval` where the network is trained from its first weights, on pictures of one size.

    Args:
        load: split -> samples whose inputs are bytes ``[n, 3, size, size]``.
    """

    load: Callable[..., Samples] = drawings
    outputs: int = 128

    def network(self, samples: Samples) -> nn.Module:
        return Patches(samples.inputs.shape[-1], samples.inputs.shape[1], self.outputs)
