"""PASCAL VOC 2007 and 2012 as it is unpacked: photographs, and for each of 20 classes a list that says which show it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from rankbook.checks import check_choice
from rankbook.datasets.folder import ImageFiles, readable
from rankbook.datasets.layout import check_file, check_folder, rows
from rankbook.datasets.samples import Samples

Split = Literal["train", "val", "trainval", "test"]

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
_LISTS, _PICTURES = Path("ImageSets", "Main"), Path("JPEGImages")
_WHERE = "the archives of VOC 2007 (trainval and test are two) and 2012 (no lists of test) are at host.robots.ox.ac.uk/pascal/VOC"
_TOLD = {"1": 1.0, "-1": 0.0, "0": torch.nan}


def voc(
    root: str | os.PathLike[str],
    split: Split = "trainval",
    *,
    size: int = 224,
    transform: Callable[[Any], Tensor] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> Samples:
    """The photographs of a split of PASCAL VOC, each with up to 20 labels.

    The inputs are `ImageFiles`, read when they are asked for. The targets are float32 ``[n, 20]``, in the alphabetical order of the
    classes (``CLASSES`` of this module): 1 where the photograph shows the class, 0 where not, and NaN where it shows it only in
    objects marked *difficult*, which the challenge leaves out of its AP: ``where=~targets.isnan()``. The table has ``file``, the
    path within root, and ``image``, the name. There are no classes: each photograph is its own label.

    Args:
        root: the folder ``VOC2007`` or ``VOC2012``, which holds ``ImageSets/Main/CLASS_SPLIT.txt`` and ``JPEGImages``.
        split: ``"train"``, ``"val"``, ``"trainval"`` or ``"test"``. The lists of the test split of 2012 are not public.
        size, transform, on_error: as `image_folder`.

    Raises:
        NotADirectoryError: there is no such folder.
        FileNotFoundError: a list that is missing; the message says where to get it.
        ValueError: a line that is no name and -1, 0 or 1, a photograph that a list names twice, lists that name different
            photographs, a damaged photograph; the message names file and line.

    Cost: 20 lists of a line a photograph; ``"skip"`` reads and decodes each photograph.

    Source: The PASCAL Visual Object Classes Challenge 2007 and 2012; both from host.robots.ox.ac.uk/pascal/VOC.

    >>> import tempfile, pathlib
    >>> from rankbook.datasets.voc import CLASSES
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> (root / "ImageSets" / "Main").mkdir(parents=True)
    >>> for name in CLASSES:
    ...     shown = "1" if name in ("dog", "person") else "-1"
    ...     _ = (root / "ImageSets" / "Main" / f"{name}_val.txt").write_text(f"2008_000001 {shown}\\n2008_000004  0\\n")
    >>> photos = rb.datasets.voc(root, "val")
    >>> photos.table["image"].tolist(), photos.targets.nansum(1).tolist()
    (['2008_000001', '2008_000004'], [2.0, 0.0])
    """
    import pandas as pd

    root = check_folder(root, "VOCdevkit/VOC2007", _WHERE)
    check_choice("split", split, get_args(Split))
    check_choice("on_error", on_error, ("raise", "skip"))
    if not (root / _LISTS).is_dir():
        raise NotADirectoryError(
            f"root must be a folder such as VOCdevkit/VOC2007 that holds {_LISTS.as_posix()}, but {root} holds none{_instead(root)}"
        )
    lists = {name: _read(check_file(root, (_LISTS / f"{name}_{split}.txt").as_posix(), _WHERE)) for name in CLASSES}
    names = [*lists[CLASSES[0]]]
    for name, told in lists.items():
        if odd := sorted(told.keys() ^ lists[CLASSES[0]].keys()):
            raise ValueError(
                f"the lists of {split} must name the same photographs, but {odd[0]} is only in one of {CLASSES[0]}_{split}.txt and "
                f"{name}_{split}.txt of {root / _LISTS} ({len(odd)} such names); unpack them again"
            )
    files = [_PICTURES / f"{name}.jpg" for name in names]
    images = ImageFiles(root, files, size=size, transform=transform)
    targets = torch.tensor([[lists[name][image] for name in CLASSES] for image in names], dtype=torch.float32)
    table = pd.DataFrame({"file": [file.as_posix() for file in files], "image": names})
    data = Samples(images, targets=targets, table=table)
    return data[readable(images)] if on_error == "skip" else data


def _read(path: Path) -> dict[str, float]:
    """Name of a photograph -> 1, 0 or NaN."""
    told: dict[str, float] = {}
    for number, line in rows(path):
        name, _, mark = line.strip().replace("\t", " ").partition(" ")
        if mark.strip() not in _TOLD:
            raise ValueError(f"{path}, line {number} must be a name and -1, 0 or 1, got {line.strip()!r:.60}")
        if name in told:
            raise ValueError(f"{path}, line {number} names {name} for the second time; delete one of the lines")
        told[name] = _TOLD[mark.strip()]
    if not told:
        raise ValueError(f"{path} must name a photograph a line, but it is empty; unpack it again")
    return told


def _instead(root: Path) -> str:
    """Where it is, if the user named a folder above."""
    below = sorted(place.parent.parent for place in root.glob(f"**/{_LISTS.as_posix()}"))
    return f"; name {below[0]}" if below else ""
