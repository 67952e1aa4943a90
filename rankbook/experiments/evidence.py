"""What the studies say of two losses, one line a pair and metric, in one table: what "Which loss?" and the chapters quote.

    python -m rankbook.experiments evidence

writes ``evidence.csv`` beside the tables of the studies, from their test lines; nothing is trained. A new study joins by being there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pandas as pd

from rankbook.experiments.studies import studies
from rankbook.experiments.study import Study
from rankbook.experiments.tables import data_folder, write_table
from rankbook.statistics import paired_differences

NAME = "evidence"
COMMAND = f"python -m rankbook.experiments {NAME}"
COLUMNS = ["study", "data", "loss", "rival", "metric", "mean", "low", "high", "seeds"]


def lines(study: Study, folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Every pair of losses of which one is the study's own: the paired difference of each metric on the test classes.

    Args:
        study: complete, and so is the one that it stands beside.
        folder: of the tables; None: those that come with the package.

    Returns: ``mean`` is loss minus rival, with its 95 % interval over ``seeds`` seeds, for one comparison.

    >>> from rankbook.experiments.evidence import lines
    >>> from rankbook.experiments.studies import studies
    >>> found = lines(studies()["sup_ap"]).query("rival == 'Smooth-AP' and metric == 'AP'")
    >>> found[["loss", "seeds"]].values.tolist()
    [['SupAP', 10]]
    """
    test = study.compared(folder)
    order = [*study.contenders, *(loss for loss in dict.fromkeys(test["loss"]) if loss not in study.contenders)]
    found = []
    for loss, rival in combinations(order, 2):
        if loss not in study.contenders:
            continue  # a pair of the other study, which has its own lines
        pair = paired_differences(test[test["loss"].isin([loss, rival])], study.task.metrics, reference=rival, overlap=study.overlap)
        found.append(pair.rename(columns={"minus": "rival", "runs": "seeds"}))
    whole = pd.concat(found, ignore_index=True)
    return whole.assign(study=study.name, data=study.data)[COLUMNS]


def complete(study: Study, folder: Path) -> bool:
    """Whether the table has all lines of a study on its data set."""
    there, total, _ = study.progress(folder)
    return there == total


def write(folder: str | os.PathLike[str] | None = None, *, of: Iterable[Study] | None = None) -> Path:
    """Write the table of all studies (or those named), whole, and return its path."""
    folder = data_folder("results", folder)
    path = folder / f"{NAME}.csv"
    asked = [one for study in of or studies().values() for one in study.everywhere() if one is study or complete(one, folder)]
    write_table(pd.concat([lines(study, folder) for study in asked], ignore_index=True), path)
    return path
