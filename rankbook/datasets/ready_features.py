"""Features that somebody has computed already, in an npz file beside the set: the names of the samples, and ``X`` ``[m, d]``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import warn
from rankbook.datasets.layout import arrays, check_file, shown

FILE = "features_lite0.npz"
What = Literal["images", "features"]


def _advice(column: str) -> str:
    """How such a file is made, of samples that a column of their table names."""
    array = "image" if column == "file" else column
    return (
        "compute them, such as with rb.datasets.features(encoder, samples), and keep them: "
        f'np.savez(path, {array}=samples.table["{column}"].to_numpy(str), X=features.inputs.numpy())'
    )


def ready_features(root: Path, name: str = FILE, column: str = "file") -> tuple[list[str], Tensor]:
    """The names of the samples, in an array ``image``, ``video`` or ``name``, and float32 ``[m, d]``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is damaged, lacks an array, or its arrays do not fit each other.
    """
    path = check_file(root, name, _advice(column))
    names, values = arrays(path, "image|video|name", "X")
    if names.ndim != 1 or names.dtype.kind != "U" or values.ndim != 2 or values.dtype.kind != "f" or len(names) != len(values):
        raise ValueError(
            f"{path} must hold names [m] and numbers X [m, d], got {names.dtype} {names.shape} and {values.dtype} {values.shape}"
        )
    if len(set(names.tolist())) < len(names):
        raise ValueError(f"{path} must have each name once, got {len(names)} names of which {len(set(names.tolist()))} differ")
    if not np.isfinite(values).all():
        raise ValueError(f"{path} must hold finite features, but those of {names[~np.isfinite(values).all(1)][0]} are not")
    return [str(name) for name in names], torch.from_numpy(values.astype(np.float32))


def features_of(files: Sequence[str], root: Path) -> Tensor:
    """The rows of these pictures, in their order.

    Raises:
        ValueError: a picture without features.
    """
    names, values = ready_features(root)
    places = {name: row for row, name in enumerate(names)}
    if absent := [file for file in files if file not in places]:
        raise ValueError(f"{root / FILE} has no features of {len(absent)} pictures: {shown(absent)}; compute them, or delete the file")
    return values[[places[file] for file in files]]


def features_where_known(wanted: Sequence[str], root: Path, name: str, column: str) -> tuple[Tensor, np.ndarray]:
    """The rows of those samples that the file has, and whether it has each; the others are named in a warning.

    ``wanted`` are the names in a column of the samples' table.

    Raises:
        ValueError: it has none of them.
    """
    names, values = ready_features(root, name, column)
    places = {name: row for row, name in enumerate(names)}
    absent = [one for one in wanted if one not in places]
    if len(absent) == len(wanted):
        raise ValueError(
            f"{root / name} must have features of these samples, such as {wanted[0]}, but it knows none, only names such as {names[0]}"
        )
    if absent:
        warn(f"{len(absent)} of {len(wanted)} samples have no features in {root / name} and are left out: {shown(absent)}")
    return values[[places[one] for one in wanted if one in places]], np.array([one in places for one in wanted])
