"""What some runs tell about all runs: means with their intervals, and differences that are paired by seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from rankbook.checks import check_instance, check_number


def interval(values: Sequence[float], *, level: float = 0.95, overlap: float = 0.0) -> dict[str, float]:
    r"""Mean and Student's interval :math:`\bar{x} \pm t_{n-1} s \sqrt{1 / n + o}`.

    Args:
        values: ``[n]``, one number a run; at least two.
        level: share of such intervals that hold the true mean; a larger one makes the interval wider.
        overlap: :math:`o`, 0 for runs that are independent. Runs that draw their training and test items from the same items are not:
            test items over training items, the correction of Nadeau and Bengio, "Inference for the generalization error" (Machine
            Learning, 2003). A larger one makes the interval wider, and no number of runs makes it narrow.

    Returns: ``mean``, ``low``, ``high``, and ``runs``, the number of values.

    Raises:
        ValueError: fewer than two values, a value that is NaN or infinite, a level outside of (0, 1), an overlap below 0.
        TypeError: values that are no numbers.

    The interval is exact for normal values and good for means of many. It covers what differed between the runs, nothing else.

    >>> from rankbook.statistics import interval
    >>> found = interval([0.5, 0.6, 0.7])
    >>> [round(float(found[key]), 3) for key in ("mean", "low", "high")]
    [0.6, 0.352, 0.848]
    """
    values, level = _numbers("values", values), _level(level)
    if len(values) < 2:
        raise ValueError(f"values must hold at least two runs for an interval, got {len(values)}")
    overlap = check_number("overlap", overlap, at_least=0)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) * (1 / len(values) + overlap) ** 0.5
    return {"mean": values.mean(), "low": values.mean() - half, "high": values.mean() + half, "runs": len(values)}


def summary(table: pd.DataFrame, metrics: Sequence[str], *, by: str = "loss", level: float = 0.95) -> pd.DataFrame:
    """Mean and `interval` over the lines (seeds) of each group, one line for each (group, metric).

    Args:
        table: a line a run, with a column for each metric.
        metrics: the columns to summarize.
        by: the column that names the group.
        level: of the intervals.

    Raises:
        ValueError: a column that is not there; a group of one line; a value that is NaN or infinite.

    >>> import pandas as pd
    >>> from rankbook.statistics import summary
    >>> runs = pd.DataFrame({"loss": ["a", "a", "b", "b"], "AP": [0.5, 0.7, 0.6, 0.6]})
    >>> summary(runs, ["AP"])["mean"].tolist()
    [0.6, 0.6]
    """
    _check_columns(table, [by, *_names("metrics", metrics)])
    lines = []
    for name, group in table.groupby(by, sort=False):
        if len(group) < 2:
            raise ValueError(f"table must have at least two lines of each {by}, got one of {name!r}")
        lines += [{by: name, "metric": metric} | interval(group[metric], level=level) for metric in metrics]
    return pd.DataFrame(lines)


def paired_differences(
    table: pd.DataFrame,
    metrics: Sequence[str],
    *,
    reference: str,
    by: str = "loss",
    unit: str = "seed",
    level: float = 0.95,
    overlap: float = 0.0,
) -> pd.DataFrame:
    """Each group minus the reference, seed by seed: what the seeds share (batches, first weights) cancels.

    Args:
        table: a line for each (group, unit), with a column for each metric.
        metrics: the columns to compare.
        reference: the group that is subtracted from each other one.
        by, unit: the columns that name the group and what pairs its lines.
        level: of the intervals, for one comparison; for m of them that shall hold together, ``1 - 0.05 / m`` (Bonferroni).
        overlap: of the runs, see `interval`.

    Returns: one line for each (group, metric) with the mean difference and its `interval`; if it excludes 0, the difference
    is real at that level for one comparison.

    Raises:
        ValueError: a column, the reference or a partner that is not there; two lines of one (group, unit).

    >>> import pandas as pd
    >>> from rankbook.statistics import paired_differences
    >>> runs = pd.DataFrame({"loss": ["a", "a", "b", "b"], "seed": [0, 1, 0, 1], "AP": [0.50, 0.70, 0.52, 0.71]})
    >>> paired_differences(runs, ["AP"], reference="a")[["loss", "minus", "mean"]].round(3).values.tolist()
    [['b', 'a', 0.015]]
    """
    _check_columns(table, [by, unit, *_names("metrics", metrics)])
    counts = table.groupby([by, unit], dropna=False).size()
    complete = (counts == 1).all() and len(counts) == table[by].nunique() * table[unit].nunique()
    if reference not in table[by].values or not complete:
        raise ValueError(f"table must have every {unit} of every {by}, {reference!r} among them, exactly once")
    if table[by].nunique() < 2:
        raise ValueError(f"table must have another {by} to compare with {reference!r}")
    lines = []
    for metric in metrics:
        wide = table.pivot(index=unit, columns=by, values=metric)
        for name in wide.columns.drop(reference):
            lines.append(
                {by: name, "minus": reference, "metric": metric} | interval(wide[name] - wide[reference], level=level, overlap=overlap)
            )
    return pd.DataFrame(lines)


def _numbers(name: str, values: Sequence[float]) -> np.ndarray:
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be numbers, got {type(values).__name__}: {error}") from error
    if array.ndim != 1:
        raise ValueError(f"{name} must be one list of numbers, got shape {array.shape}")
    if not np.isfinite(array).all():
        at = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite, got {array[at]} at {at}; a run that failed has no place in a mean")
    return array


def _level(level: float) -> float:
    if not check_number("level", level, above=0) < 1:
        raise ValueError(f"level must be below 1, got {level}")
    return float(level)


def _names(name: str, names: Sequence[str]) -> Sequence[str]:
    if isinstance(names, str) or not names or not all(isinstance(one, str) for one in names):
        raise ValueError(f"{name} must be a sequence of column names, at least one, such as ['AP'], got {names!r}")
    return names


def _check_columns(table: pd.DataFrame, columns: Sequence[str]) -> None:
    check_instance("table", table, pd.DataFrame, "pandas.read_csv(path)")
    if missing := [column for column in columns if column not in table]:
        raise ValueError(f"table must have the column {missing[0]!r}, got {', '.join(map(str, table.columns))}")
