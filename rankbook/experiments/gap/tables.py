"""The three tables: which lines there are, and what makes one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from rankbook.experiments.gap.draws import draw
from rankbook.experiments.gap.gradients import BANK, DRAWN, STALE, measure_gradients
from rankbook.experiments.gap.measures import ap_of_each, dealt, gap_on, violations, with_bounds
from rankbook.experiments.gap.training import SHARES, Training, first_weights, head_of, shape, trained
from rankbook.experiments.runs import fill, found
from rankbook.experiments.tables import data_folder, stored_path

COMMAND = "python -m rankbook.experiments.gap"
FIRST = "first weights"
MEASURED = (16, 128, 400, 1000)  # batches on which the gap is measured, the same for all models of a seed
TUNING_SEED, TEST_SEEDS = 100, (0, 1, 2, 3, 4)
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
FEW_STEPS = (0.001, 0.003, 0.01, 0.03, 0.1)  # as many values for the whole set, which makes 7 to 12 steps

#: Loss and batch size (None: the whole set) of every training.
TRAININGS: dict[str, tuple[tuple[str, int | None], ...]] = {
    "cub": (
        *(("Smooth-AP", batch) for batch in (16, 32, 128, 400, None)),
        *(("ROADMAP .5", batch) for batch in (32, 128, 400)),
        *((loss, 128) for loss in ("SupAP", "ROADMAP .1", "calibration", "Smooth-AP, memory")),
    ),
    "emoji": (
        *(("Smooth-AP", batch) for batch in (16, 128, 400, None)),
        *((loss, 128) for loss in ("SupAP", "ROADMAP .5", "calibration")),
    ),
    "grocery": (*(("Smooth-AP", batch) for batch in (16, 128, 400, None)), *((loss, 128) for loss in ("ROADMAP .5", "calibration"))),
}
#: Models of the table of shapes, and the shapes of the batches: (classes, items a class).
MODELS = (FIRST, "Smooth-AP")
SHAPES = {
    "cub": tuple((classes, per_class) for per_class in (2, 4, 16) for classes in (4, 16, 32, 64)),
    "emoji": tuple((classes, per_class) for per_class in (2, 3) for classes in (4, 16, 64, 128, 256)),
    "grocery": tuple((classes, per_class) for per_class in (2, 4, 16) for classes in (4, 16, 32)),
}
#: Losses of the table of gradients, at the weights of one training; grocery is not in it.
GRADIENTS = {
    "cub": ("Smooth-AP", "Smooth-AP, tau .1", "SupAP", "ROADMAP .5", "calibration"),
    "emoji": ("Smooth-AP", "Smooth-AP, tau .1", "ROADMAP .5"),
    "grocery": (),
}

Config = dict[str, Any]


class Tables:
    """The tables in a folder, for one data set; where it lies is no part of what a line is.

    Args:
        data: ``"emoji"``, ``"cub"`` or ``"grocery"``.
        root: the folder of that set; None for the bundled one, and where only stored lines are read.
        folder: of the tables; None: those that come with the package to read, ``data/results`` of the clone to write.
    """

    def __init__(self, data: str, root: Path | None = None, folder: str | os.PathLike[str] | None = None):
        self.data, self.root, self.folder = data, root, folder

    # ------------------------------------------------------------------ lines

    def tuning(self) -> list[Config]:
        """One seed tries the learning rates; its validation classes choose."""
        return [
            self._training(loss, batch, lr, TUNING_SEED, 1.0, "validation")
            for loss, batch in TRAININGS[self.data]
            for lr in (FEW_STEPS if batch is None else RATES)
        ]

    def training(self, rates: Mapping[tuple[str, int | None], float], seed: int) -> list[Config]:
        first = self._training(FIRST, None, None, seed, 0.0, "test")
        return [first, *(self._training(*which, rates[which], seed, share, "test") for which in TRAININGS[self.data] for share in SHARES)]

    def shapes(self, rates: Mapping[tuple[str, int | None], float], seed: int) -> list[Config]:
        return [
            {"data": self.data, "model": model, "lr": rates.get((model, 128)), "seed": seed, "classes": classes, "per_class": per_class}
            for model in MODELS
            for classes, per_class in SHAPES[self.data]
        ]

    def gradients(self, rates: Mapping[tuple[str, int | None], float], seed: int) -> list[Config]:
        lines = []
        for share in (0.0, 0.5, 1.0):
            common = {"data": self.data, "lr": rates["Smooth-AP", 128], "seed": seed, "share": share}
            for loss in GRADIENTS[self.data]:
                lines += [common | {"loss": loss, "way": "batch", "batch": batch} for batch in DRAWN]
            if GRADIENTS[self.data]:
                lines += [common | {"loss": "Smooth-AP", "way": way, "batch": 128} for way in (BANK, STALE) if share > 0 or way == BANK]
        return lines

    def _training(self, loss: str, batch: int | None, lr: float | None, seed: int, share: float, split: str) -> Config:
        return {"data": self.data, "loss": loss, "batch": batch, "lr": lr, "seed": seed, "share": share, "split": split}

    # ------------------------------------------------------------------ all of them

    def rates(self) -> dict[tuple[str, int | None], float]:
        """For each training the learning rate with the best mAP@R on the validation classes."""
        return chosen(found(self._path("gap_training"), self.tuning()))

    def complete(self, seed: int, *, jobs: int = 1) -> None:
        """What the three tables lack of one seed, and of the tuning before it."""
        self._fill("gap_training", self.tuning(), run_training, jobs)
        rates = self.rates()
        self._fill("gap_training", self.training(rates, seed), run_training, jobs)
        self._fill("gap_shapes", self.shapes(rates, seed), run_shape, jobs)
        self._fill("gap_gradients", self.gradients(rates, seed), measure_gradients, jobs)

    def wanted(self, seeds: tuple[int, ...] = TEST_SEEDS) -> dict[str, list[Config]]:
        """Every line of each table, once the tuning is there."""
        rates = self.rates()
        makers = {"gap_training": self.training, "gap_shapes": self.shapes, "gap_gradients": self.gradients}
        lines = {name: [line for seed in seeds for line in make(rates, seed)] for name, make in makers.items()}
        lines["gap_training"] = self.tuning() + lines["gap_training"]
        return lines

    def _fill(self, name: str, lines: list[Config], run: Any, jobs: int) -> None:
        fill(self._path(name, write=True), lines, partial(run, root=self.root), jobs=jobs)

    def _path(self, name: str, *, write: bool = False) -> Path:
        if self.folder is None and not write:
            return stored_path(name)
        return data_folder("results", self.folder) / f"{name}.csv"


def chosen(tuning: pd.DataFrame) -> dict[tuple[str, int | None], float]:
    """The rate of the best line of each training; of equal ones the lower."""
    best = tuning.sort_values(["mAP@R", "lr"], ascending=[False, True]).drop_duplicates(["loss", "batch"])
    sizes = [None if pd.isna(size) else int(size) for size in best["batch"]]
    return dict(zip(zip(best["loss"], sizes, strict=True), best["lr"], strict=True))


# ---------------------------------------------------------------------- one line


def run_training(config: Mapping[str, Any], root: Path | None) -> dict[str, float]:
    """Train and measure; the other lines of the same training find the weights where this one left them."""
    data = draw(config["data"], root, config["seed"])
    weight, seconds = _weights(config, root, config["loss"], config["batch"], config["share"])
    model = head_of(weight)
    results = getattr(data, config["split"]).measure(model) | {"cpu_seconds": seconds}
    if config["split"] == "validation":
        return results
    labels = data.train.labels
    with torch.no_grad():
        embeddings = model(data.train.inputs)
    whole = ap_of_each(embeddings, labels)
    results |= {"whole": whole.mean().item()} | violations(embeddings, labels)
    for size in MEASURED:
        found = gap_on(embeddings, labels, *_batches(config["data"], root, config["seed"], *shape(size, labels)), whole)
        results |= {f"{name}@{size}": value for name, value in found.items()}
    return results


def run_shape(config: Mapping[str, Any], root: Path | None) -> dict[str, float]:
    """Gap, bounds and prediction for batches of one shape."""
    train = draw(config["data"], root, config["seed"]).train
    weight, _ = _weights(config, root, config["model"], 128, 1.0)
    with torch.no_grad():
        embeddings = head_of(weight)(train.inputs)
    form = config["classes"], config["per_class"]
    return with_bounds(embeddings, train.labels, *_batches(config["data"], root, config["seed"], *form), *form)


def _weights(config: Mapping[str, Any], root: Path | None, loss: str, batch: int | None, share: float) -> tuple[torch.Tensor, float]:
    if loss == FIRST:
        inputs = draw(config["data"], root, config["seed"]).train.inputs
        return first_weights(inputs.shape[1], config["seed"]).linear.weight, 0.0
    training = trained(Training(config["data"], loss, batch, config["lr"], config["seed"]), root)
    return training.weights[share], training.cpu_seconds


@lru_cache(maxsize=8)
def _batches(data: str, root: Path | None, seed: int, classes: int, per_class: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Common to all models of a seed."""
    return dealt(draw(data, root, seed).train.labels, classes, per_class, seed)
