"""The bundled emoji set: 1,644 classes, each drawn by three to six designers, with frozen features and texts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from rankbook.archive import Archive
from rankbook.checks import check_choice
from rankbook.datasets.layout import part_of
from rankbook.datasets.samples import Samples

if TYPE_CHECKING:
    import pandas as pd

Split = Literal["train", "validation", "test", "all"]
What = Literal["features", "images", "texts"]

IMAGE_SIZE = 48
_CHECKSUMS = Path(__file__).with_name("emoji_sha256.txt")


def emoji(split: Split = "all", what: What = "features", *, folder: str | Path | None = None) -> Samples:
    """Load the features, images or texts of one split of the emoji classes.

    Row i of the `Samples` is about one drawing (of texts: about one class). Inputs are features float32 [n, 512] of length 1,
    images uint8 [n, 3, 48, 48], or texts float32 [n, 384] of length 1. The levels are class, subgroup and group, the table has
    class, emoji, name, keywords, subgroup, group, family and split, and of a drawing also style and license.

    The splits are disjoint in classes (about 50, 15 and 35 %, stratified by group), as in retrieval benchmarks: a
    model is judged on classes that it never saw. Every class has at least three drawings, so every query has a
    positive. Classes that a designer drew alike share a split.

    Args:
        split: ``"train"``, ``"validation"``, ``"test"`` or ``"all"``.
        what: ``"features"`` (frozen EfficientNet-Lite0), ``"images"`` (pixels) or ``"texts"`` (frozen MiniLM of name and
            keywords, one row for each class).
        folder: another copy of the files; None: those that came with the package.

    Raises:
        ValueError: another split or kind; a damaged file.
        OSError: a file that is missing (FileNotFoundError) or cannot be read. The message names it and says how to get it back.

    Cost: under a second.

    >>> train = rb.datasets.emoji("train")
    >>> len(train) == len(train.inputs) == len(train.table)
    True
    """
    check_choice("split", split, get_args(Split))
    check_choice("what", what, get_args(What))
    archive = Archive("emoji", _CHECKSUMS, rebuild="python data/emoji/prepare.py", folder=folder)
    table = _table(archive)
    levels = _levels(table)
    if what == "features":
        inputs = _features(archive)
    elif what == "images":
        inputs = _images(archive, table)
    else:
        inputs = _tensors(archive, "texts.safetensors")["texts"].float()
        classes = table.drop_duplicates("class").sort_values("class")
        levels = levels[torch.tensor(classes.index)]
        table = classes.drop(columns=["image", "style", "icon", "license"]).reset_index(drop=True)

    return part_of(split, Samples(inputs, levels[:, 0].clone(), levels, table))


def _table(archive: Archive) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(io.BytesIO(archive.read("table.csv")))


def _levels(table: pd.DataFrame) -> Tensor:
    """Class, subgroup and group indices [N, 3], numbered over the whole set so that a split changes none."""
    import pandas as pd

    columns = [pd.factorize(table[column], sort=column == "class")[0] for column in ("class", "subgroup", "group")]
    return torch.stack([torch.tensor(column, dtype=torch.int64) for column in columns], dim=1)


def _features(archive: Archive) -> Tensor:
    tensors = _tensors(archive, "features.safetensors")
    return torch.nn.functional.normalize(tensors["codes"] * tensors["scale"], dim=1)


def _images(archive: Archive, table: pd.DataFrame) -> Tensor:
    """Each style is one sheet of pictures; the table lists a style's drawings in the sheet's order, row by row."""
    import numpy as np
    from PIL import Image

    images = np.empty((len(table), 3, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for style, rows in table.groupby("style", sort=False).indices.items():
        sheet = np.asarray(Image.open(io.BytesIO(archive.read(f"{style}.webp"))).convert("RGB"))
        tiles = sheet.reshape(sheet.shape[0] // IMAGE_SIZE, IMAGE_SIZE, sheet.shape[1] // IMAGE_SIZE, IMAGE_SIZE, 3)
        tiles = tiles.transpose(0, 2, 4, 1, 3).reshape(-1, 3, IMAGE_SIZE, IMAGE_SIZE)
        images[rows] = tiles[: len(rows)]
    return torch.from_numpy(images)


def _tensors(archive: Archive, file: str) -> dict[str, Tensor]:
    from safetensors.torch import load

    return load(archive.read(file))
