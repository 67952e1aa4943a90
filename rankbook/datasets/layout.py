"""What readers of public layouts share: folders and files that may be missing, lines, names that may repeat, stored arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rankbook.files import check_path

if TYPE_CHECKING:
    from rankbook.datasets.samples import Samples

_SHOWN = 5  # names in a message


def check_folder(root: str | os.PathLike[str], example: str, source: str) -> Path:
    """The folder that the reader of a book names; ``source`` says what it is and where it comes from."""
    root = Path(check_path("root", root, example))
    if not root.is_dir():
        what = "a file" if root.exists() else "missing"
        raise NotADirectoryError(f"root must be a folder, such as {example!r}, got {root}, which is {what}; {source}")
    return root


def check_file(root: Path, name: str, source: str) -> Path:
    """A file of the layout."""
    path = root / name
    if not path.is_file():
        raise FileNotFoundError(f"root must hold {name}, but {root} does not; {source}")
    return path


def rows(path: Path, encoding: str = "utf-8-sig") -> list[tuple[int, str]]:
    """(number, line) of a text file, without line ends, byte-order mark and empty lines."""
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8: {error}; save it anew, or fetch it anew") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


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


def part_of(split: str, data: Samples) -> Samples:
    """The samples of a split, by the column ``split`` of their table; "all" is all."""
    return data if split == "all" else data[data.table["split"] == split]


def shown(names: Sequence[str]) -> str:
    """The first names of a list, and how many more."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def arrays(path: Path, *wanted: str) -> list[np.ndarray]:
    """Arrays of an npz file; nothing is unpickled. ``"a|b"`` is the first of two names that is there."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:  # a path that is damaged stays open
            found = {want: next((stored[name] for name in want.split("|") if name in stored.files), None) for want in wanted}
            held = ", ".join(stored.files)
    except Exception as error:  # what a cut or changed archive raises is of many kinds
        raise ValueError(f"{path} is damaged: {error}; fetch or compute it anew") from error
    if any(value is None for value in found.values()):
        names = ", ".join(want.replace("|", " or ") for want in wanted)
        raise ValueError(f"{path} must hold the arrays {names}, but it holds {held}")
    return list(found.values())
