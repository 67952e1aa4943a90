"""The recipes of the shipped sorters, and the training that turns one into weights, a card and a history."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from rankbook.experiments.runs import one_thread
from rankbook.experiments.tables import write_table
from rankbook.sorters import (
    BiGRUSorter,
    BiLSTMSorter,
    ConvSorter,
    KernelSorter,
    KnotSorter,
    MLPSorter,
    SetTransformerSorter,
    Sorter,
    rank_descent,
    rank_error,
    save_sorter,
    train_sorter,
)
from rankbook.sorters.checkpoints import halved
from rankbook.sorters.synthetic import KINDS, synthetic_kinds
from rankbook.types import RankFn

COMMAND = "python -m rankbook.experiments.sorters"
N = 100
SEED = 0
TEST_SEED = 2026  # of the test lists and of the goals of the descent: no training sees it
TEST_LISTS = 10_000  # as in the paper's table 1


class Recipe(NamedTuple):
    """How a shipped sorter is made."""

    architecture: type[Sorter]
    arguments: dict[str, Any]
    training: dict[str, Any]

    def build(self) -> Sorter:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return self.architecture(**self.arguments)


ANY = (4, N)  # lengths of lists for those that shall sort any number of items
RECIPES = {
    "kernel": Recipe(KernelSorter, {"hidden": 16}, {"steps": 3000, "batch": 32, "lr": 0.01, "guidance": 0.015}),
    "knots": Recipe(KnotSorter, {"knots": 80}, {"steps": 6000, "lr": 0.01}),
    "knots-320": Recipe(KnotSorter, {"knots": 320}, {"steps": 2000, "lr": 0.01}),
    "set-transformer": Recipe(SetTransformerSorter, {"hidden": 64}, {"steps": 8000, "lr": 0.002}),
    "set-transformer-small": Recipe(SetTransformerSorter, {"hidden": 32, "inducing": 8}, {"steps": 12_000, "lr": 0.004, "n": ANY}),
    "lstm": Recipe(BiLSTMSorter, {"n": N, "hidden": 64}, {"steps": 6000, "lr": 0.003}),
    "gru": Recipe(BiGRUSorter, {"hidden": 32, "layers": 2}, {"steps": 7000, "lr": 0.004, "n": ANY}),
    "cnn": Recipe(ConvSorter, {"n": N}, {"steps": 3000, "batch": 32, "lr": 0.002}),
    "mlp": Recipe(MLPSorter, {"n": N, "hidden": 512}, {"steps": 30_000, "lr": 0.001}),
}


def train_recipe(name: str, data: Path, *, resume: Path) -> None:
    """Train one recipe; write its weights and card to ``data/sorters/NAME``, its history to ``data/results/sorters_training.csv``.

    Args:
        name: of a recipe.
        data: the folder.
        resume: the folder of the checkpoint while it trains: a killed run goes on from there.
    """
    recipe, folder = RECIPES[name], data / "sorters" / name
    with one_thread():
        sorter = recipe.build()
        every = max(1, recipe.training["steps"] // 16)
        history = train_sorter(sorter, **recipe.training, seed=SEED, every=every, checkpoint=resume / f"{name}.pt")
        halved(sorter)  # what is measured now is what the file will hold
        error = error_by_kind(sorter)
        save_sorter(
            sorter,
            folder,
            recipe.arguments,
            n=sorter.length or "any",
            training={"n": N, "batch": 64, "guidance": 0.0, "mixture": "code", "seed": SEED} | recipe.training,
            cpu_seconds=round(history["cpu_seconds"].iloc[-1]),
            error=round(error.pop("all"), 6),
            error_by_kind={kind: round(value, 6) for kind, value in error.items()},
            descent=round(rank_descent(sorter, n=N, seed=TEST_SEED), 4),
            torch=torch.__version__.partition("+")[0],
            command=f"{COMMAND} train {name}",
        )
    (resume / f"{name}.pt").unlink()  # else the next training would be this one
    write_table(history.assign(sorter=name), data / "results" / "sorters_training.csv", part="sorter")


def error_by_kind(ranker: RankFn) -> dict[str, float]:
    """`rank_error` on the test lists: the mean under "all", then for each kind of list."""
    scores, kinds = synthetic_kinds(N, TEST_LISTS, generator=torch.Generator().manual_seed(TEST_SEED))
    table = pd.DataFrame({"kind": [KINDS[kind] for kind in kinds], "error": rank_error(ranker, scores).double().numpy()})
    by_kind = table.groupby("kind")["error"].mean()
    return {"all": table["error"].mean()} | {kind: by_kind[kind] for kind in dict.fromkeys(KINDS)}
