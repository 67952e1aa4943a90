"""What there is before any training: the features of each set of the retrieval study, compared by the cosine.

    python -m rankbook.experiments untrained                          # the bundled set; seconds
    python -m rankbook.experiments untrained --data cub --root DIR

No seed and nothing to tune, so it is no contender; its lines stand in a table of their own, ``untrained.csv``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
from torch import Tensor, nn

from rankbook.experiments.studies.retrieval import STUDY
from rankbook.experiments.study import Study
from rankbook.experiments.tables import data_folder, stored_table, write_table

NAME = "untrained"


class Cosine(nn.Module):
    """Features on the unit sphere, and nothing else."""

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.normalize(features, dim=-1)


def write(study: Study = STUDY, folder: str | os.PathLike[str] | None = None) -> Path:
    """Measure on the test split of a study's set, beside the lines of the other sets, and return the path of the table."""
    path = data_folder("results", folder) / f"{NAME}.csv"
    command = study.command.replace(study.name, NAME)
    write_table(pd.DataFrame([{"data": study.data, **study.task.measure(Cosine(), "test"), "command": command}]), path, part="data")
    return path


def untrained(data: str) -> dict[str, float]:
    """The stored metrics of a set.

    >>> from rankbook.experiments.untrained import untrained
    >>> round(untrained("emoji")["R@1"], 3)
    0.398
    """
    table = stored_table(NAME).set_index("data")
    return {metric: float(table.loc[data, metric]) for metric in STUDY.task.metrics}
