"""Fashion-MNIST as its authors give it: 70,000 small gray pictures of ten kinds of clothes, in four idx files."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from rankbook.checks import check_choice
from rankbook.datasets.layout import check_folder
from rankbook.datasets.samples import Samples

KINDS = ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
_FILES = {"train": "train", "test": "t10k"}
_SOURCE = (
    "Fashion-MNIST is the Debian package dataset-fashion-mnist, which puts it into /usr/share/datasets/fashion-mnist; its authors have it "
    "at github.com/zalandoresearch/fashion-mnist"
)


def fashion_mnist(root: str | os.PathLike[str], split: Literal["train", "test"] = "train") -> Samples:
    """Fashion-MNIST: gray pictures of clothes, 28 pixels a side; the same ten classes in both splits.

    Args:
        root: the folder with ``train-images-idx3-ubyte.gz``, ``train-labels-idx1-ubyte.gz`` and the two of ``t10k``, packed or not.
        split: ``"train"``, 60,000 pictures, or ``"test"``, 10,000.

    Returns: `Samples`. Inputs uint8 ``[n, 3, 28, 28]``, three equal channels that share their memory. Labels from 0 to 9; the table has
    ``kind``, their names.

    Raises:
        NotADirectoryError, FileNotFoundError: the folder or a file is missing; the message says where to get it.
        ValueError: a damaged file, another format, as many labels as there are not pictures, a label above 9.

    Cost: half a second, and 47 MB for the training split.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms" (2017); MIT
    license.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     pictures = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(2 * 28 * 28)
    ...     _ = pathlib.Path(root, "t10k-images-idx3-ubyte").write_bytes(pictures)
    ...     _ = pathlib.Path(root, "t10k-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 9, 0]))
    ...     data = rb.datasets.fashion_mnist(root, "test")
    >>> data, data.table["kind"].tolist()
    (Samples(2 of 2 classes, inputs uint8 [2, 3, 28, 28], 1 level), ['boot', 't-shirt'])
    """
    import pandas as pd

    name = _FILES[check_choice("split", split, tuple(_FILES))]
    root = check_folder(root, "fashion-mnist", _SOURCE)
    pictures, path = _read(root, f"{name}-images-idx3-ubyte", (None, 28, 28))
    labels, where = _read(root, f"{name}-labels-idx1-ubyte", (None,))
    if len(labels) != len(pictures):
        raise ValueError(f"{path} has {len(pictures)} pictures and {where} has {len(labels)} labels; fetch both anew: {_SOURCE}")
    if labels.max(initial=0) >= len(KINDS):
        raise ValueError(f"labels must be from 0 to {len(KINDS) - 1}, got {labels.max()} in {where}; fetch it anew: {_SOURCE}")
    table = pd.DataFrame({"kind": np.array(KINDS)[labels]})
    return Samples(torch.from_numpy(pictures)[:, None].expand(-1, 3, -1, -1), torch.from_numpy(labels).long(), table=table)


def _read(root: Path, name: str, shape: tuple[int | None, ...]) -> tuple[np.ndarray, Path]:
    """The bytes of an idx file, packed or not, in its shape; None in ``shape`` is any size."""
    path = next((one for one in (root / f"{name}.gz", root / name) if one.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"root must hold {name}.gz, but {root} does not; {_SOURCE}")
    damaged = f"{path} is damaged or no idx file of this set"
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{damaged}: {error}; fetch it anew: {_SOURCE}") from error
    start = 4 * (1 + len(shape))
    sizes = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    fits = all(wanted in (None, size) for wanted, size in zip(shape, sizes, strict=True))
    if content[:4] != bytes([0, 0, 8, len(shape)]) or not fits or len(content) != start + math.prod(sizes) or not sizes[0]:
        raise ValueError(f"{damaged}: {len(content)} bytes that say {content[:start].hex()}; fetch it anew: {_SOURCE}")
    return np.frombuffer(bytearray(content), np.uint8, offset=start).reshape(sizes), path
