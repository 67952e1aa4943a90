"""COCO with captions, in the split that retrieval papers use."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from rankbook.checks import check_choice
from rankbook.datasets.captions import Split, caption_table, names_in, refuse_or_warn
from rankbook.datasets.folder import ImageFiles
from rankbook.datasets.layout import check_file, check_folder, part_of
from rankbook.datasets.samples import Samples

_WHERE = "pictures and captions are at cocodataset.org; the split is the one that Karpathy and Fei-Fei published"
_SPLITS = {"train": "train", "restval": "train", "val": "validation", "test": "test"}


def coco_captions(
    root: str | os.PathLike[str],
    split: Split = "all",
    *,
    size: int = 224,
    transform: Callable[[Any], Tensor] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> Samples:
    """COCO with five captions or a few more a photograph, in the split of Karpathy and Fei-Fei (CVPR 2015).

    Row i is a photograph, and each is a class of its own: the labels number the photographs in the order of the file, alike in every
    split. The table has ``file``, ``split``, ``captions`` (a tuple; papers take the first five) and ``part``, the name of the split in
    the file: ``"train"`` holds the 82,783 of ``train`` and the 30,504 of ``restval``, as retrieval papers train.

    Args:
        root: the folder with ``dataset_coco.json`` and the pictures in ``train2014`` and ``val2014``.
        split: ``"train"``, ``"validation"``, ``"test"`` (5,000 each of the latter two) or ``"all"``.
        size, transform: of the images, as in `image_folder`.
        on_error: what a photograph of the file is that is not there: ``"raise"`` an error, ``"skip"`` left out, with a warning.

    The inputs are `ImageFiles`; `features` computes what an encoder says of them once.

    Raises:
        NotADirectoryError, FileNotFoundError: no such folder, or no ``dataset_coco.json``.
        ValueError: a file of another form, a photograph that comes twice or is not there.

    Cost: one reading of the file (140 MB), and a look at the folders.

    >>> import json, tempfile, pathlib
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> (root / "val2014").mkdir()
    >>> (root / "val2014" / "one.jpg").touch()
    >>> one = {"filepath": "val2014", "filename": "one.jpg", "split": "restval", "sentences": [{"raw": "A dog."}]}
    >>> _ = (root / "dataset_coco.json").write_text(json.dumps({"images": [one]}))
    >>> rb.datasets.coco_captions(root).table.iloc[0].to_dict()
    {'file': 'val2014/one.jpg', 'split': 'train', 'captions': ('A dog.',), 'part': 'restval'}
    """
    root = check_folder(root, "coco", _WHERE)
    check_choice("split", split, get_args(Split))
    check_choice("on_error", on_error, ("raise", "skip"))
    path = check_file(root, "dataset_coco.json", _WHERE)
    try:
        images = json.loads(path.read_text(encoding="utf-8-sig"))["images"]
        rows = [
            (
                f"{one.get('filepath', '.')}/{one['filename']}",
                str(one["split"]),
                tuple(str(said["raw"]).strip() for said in one["sentences"]),
            )
            for one in images
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must be the file of the Karpathy split, images with filename, split and sentences, but it is not: "
            f"{type(error).__name__} {error}; get it again"
        ) from error
    twice = _first_twice(name for name, _, _ in rows)
    if twice is not None:
        raise ValueError(f"{path} must name each photograph once, but {twice} comes twice; get the file again")
    if other := sorted({part for _, part, _ in rows} - set(_SPLITS)):
        raise ValueError(f"{path} must have the splits {', '.join(_SPLITS)}, got {other[0]!r}")
    there = {f"{folder}/{name}" for folder in {Path(name).parent.as_posix() for name, _, _ in rows} for name in names_in(root / folder)}
    refuse_or_warn([name for name, _, _ in rows if name not in there], len(rows), root, on_error)
    kept = [(number, *row) for number, row in enumerate(rows) if row[0] in there]
    table = caption_table((name, _SPLITS[part], said) for _, name, part, said in kept)
    table["part"] = [part for _, _, part, _ in kept]
    inputs = ImageFiles(root, [Path(name) for name in table["file"]], size=size, transform=transform)
    return part_of(split, Samples(inputs, torch.tensor([number for number, *_ in kept], dtype=torch.int64), None, table))


def _first_twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)
