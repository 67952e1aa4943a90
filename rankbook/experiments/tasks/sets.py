"""Public data sets as splits for retrieval: what trains, what chooses, what is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from rankbook.datasets import Samples, cub, grocery
from rankbook.experiments.tasks.cross_modal import flickr8k_pairs

_HELD = 5  # every fifth of the training species chooses


def birds(split: str, root: Path) -> Samples:
    """Caltech-UCSD Birds: species 101 to 200 are the test, as in the papers; of the others every fifth is for validation. The levels are
    species and family: the last word of the name, such as Albatross."""
    data = species_of(cub(root, "test" if split == "test" else "train", "features"), split)
    families = [name.rpartition(" ")[2] for name in data.table["name"]]
    known = sorted({name.rpartition(" ")[2] for name in cub(root, "all", "features").table["name"]})
    return replace(data, levels=torch.stack([data.labels, torch.tensor([known.index(family) for family in families])], dim=1))


def species_of(data: Samples, split: str) -> Samples:
    """Of the published split of the birds, the species that train, choose or are judged."""
    held = data.labels % _HELD == _HELD - 1
    return data if split == "test" else data[held if split == "validation" else ~held]


def groceries(split: str, root: Path) -> Samples:
    """The Grocery Store set, by its official lists. All have the same products, so one is searched with the queries of another."""
    return grocery(root, split, "features")


def captions(split: str, root: Path) -> Samples:
    """Flickr8k's captions, five to a photograph, by latent semantic analysis: those of one photograph find each other."""
    pairs = flickr8k_pairs(split, root)
    return Samples(pairs.texts, pairs.text_labels)
