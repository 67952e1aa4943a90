"""What readers of public layouts share: files that may be missing, names that may repeat, features that were kept beside a set."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import warn
from rankbook.files import check_path

_SHOWN = 3  # names in a message


def folder(root: str | os.PathLike[str], example: str) -> Path:
    """The folder that the reader of a book names."""
    root = Path(check_path("root", root, example))
    if not root.is_dir():
        raise NotADirectoryError(
            f"root must be a folder, such as {example!r}, got {root}, which is {'a file' if root.exists() else 'missing'}"
        )
    return root


def file(root: Path, name: str, source: str) -> Path:
    """A file of the layout."""
    path = root / name
    if not path.is_file():
        raise FileNotFoundError(f"root must hold {name}, but {root} does not; {source}")
    return path


def rows(path: Path) -> list[tuple[int, str]]:
    """(number, line) of a text file, without line ends, byte-order mark and empty lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8: {error}; save it anew, or fetch it anew") from error
    return [(number, line.strip("\r\n")) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def once(found: dict[str, tuple[int, object]], name: str, number: int, value: object, path: Path) -> bool:
    """Whether a name is new; the same line twice is no matter, two lines that differ are refused."""
    if name not in found:
        found[name] = (number, value)
        return True
    if found[name][1] != value:
        raise ValueError(f"{path} says two things of {name}, in lines {found[name][0]} and {number}; remove the wrong one")
    return False


def share(text: str, what: str, path: Path, number: int) -> float:
    """A score from 0 to 1; NaN where nothing stands."""
    if not text.strip():
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"{what} must be a number from 0 to 1, or empty, got {text!r} in line {number} of {path}")
    return value


def shown(names: Sequence[str]) -> str:
    """The first names of a list, and how many more."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def arrays(path: Path, *wanted: str) -> list[np.ndarray]:
    """Arrays of an npz file; nothing is unpickled. ``"a|b"`` is the first of two names that is there."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:  # numpy leaves a damaged file open
            names = [next((one for one in want.split("|") if one in stored.files), None) for want in wanted]
            if None in names:
                raise ValueError(f"it holds {', '.join(stored.files)}")
            return [stored[name] for name in names]
    except Exception as error:  # a file that is cut, an array of objects, another format
        raise ValueError(f"{path} must be an npz file with {', '.join(want.replace('|', ' or ') for want in wanted)}: {error}") from error


def stored_features(path: Path, names: Sequence[str]) -> tuple[Tensor, np.ndarray]:
    """Features ``[m, d]``, float32, of those samples that the file has, and whether it has each; the others are named in a warning."""
    known, x = arrays(path, "image|video|name", "X")
    if x.ndim != 2 or len(x) != len(known):
        raise ValueError(f"{path} must have features X [m, d] of its m names, got {x.shape} of {len(known)}")
    if not np.isfinite(x).all():
        raise ValueError(f"{path} must have finite features, got {x[~np.isfinite(x)][0]} of {known[~np.isfinite(x).all(1)][0]}")
    place = {str(name): row for row, name in enumerate(known)}
    if len(place) != len(known):
        raise ValueError(f"{path} must have each name once, got {len(known)} names of which {len(place)} differ")
    has = np.array([name in place for name in names])
    absent = [name for name in names if name not in place]
    if len(absent) == len(names):
        raise ValueError(
            f"{path} must have features of these samples, such as {names[0]}, but it knows none, only names such as {known[0]}"
        )
    if absent:
        warn(f"{len(absent)} of {len(names)} samples have no features in {path} and are left out: {shown(absent)}")
    return torch.from_numpy(x[[place[name] for name in names if name in place]].astype(np.float32)), has
