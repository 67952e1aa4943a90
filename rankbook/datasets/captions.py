"""What readers of pictures with captions share."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rankbook.checks import warn
from rankbook.datasets.layout import shown

if TYPE_CHECKING:
    import pandas as pd

Split = Literal["train", "validation", "test", "all"]


def names_in(folder: Path) -> list[str]:
    """Of a folder that may not be there."""
    return os.listdir(folder) if folder.is_dir() else []


def caption_table(rows: Iterable[tuple[str, str, tuple[str, ...]]]) -> pd.DataFrame:
    """One row for each (file, split, captions)."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=["file", "split", "captions"])


def refuse_or_warn(absent: list[str], total: int, root: Path, on_error: str) -> None:
    """Say which pictures are not there, if any."""
    if not absent:
        return
    said = f"{len(absent)} of {total} pictures are not in {root}: {shown(absent)}"
    if on_error == "raise":
        raise ValueError(f'{said}; put them there, or leave them out: on_error="skip"')
    warn(f"{said}; they are left out")
