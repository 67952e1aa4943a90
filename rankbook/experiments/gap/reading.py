"""What the tables say: the gap of trainings at equal quality, since it goes to 0 as AP goes to 1, whoever trains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

KEYS = ["data", "loss", "batch", "seed"]


def at_equal_ap(table: pd.DataFrame, column: str, level: float | None = None) -> tuple[pd.DataFrame, float]:
    """The value of a column where each training passes the same AP on its training set, between two of its stored stages.

    Args:
        table: lines of ``gap_training`` of one data set, of the trainings that shall be compared, with more than one ``share`` each. Not
            the first weights: from there to a quarter of a training the curve is not straight.
        column: such as ``"gap@128"``.
        level: of ``whole``; None: the middle of the range that every training passes.

    Returns: a line a training with ``value``; and the level.

    Raises:
        ValueError: lines of several sets, or a level that some training does not pass.

    >>> import pandas as pd
    >>> from rankbook.experiments.gap.reading import at_equal_ap
    >>> stages = {"data": "cub", "loss": "a", "batch": 128, "seed": 0, "share": [0.5, 1.0], "whole": [0.6, 0.8], "gap@128": [0.2, 0.1]}
    >>> found, level = at_equal_ap(pd.DataFrame(stages), "gap@128", 0.65)
    >>> found["value"].round(3).tolist()
    [0.175]
    """
    if table["data"].nunique() != 1:
        raise ValueError(f"table must have lines of one data set, got {', '.join(sorted(table['data'].unique())) or 'none'}")
    curves = {which: lines.sort_values("whole") for which, lines in table.groupby(KEYS, dropna=False, sort=False)}
    low, high = max(c["whole"].iloc[0] for c in curves.values()), min(c["whole"].iloc[-1] for c in curves.values())
    level = (low + high) / 2 if level is None else level
    if not low <= level <= high:
        raise ValueError(f"level must be an AP that every training passes, between {low:.3f} and {high:.3f}, got {level:.3f}")
    values = [np.interp(level, curve["whole"], curve[column]) for curve in curves.values()]
    return pd.DataFrame([*curves], columns=KEYS).assign(value=values), level


def named(table: pd.DataFrame, names: Sequence[str] = ("loss", "batch")) -> pd.Series:
    """One name a training, such as ``"Smooth-AP, 128"``: what `rankbook.statistics.paired_differences` groups by.

    >>> import pandas as pd
    >>> from rankbook.experiments.gap.reading import named
    >>> named(pd.DataFrame({"loss": ["SupAP", "SupAP"], "batch": [128, None]})).tolist()
    ['SupAP, 128', 'SupAP, whole']
    """
    loss, batch = (table[name] for name in names)
    return loss + ", " + batch.map(lambda size: "whole" if pd.isna(size) else f"{size:.0f}")
