"""What every experiment shares: a grid, a table that grows row by row and survives a kill, and intervals over seeds."""

from __future__ import annotations

import argparse
import itertools
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from tqdm.auto import tqdm

from rankbook.archive import asset

#: The stored tables.
RESULTS = asset("results")


def grid(**knobs: Sequence[Any]) -> list[dict[str, Any]]:
    """Every combination of the knobs.

    >>> from rankbook.experiments.protocol import grid
    >>> grid(tau=[0.01, 0.1], lr=[0.001])
    [{'tau': 0.01, 'lr': 0.001}, {'tau': 0.1, 'lr': 0.001}]
    """
    return [dict(zip(knobs, values, strict=True)) for values in itertools.product(*knobs.values())]


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: sums in a fixed order, so that a run can be repeated; the setting is restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def complete(path: Path, wanted: Iterable[Mapping[str, Any]], run: Callable[..., Mapping[str, float]], *, command: str) -> pd.DataFrame:
    """Run what the table at ``path`` lacks: ``run(**row) -> results``, a line for each, written at once.

    Args:
        path: a CSV file; it may not exist yet. It is written to a temporary file and renamed, so a kill loses one run at most.
        wanted: the configurations; a line that has the same values counts as done.
        run: configuration -> results; they become one line together with the versions and the command.
        command: what the reader types to make this table.

    Returns: the lines of ``wanted``, in their order, as stored; others are dropped.
    """
    wanted = [dict(row) for row in wanted]
    lines = pd.read_csv(path).to_dict("records") if path.exists() else []
    versions = {"torch": torch.__version__.partition("+")[0], "python": platform.python_version(), "command": command}
    for row in tqdm([row for row in wanted if _find(lines, row) is None], desc=path.stem, unit="run"):
        lines.append(row | dict(run(**row)) | versions)
        write_csv(pd.DataFrame(lines), path)
    write_csv(pd.DataFrame([_find(lines, row) for row in wanted]), path)
    return pd.read_csv(path)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Six significant digits, to a temporary file that is then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    os.replace(temporary, path)


def summary(table: pd.DataFrame, metrics: Sequence[str], *, by: str = "loss", level: float = 0.95) -> pd.DataFrame:
    """Mean and t-interval over the lines (seeds) of each group, one line for each (group, metric)."""
    return pd.DataFrame(
        {by: name, "metric": metric} | interval(group[metric], level=level)
        for name, group in table.groupby(by, sort=False)
        for metric in metrics
    )


def paired_differences(
    table: pd.DataFrame, metrics: Sequence[str], *, reference: str, by: str = "loss", unit: str = "seed", level: float = 0.95
) -> pd.DataFrame:
    """Each group minus the reference, seed by seed: what the seeds share (batches, first weights) cancels.

    Returns: one line for each (group, metric) with the mean difference and its t-interval; if it excludes 0, the difference
    is real at that level for one comparison.
    """
    lines = []
    for metric in metrics:
        wide = table.pivot(index=unit, columns=by, values=metric)
        if reference not in wide or wide.isna().any(axis=None):
            raise ValueError(f"table must have every {unit} of every {by}, {reference!r} among them, exactly once, for {metric!r}")
        for name in wide.columns.drop(reference):
            lines.append({by: name, "minus": reference, "metric": metric} | interval(wide[name] - wide[reference], level=level))
    return pd.DataFrame(lines)


def command_line(doc: str, run: Callable[[Path], pd.DataFrame], metrics: Sequence[str], *, reference: str) -> None:
    """Read where the tables go, run, and print the intervals and the differences from the reference."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where the tables go (default: %(default)s)")
    test = run(parser.parse_args().folder)
    print(summary(test, metrics).round(4).to_string(index=False))
    print(paired_differences(test, metrics, reference=reference).round(4).to_string(index=False))


def interval(values: Sequence[float], *, level: float = 0.95) -> dict[str, float]:
    r"""Mean and Student's interval :math:`\bar{x} \pm t_{n-1} s / \sqrt{n}`."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        raise ValueError(f"values must hold at least two runs for an interval, got {len(values)}")
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return {"mean": values.mean(), "low": values.mean() - half, "high": values.mean() + half, "runs": len(values)}


def _find(lines: list[dict[str, Any]], row: Mapping[str, Any]) -> dict[str, Any] | None:
    return next((line for line in lines if all(line.get(key) == value for key, value in row.items())), None)
