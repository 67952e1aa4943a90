"""The Grocery Store set: photographs of fruit, vegetables and packages on the shelves, with a label tree."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from rankbook.checks import check_choice
from rankbook.datasets.folder import ImageFiles, readable
from rankbook.datasets.layout import check_file, check_folder, rows
from rankbook.datasets.ready_features import What, features_of
from rankbook.datasets.samples import Samples

Split = Literal["train", "validation", "test", "all"]

_LISTS = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}
_WHERE = "get the public repository marcusklasson/GroceryStoreDataset (MIT license), and name the folder that holds train.txt"


def grocery(
    root: str | os.PathLike[str],
    split: Split = "all",
    what: What = "images",
    *,
    size: int = 224,
    transform: Callable[[Any], Tensor] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> Samples:
    """The Grocery Store set, 5,421 photographs of 81 products, from your copy; the official lists say which belong to which split.

    The levels are product (81), coarse product (43) and kind (fruit, packages, vegetables), numbered as in ``classes.csv``. The
    table has ``file``, the path as the lists have it, ``class``, ``coarse``, ``kind`` and ``split``.

    **All splits have the same products, and photographs come in sequences** of one shelf: an item's nearest neighbor within a split is
    mostly the next picture of the same apples. So let the queries come from one split and the gallery from another.

    Args:
        root: the folder that holds ``train.txt``, ``val.txt``, ``test.txt`` and ``classes.csv``, or the clone around it (``dataset``).
        split: ``"train"``, ``"validation"``, ``"test"`` or ``"all"``.
        what: ``"images"``, read when they are asked for, from ``root/train/...`` or ``root/images/train/...``; or ``"features"``,
            float32 ``[n, d]`` that lie in ``root/features_lite0.npz`` (``image``, the paths of the lists, and ``X``), for which the
            pictures need not be there.
        size, transform, on_error: of the pictures, as of `image_folder`; ``"skip"`` leaves out those that are missing or damaged.

    Raises:
        OSError: no such folder, no list, no file of features.
        ValueError: a line of a list that is none, a class that ``classes.csv`` lacks, a picture that is missing or damaged; damaged
            features. The message names file and line.

    Cost: one look at each file of the split; ``"skip"`` reads and decodes each picture.

    Source: A Hierarchical Grocery Store Image Dataset with Visual and Semantic Labels (Klasson et al., WACV 2019).

    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> file = root / "train/Fruit/Apple/Golden-Delicious/one.jpg"
    >>> file.parent.mkdir(parents=True)
    >>> Image.new("RGB", (9, 9)).save(file)
    >>> _ = (root / "train.txt").write_text("train/Fruit/Apple/Golden-Delicious/one.jpg, 0, 0")
    >>> _ = (root / "val.txt").write_text(""), (root / "test.txt").write_text("")
    >>> _ = (root / "classes.csv").write_text("Class Name,Class ID,Coarse Class Name,Coarse Class ID\\nGolden-Delicious,0,Apple,0\\n")
    >>> rb.datasets.grocery(root, "train").table[["class", "coarse", "kind"]].values.tolist()
    [['Golden-Delicious', 'Apple', 'Fruit']]
    """
    import pandas as pd

    check_choice("split", split, get_args(Split)), check_choice("what", what, get_args(What))
    root = _home(check_folder(root, "GroceryStoreDataset/dataset", _WHERE))
    lines = [line for name, file in _LISTS.items() for line in _lines(root, name, file)]
    fine, coarse = _names(root)
    for line in lines:
        if line.fine not in fine or line.coarse not in coarse:
            raise ValueError(f"{line.place} names class {line.fine} of {line.coarse}, which {root / 'classes.csv'} lacks; get both anew")
    kinds = sorted({line.kind for line in lines})
    lines = [line for line in lines if split in ("all", line.split)]
    if not lines:
        raise ValueError(f"{root / _LISTS[split]} must list pictures, but lists none; {_WHERE}")
    levels = torch.tensor([[line.fine, line.coarse, kinds.index(line.kind)] for line in lines])
    table = pd.DataFrame(
        {
            "file": [line.file for line in lines],
            "class": [fine[line.fine] for line in lines],
            "coarse": [coarse[line.coarse] for line in lines],
            "kind": [line.kind for line in lines],
            "split": [line.split for line in lines],
        }
    )
    if what == "features":
        return Samples(features_of(table["file"], root), levels[:, 0].clone(), levels, table)
    home = root / "images" if (root / "images").is_dir() else root
    images = ImageFiles(home, [Path(line.file) for line in lines], size=size, transform=transform)
    check_choice("on_error", on_error, ("raise", "skip"))
    if on_error == "skip":
        rows = readable(images)
        images, levels, table = images.subset(rows), levels[torch.tensor(rows)], table.iloc[rows].reset_index(drop=True)
    elif absent := [line for line in lines if not (home / line.file).is_file()]:
        raise ValueError(
            f"{absent[0].place} names {home / absent[0].file}, which is missing (and {len(absent) - 1} others are); {_WHERE}, or call "
            'grocery(..., on_error="skip")'
        )
    return Samples(images, levels[:, 0].clone(), levels, table)


class _Line(NamedTuple):
    """A line of a list, and where it stands."""

    place: str
    file: str
    fine: int
    coarse: int
    kind: str
    split: str


def _home(root: Path) -> Path:
    home = root / "dataset" if (root / "dataset" / "train.txt").is_file() else root
    for name in (*_LISTS.values(), "classes.csv"):
        check_file(home, name, _WHERE)
    return home


def _lines(root: Path, split: str, name: str) -> list[_Line]:
    """``train/Fruit/Apple/Golden-Delicious/FILE.jpg, 0, 0``: file, product, coarse product."""
    found = []
    for number, text in rows(root / name):
        place, parts = f"line {number} of {root / name}", [part.strip() for part in text.rsplit(",", 2)]
        folders = parts[0].split("/")
        if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()) or len(folders) < 3 or ".." in folders:
            raise ValueError(f"{place} must be split/kind/.../file, class, coarse class, got {text!r}; get the lists anew")
        found.append(_Line(place, parts[0], int(parts[1]), int(parts[2]), folders[1], split))
    return found


def _names(root: Path) -> tuple[dict[int, str], dict[int, str]]:
    """Number -> name, of products and of coarse products."""
    fine, coarse = {}, {}
    path = root / "classes.csv"
    for number, text in rows(path)[1:]:
        row = next(csv.reader([text]))
        try:
            fine[int(row[1])], coarse[int(row[3])] = row[0], row[2]
        except (IndexError, ValueError) as error:
            raise ValueError(f"line {number} of {path} must be class, its number, coarse class, its number, got {row}") from error
    return fine, coarse
