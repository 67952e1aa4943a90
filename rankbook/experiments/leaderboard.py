"""The losses of retrieval on every set under one protocol, a line a loss, set and metric; and a set of yours as further lines.

    python -m rankbook.experiments leaderboard                                     # ours, from the tables of the studies; seconds
    python -m rankbook.experiments leaderboard --data photos --folder mine         # yours: the same losses, tuning and seeds
    python -m rankbook.experiments leaderboard --data cub --root DIR --folder mine

A set of yours is a named one or a folder, see `rankbook.experiments.own_set`. Its runs go into a table in ``--folder``, which is never
ours, and ``leaderboard.csv`` there has our lines and yours. An interrupted command goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from rankbook.experiments import own_set
from rankbook.experiments.evidence import complete
from rankbook.experiments.studies import studies
from rankbook.experiments.study import Study
from rankbook.experiments.tables import data_folder, read_table, stored_path, stored_table, write_table
from rankbook.statistics import paired_differences, summary

NAME = "leaderboard"
COMMAND = f"python -m rankbook.experiments {NAME}"
NETWORKS = tuple(own_set.NETWORKS)
COLUMNS = [
    *("network", "data", "metric", "loss", "mean", "low", "high", "standing"),
    *("best", "behind", "behind_low", "behind_high", "setting", "seeds", "study", "command"),
]


def protocols() -> dict[str, Study]:
    """What is trained -> the study that trains it."""
    return dict(zip(NETWORKS, (studies()["retrieval"], studies()["retrieval_pixels"]), strict=True))


def lines(study: Study, network: str, folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Every loss of a study on its data set, by each metric, the best first.

    Args:
        study: complete.
        network: that it trains, one of `NETWORKS`.
        folder: of the table; None: those that come with the package.

    Returns: ``mean`` over the test seeds with its 95 % interval ``low``, ``high``; ``behind``, the mean paired difference to the loss
        that is ``best`` by this mean, with its interval for one comparison; ``standing``: "best", "tied" (that interval holds 0) or
        "behind"; the ``setting`` that the validation items chose.

    The best loss is picked by the numbers that it is compared by, and there are many comparisons: "behind" by a little is weak
    evidence.

    >>> from rankbook.experiments.leaderboard import lines
    >>> from rankbook.experiments.studies import studies
    >>> found = lines(studies()["smooth_ap"], "head").query("metric == 'mAP@R'")
    >>> found[["loss", "standing"]].head(2).values.tolist()
    [['multi-similarity', 'best'], ['triplet (hard)', 'behind']]
    """
    test, chosen = study.results(folder)[2:]
    found = []
    for metric in study.task.metrics:
        means = summary(test, [metric]).sort_values("mean", ascending=False, kind="stable").rename(columns={"runs": "seeds"})
        best = means["loss"].iloc[0]
        pairs = paired_differences(test, [metric], reference=best, overlap=study.overlap).set_index("loss")
        ends = {"behind": "mean", "behind_low": "low", "behind_high": "high"}
        found.append(means.assign(best=best, **{name: means["loss"].map(pairs[end]) for name, end in ends.items()}))
    table = pd.concat(found, ignore_index=True)
    standing = (table["behind_high"] < 0).map({True: "behind", False: "tied"}).mask(table["loss"] == table["best"], "best")
    setting = {loss: ", ".join(f"{knob} {_told(value)}" for knob, value in one.items()) for loss, one in chosen.items()}
    where = {"network": network, "data": study.data, "study": study.name, "command": study.command}
    return table.assign(standing=standing, setting=table["loss"].map(setting), **where)[COLUMNS]


def write(folder: str | os.PathLike[str] | None = None) -> Path:
    """Write the table of all sets whose runs are complete, whole, and return its path.

    Raises:
        ValueError: there is none.
    """
    folder = data_folder("results", folder)
    found = [lines(one, network, folder) for network, study in protocols().items() for one in study.everywhere() if complete(one, folder)]
    if not found:
        raise ValueError(
            f"{folder} has no complete table of {' or '.join(one.name for one in protocols().values())}; run one of these studies first"
        )
    path = folder / f"{NAME}.csv"
    write_table(pd.concat(found, ignore_index=True), path)
    return path


class OwnStudy(Study):
    """A study of ours on a set of the reader's."""

    @property
    def command(self) -> str:
        return f"{COMMAND} --data {self.data}"


def study_on(data: str, root: Path | None = None, *, network: str | None = None) -> Study:
    """The study of a network on a set: one that it knows, or another of the reader's.

    Args:
        data: a set of the study, or what `rankbook.experiments.own_set.own_task` takes.
        root: the folder of a named set.
        network: one of `NETWORKS`; None: the head where there are features.

    Returns: the same losses, grids, steps and seeds. Whether other numbers of steps serve better is not tried on a set of the reader's.

    Raises:
        ValueError, OSError: no such set, or one that the protocol cannot use.
    """
    study = protocols()[network or "head"]
    if data in {study.data, *study.sets}:
        if data != study.data and root is None:
            raise ValueError(f"{data} does not come with the package; say where it is: --root DIR")
        return study.on(data, root)
    network = network or own_set.own_network(data, root)
    study = protocols()[network]
    own: Mapping[str, Any] = {
        "task": own_set.own_task(data, root, network),
        "data": own_set.own_name(data),
        "sets": {},
        "budgets": (),
    }
    return OwnStudy(**{one.name: getattr(study, one.name) for one in fields(Study)} | own)


def price(study: Study, folder: Path) -> str:
    """How many runs there are, how many are stored, and what the others take by those, or by ours on the bundled set."""
    there, total, seconds = study.progress(folder)
    told = f"{there} of {total} runs are stored"
    if there == total:
        return told
    ours = protocols()[_network(study)]
    source = "" if there else f", by ours on {ours.data}"
    if not there and stored_path(study.name).exists():
        there, _, seconds = ours.progress(stored_path(study.name).parent)
    if not there:
        return f"{told}; none is timed yet"
    return f"{told}; the others take about {seconds / there * (total - study.progress(folder)[0]) / 60:.0f} CPU minutes{source}"


def extend(study: Study, folder: Path, *, jobs: int = 1) -> Path:
    """Run what the reader's table lacks, and write our lines and the reader's into ``folder``.

    Raises:
        ValueError: ``folder`` is where our tables are.
    """
    if folder.resolve() == stored_path(study.name).parent.resolve():
        raise ValueError(f"folder must be one of yours: {folder} holds the tables that come with the package; say --folder FOLDER")
    study.complete(folder, jobs=jobs)
    path, mine = folder / f"{NAME}.csv", lines(study, _network(study), folder)
    others = [] if not stored_path(NAME).exists() else [stored_table(NAME)]
    others += [read_table(path)] if path.exists() else []
    kept = (one[~_same_set(one, mine)] for one in others)
    write_table(pd.concat([*kept, mine], ignore_index=True).drop_duplicates(["network", "data", "metric", "loss"], keep="last"), path)
    return path


def report(path: Path, study: Study) -> str:
    """Means and standing on the study's set by the metric that chose, the best first."""
    table = read_table(path)
    mine = table[(table["data"] == study.data) & (table["metric"] == study.choose_by) & (table["study"] == study.name)]
    return mine[["loss", "mean", "low", "high", "standing", "setting"]].round(4).to_string(index=False)


def _network(study: Study) -> str:
    return next(network for network, one in protocols().items() if one.name == study.name)


def _same_set(table: pd.DataFrame, mine: pd.DataFrame) -> pd.Series:
    return (table["network"] == mine["network"].iloc[0]) & (table["data"] == mine["data"].iloc[0])


def _told(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
