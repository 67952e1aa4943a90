"""Stored tables: where they are, how they are read, and how several writers share one without a loss."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from rankbook.archive import REPOSITORY, asset
from rankbook.files import locked, sha256, write_whole

Line = dict[str, str]

#: The column that holds the configuration of a run, in canonical JSON; see `rankbook.experiments.runs`.
CONFIG = "config"
#: The column that holds a hash of the line, made when the line was: a digit that someone changes later is noticed.
SEAL = "seal"


def stored_table(name: str) -> pd.DataFrame:
    """A table that comes with the package, such as ``"smooth_ap"`` or ``"sorters_front"``.

    Of a table of runs, each entry of the configuration is a column; a loss that lacks a knob has NaN there.

    Raises:
        FileNotFoundError: no such table.

    >>> from rankbook.experiments.tables import stored_table
    >>> test = stored_table("smooth_ap").query("split == 'test' and loss == 'Smooth-AP'")
    >>> len(test), sorted(test["steps"].unique().tolist())
    (10, [800])
    """
    return read_table(stored_path(name))


def stored_path(name: str) -> Path:
    """Where a table that comes with the package is, in a clone and in a wheel."""
    return asset("results") / f"{name}.csv"


def data_folder(part: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Where the command line writes: ``folder``, or ``data/PART`` of a clone. An installed package has none, so it must be named.

    Raises:
        ValueError: no folder is given, and this package was not imported from a clone.
    """
    if folder is not None:
        return Path(folder)
    if not (REPOSITORY / "pyproject.toml").is_file():
        raise ValueError("this rankbook is installed, not a clone with a folder data/; say where to write: --folder FOLDER")
    return REPOSITORY / "data" / part


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table as numbers and words; configurations become columns."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; `python -m rankbook.experiments` lists what makes the tables")
    return typed(read_lines(path))


def typed(lines: list[Line]) -> pd.DataFrame:
    """Lines of text as numbers and words; configurations become columns."""
    if not lines:
        return pd.DataFrame()
    table = pd.read_csv(io.StringIO(_text(lines))).drop(columns=SEAL, errors="ignore")
    if CONFIG not in table:
        return table
    return pd.DataFrame([json.loads(config) for config in table[CONFIG]]).join(table.drop(columns=CONFIG))


def read_lines(path: Path) -> list[Line]:
    """The lines of a table as text, so that what is not touched stays as it is to the last digit; none if there is no file.

    Raises:
        ValueError: a line is cut off, or is not as it was made.
    """
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for number, line in enumerate(lines, start=2):
        if None in line or None in line.values():
            raise ValueError(
                f"{path} is damaged: line {number} does not have as many fields as the header; restore it, or name another folder"
            )
        if line.get(SEAL) and line[SEAL] != _seal(line):
            raise ValueError(f"{path} is damaged: line {number} is not as it was made; restore it, or delete it and make it anew")
    return lines


def write_table(table: pd.DataFrame, path: Path, *, part: str | None = None) -> None:
    """Write a table, six digits a number, whole or not at all.

    Args:
        table: the new lines.
        path: a CSV file; it may exist.
        part: a column; the new lines replace the old ones with the same values in it, the others stay, and it orders the parts.
            None: the new lines replace all.
    """
    new = list(csv.DictReader(io.StringIO(table.to_csv(index=False, float_format="%.6g"))))
    if part is None:
        change_lines(path, lambda old: new)
    else:
        ours = {line[part] for line in new}
        change_lines(path, lambda old: sorted([*(line for line in old if line[part] not in ours), *new], key=lambda line: line[part]))


def change_lines(path: Path, change: Callable[[list[Line]], list[Line]]) -> None:
    """Read, change and write a table while no other process does."""
    with locked(path):
        old = read_lines(path)
        new = [line if line.get(SEAL) else line | {SEAL: _seal(line)} for line in change(old)]
        if new != old:
            write_whole(path, _text(new).encode())


def _seal(line: Line) -> str:
    told = {column: cell for column, cell in line.items() if cell and column != SEAL}
    return sha256(json.dumps(told, sort_keys=True).encode()).removeprefix("sha256:")[:12]


def _text(lines: list[Line]) -> str:
    columns = sorted(dict.fromkeys(column for line in lines for column in line), key=lambda column: column == SEAL)  # the seal last
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()
