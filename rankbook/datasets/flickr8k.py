"""Flickr8k, in the layout of its authors' archive."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from rankbook.checks import check_choice
from rankbook.datasets.captions import Split, caption_table, names_in, refuse_or_warn
from rankbook.datasets.folder import ImageFiles
from rankbook.datasets.layout import check_file, check_folder, part_of, rows
from rankbook.datasets.ready_features import FILE, What, features_of, ready_features
from rankbook.datasets.samples import Samples

_WHERE = "its authors give the set for research, on request"
_LISTS = {"train": "Flickr_8k.trainImages.txt", "validation": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}
_FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images", ".")  # the first is how the archive spells it


def flickr8k(
    root: str | os.PathLike[str],
    split: Split = "all",
    *,
    what: What | None = None,
    size: int = 224,
    transform: Callable[[Any], Tensor] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> Samples:
    """Flickr8k: some 8,000 photographs with five captions each, in its authors' three lists.

    Row i is a photograph, and each is a class of its own: the labels number the photographs by name, alike in every split. The table
    has ``file``, ``split`` (empty for the photographs that no list names) and ``captions``, a tuple of texts in the order of
    their numbers, empty where there are none; two photographs of the full set have none, and one more has captions but no picture.

    Args:
        root: the folder with ``Flickr8k.token.txt``, the lists ``Flickr_8k.trainImages.txt``, ``devImages``, ``testImages``, and the
            pictures, in a folder ``Flicker8k_Dataset`` or beside them.
        split: ``"train"``, ``"validation"`` (the authors' dev list), ``"test"`` or ``"all"``.
        what: ``"images"``: inputs are `ImageFiles`; ``"features"``: float32 ``[n, d]`` from ``features_lite0.npz`` in root, arrays
            ``image`` (names) and ``X``. None: the images where they are, else the features.
        size, transform: of the images, as in `image_folder`.
        on_error: what a name in a list is whose picture is not there: ``"raise"`` an error, ``"skip"`` left out, with a warning.

    Raises:
        NotADirectoryError, FileNotFoundError: no such folder, or a file that is missing.
        ValueError: a line of another form, a caption number that comes twice, a picture in two lists or not there.

    Cost: the text files, and a look at the folder.

    The set is given for research by its authors on request (Hodosh, Young and Hockenmaier, JAIR 2013); it does not come with rankbook.

    >>> import tempfile, pathlib
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (root / "Flickr8k.token.txt").write_text("a.jpg#0\\tA dog .\\na.jpg#1\\tA wet dog .\\nb.jpg#0\\tA boat .\\n")
    >>> for name, part in (("a.jpg", "train"), ("b.jpg", "test"), ("", "dev")):
    ...     _ = (root / f"Flickr_8k.{part}Images.txt").write_text(name)
    >>> import numpy as np
    >>> np.savez(root / "features_lite0.npz", image=["a.jpg", "b.jpg"], X=np.eye(2))
    >>> data = rb.datasets.flickr8k(root)
    >>> data.table["captions"].tolist(), data.table["split"].tolist()
    ([('A dog .', 'A wet dog .'), ('A boat .',)], ['train', 'test'])
    """
    root = check_folder(root, "flickr8k", _WHERE)
    check_choice("split", split, get_args(Split))
    check_choice("on_error", on_error, ("raise", "skip"))
    captions = _captions(check_file(root, "Flickr8k.token.txt", _WHERE))
    parts = _parts({part: check_file(root, name, _WHERE) for part, name in _LISTS.items()})
    what, files = _inputs(root, what)
    names = sorted(files)
    absent = [name for name in parts if name not in files]
    refuse_or_warn(absent, len(parts), root, on_error)
    table = caption_table((name, parts.get(name, ""), captions.get(name, ())) for name in names)
    if what == "features":
        inputs = features_of(names, root)
    else:
        inputs = ImageFiles(root, [files[name] for name in names], size=size, transform=transform)
    return part_of(split, Samples(inputs, torch.arange(len(names)), None, table))


def _captions(path: Path) -> dict[str, tuple[str, ...]]:
    """Picture -> its captions, by their numbers; a caption without a word is none."""
    said: dict[str, dict[int, str]] = {}
    for _, line in rows(path):
        key, _, caption = line.strip().partition("\t")
        name, _, number = key.partition("#")
        if not name or not number.isdecimal():
            raise ValueError(f"{path} must have lines picture.jpg#0, tab, caption, got {line[:60]!r}; get the file again")
        if int(number) in said.setdefault(name, {}):
            raise ValueError(f"{path} must give each caption once, but {key} comes twice; delete one of the two lines")
        said[name][int(number)] = caption.strip()
    return {name: tuple(text for _, text in sorted(texts.items()) if text) for name, texts in said.items()}


def _parts(lists: dict[str, Path]) -> dict[str, str]:
    """Picture -> its split."""
    parts: dict[str, str] = {}
    for split, path in lists.items():
        for name in (line.strip() for _, line in rows(path)):
            if parts.setdefault(name, split) != split:
                raise ValueError(f"the lists must be disjoint, but {name} is in {lists[parts[name]].name} and in {path.name}; take one out")
    return parts


def _inputs(root: Path, what: What | None) -> tuple[What, dict[str, Path]]:
    """What there is, by the names of the pictures: paths within root."""
    if what is not None:
        check_choice("what", what, get_args(What))
    if what != "features":
        for place in _FOLDERS:
            found = {name: Path(place, name) for name in names_in(root / place) if name.lower().endswith((".jpg", ".jpeg"))}
            if found:
                return "images", found
    if what == "images" or (what is None and not (root / FILE).is_file()):
        wanted = "pictures" if what else f"pictures or {FILE}"
        raise FileNotFoundError(f"{wanted} must be in {root}, but there are none; unpack the pictures into {root / _FOLDERS[0]}")
    return "features", {name: Path(name) for name in ready_features(root)[0]}
