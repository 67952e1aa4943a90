"""Caltech-UCSD Birds: photographs of 200 species, the benchmark of retrieval on unseen classes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from rankbook.checks import check_choice
from rankbook.datasets.folder import image_folder
from rankbook.datasets.layout import check_folder
from rankbook.datasets.ready_features import What, ready_features
from rankbook.datasets.samples import Samples

Split = Literal["train", "test", "all"]

SEEN = 100  # classes 1 to 100 train and 101 to 200 test, as in every paper on metric learning
_WHERE = "ask its authors (www.vision.caltech.edu/datasets) for Caltech-UCSD Birds 200, and name the folder that holds images/"


def cub(
    root: str | os.PathLike[str],
    split: Split = "all",
    what: What = "images",
    *,
    size: int = 224,
    transform: Callable[[Any], Tensor] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> Samples:
    """Caltech-UCSD Birds 200, the version of 2010 (6,033 photographs) or of 2011 (11,788), from your copy.

    Both come as ``images/001.Black_footed_Albatross/FILE.jpg``. A label is the number of the species less 1, whatever part of the set is
    there. The table has ``file``, the path within ``images``, ``class`` (``"001.Black_footed_Albatross"``) and ``name``.

    Args:
        root: the folder that holds ``images``.
        split: ``"train"``: species 1 to 100, ``"test"``: 101 to 200, which is how retrieval is judged (the photographs that the
            authors set apart for classification are something else), or ``"all"``.
        what: ``"images"``, read when they are asked for, as by `image_folder`; or ``"features"``, float32 ``[n, d]`` that lie in
            ``root/features_lite0.npz`` (``image``, the paths within ``images``, and ``X``), for which the pictures need not be there.
        size, transform, on_error: of the pictures, as of `image_folder`.

    Raises:
        OSError: no such folder, no ``images`` in it, no file of features.
        ValueError: a class whose name has no number from 1 to 200; damaged features; pictures as `image_folder`.

    Cost: one look at each folder.

    Source: Caltech-UCSD Birds 200 (Welinder et al., 2010; Wah et al., 2011), for research.

    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("001.Black_footed_Albatross", "101.White_Pelican"):
    ...     (root / "images" / name).mkdir(parents=True)
    ...     Image.new("RGB", (9, 9)).save(root / "images" / name / "one.jpg")
    >>> birds = rb.datasets.cub(root, "test")
    >>> birds.table["name"].tolist(), birds.labels.tolist()
    (['White Pelican'], [100])
    """
    check_choice("split", split, get_args(Split)), check_choice("what", what, get_args(What))
    root = check_folder(root, "CUB_200_2011", _WHERE)
    if what == "features":
        data = _of_features(root)
    elif (root / "images").is_dir():
        data = image_folder(root / "images", size=size, transform=transform, on_error=on_error)
    else:
        raise NotADirectoryError(f"root must hold the folder images, but {root} does not; {_WHERE}")
    numbers = _numbers(data.table["class"], root)
    names = [name.partition(".")[2].replace("_", " ") for name in data.table["class"]]
    data = replace(data, labels=numbers, levels=None, table=data.table.assign(name=names))
    if split == "all":
        return data
    rows = numbers < SEEN if split == "train" else numbers >= SEEN
    if not rows.any():
        raise ValueError(
            f"root must hold species {'1 to 100' if split == 'train' else '101 to 200'} for the split {split!r}, {root} has none"
        )
    return data[rows]


def _of_features(root: Path) -> Samples:
    import pandas as pd

    files, features = ready_features(root)
    table = pd.DataFrame({"file": files, "class": [file.rpartition("/")[0] for file in files]})
    return Samples(features, torch.zeros(len(files), dtype=torch.int64), table=table)


def _numbers(classes: Sequence[str], root: Path) -> Tensor:
    """001.Black_footed_Albatross -> 0."""
    found = {name: re.fullmatch(r"(\d{3})\.[^/]+", name) for name in dict.fromkeys(classes)}
    for name, number in found.items():
        if number is None or not 1 <= int(number[1]) <= 2 * SEEN:
            raise ValueError(
                f"root must hold classes named by number and species, such as 001.Black_footed_Albatross, got {name!r} in {root}; {_WHERE}"
            )
    return torch.tensor([int(found[name][1]) - 1 for name in classes])
