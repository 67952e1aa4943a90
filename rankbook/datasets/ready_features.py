"""Features that somebody has computed already, in a file beside the pictures: ``features_lite0.npz`` with ``image`` and ``X``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

FILE = "features_lite0.npz"
What = Literal["images", "features"]


def ready_features(root: Path) -> tuple[list[str], Tensor]:
    """The names of the pictures and float32 ``[n, d]``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is damaged, lacks an array, or its arrays do not fit each other.
    """
    path = root / FILE
    advice = (
        'compute them with rb.datasets.features(encoder, samples) and keep them: np.savez(path, image=samples.table["file"].to_numpy(str), '
        "X=features.inputs.numpy())"
    )
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing, so there are no ready features; {advice}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:  # a path that is damaged stays open
            names, values = held["image"], held["X"]
    except KeyError as error:
        raise ValueError(f"{path} must hold the arrays image [n] and X [n, d]: {error.args[0]}; {advice}") from error
    except Exception as error:  # what a cut or changed archive raises is of many kinds
        raise ValueError(f"{path} is damaged: {error}; {advice}") from error
    if names.ndim != 1 or names.dtype.kind != "U" or values.ndim != 2 or values.dtype.kind != "f" or len(names) != len(values):
        raise ValueError(
            f"{path} must hold names image [n] and numbers X [n, d], got {names.dtype} {names.shape} and {values.dtype} {values.shape}"
        )
    if len(set(names.tolist())) < len(names):
        raise ValueError(f"{path} must name each picture once in image, which names some twice")
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
        raise ValueError(
            f"{root / FILE} has no features of {absent[0]} (nor of {len(absent) - 1} others); compute them, or delete the file"
        )
    return values[[places[file] for file in files]]
