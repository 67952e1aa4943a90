"""A study: contenders on a task, over grids of one size. Tuned on validation classes, judged once a seed on the test classes."""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from torch import nn

from rankbook.experiments.fairness import check_fair
from rankbook.experiments.parts import AT_HAND, BUNDLED, Contender, Results, Task, as_in, signature
from rankbook.experiments.runs import Config, fill, found, key
from rankbook.experiments.tables import data_folder, read_lines, stored_path


@dataclass(frozen=True)
class Study:
    """Task x contenders x grid x seeds.

    Args:
        name: of the table, and of the module in `rankbook.experiments.studies`.
        question: that it answers, in one line.
        task: what is trained and measured.
        contenders: name -> loss and its own knobs.
        grid: what every contender tunes besides, such as ``{"lr": (1e-3, 3e-3)}``: knobs of ``task.fit``.
        steps: of each training.
        choose_by: the metric that chooses, by its mean over the tuning seeds; higher is better.
        reference: the contender from which the differences are taken, here or in ``beside``.
        tuning_seeds, test_seeds: disjoint, so that no run that chose is judged.
        budgets: multiples of ``steps`` at which the chosen settings are tried on the validation classes: was it long enough?
        unsettled: the sets on which one of them serves some loss better than ``steps``; the chapter says so.
        open_ended: set -> the losses for which the best value of a knob of ``grid`` is its first or last; the chapter says so.
        beside: a study with the same task, steps, seeds and as many values of each knob of the grid; its test lines stand beside ours.
        data: the data set of ``task``.
        sets: the same question on other data: name -> task. They do not come with the package; see `on`.
        overlap: of the runs in intervals, see `rankbook.statistics.interval`; 0 where all seeds are judged on the same items.
        chapter: the document of the book that tells of the study.

    Raises:
        ValueError: whatever would make the comparison unfair or ambiguous, said in full.
    """

    name: str
    question: str
    task: Task
    contenders: Mapping[str, Contender]
    grid: Mapping[str, tuple[Any, ...]]
    steps: int
    choose_by: str
    reference: str
    tuning_seeds: tuple[int, ...]
    test_seeds: tuple[int, ...]
    budgets: tuple[float, ...] = ()
    unsettled: tuple[str, ...] = ()
    open_ended: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: Study | None = None
    data: str = BUNDLED
    sets: Mapping[str, Task] = field(default_factory=dict)
    overlap: float = 0.0
    chapter: str = ""

    def __post_init__(self) -> None:
        check_fair(self)

    # ------------------------------------------------------------------ other data

    def on(
        self,
        data: str,
        root: str | os.PathLike[str] | None = None,
        *,
        device: str | None = None,
        test_seeds: tuple[int, ...] | None = None,
    ) -> Study:
        """The same study on another of its data sets; its lines stand in the same table.

        Args:
            data: one of ``sets``, or the bundled set's own name.
            root: the folder of that set; None where only stored lines are read.
            device: of the training; None: the task's own.
            test_seeds: in place of the study's own.

        Raises:
            ValueError: a set that the study does not know, a folder or a device for a task that takes none.
        """
        if data not in {self.data, *self.sets}:
            raise ValueError(f"data must be one of {', '.join((self.data, *self.sets))}, got {data!r}")
        task = self.task if data == self.data else self.sets[data]
        for name, value in (("root", None if root is None else Path(root)), ("device", device)):
            if value is None:
                continue
            if name not in {one.name for one in fields(task)} or (name == "root" and data == BUNDLED):
                known = f", or say --data {' or '.join(self.sets)}" if name == "root" and self.sets else ""
                raise ValueError(f"the task on {data} takes no {name}, got {value}; leave it out{known}")
            task = replace(task, **{name: value})
        beside = None if self.beside is None else self.beside.on(data, root, device=device, test_seeds=test_seeds)
        return replace(self, task=task, data=data, sets={}, beside=beside, test_seeds=test_seeds or self.test_seeds)

    def everywhere(self) -> list[Study]:
        """The study on its own data, then on each of its other sets."""
        return [self, *(self.on(data) for data in self.sets)]

    # ------------------------------------------------------------------ one run

    def settings(self, loss: str) -> list[dict[str, Any]]:
        """Every combination of the knobs of a contender and those that all share."""
        knobs = {**self.contenders[loss].grid, **self.grid}
        return [dict(zip(knobs, values, strict=True)) for values in itertools.product(*knobs.values())]

    def setting(self, line: Config) -> dict[str, Any]:
        """The knobs of a configuration, or of a line of a table, where a tuple has become a list and None may be NaN."""
        knobs = {**self.contenders[line["loss"]].grid, **self.grid}
        return {knob: as_in(values, line[knob]) for knob, values in knobs.items()}

    def loss(self, line: Config) -> nn.Module:
        """The loss of a configuration or line."""
        setting = self.setting(line)
        contender = self.contenders[line["loss"]]
        return contender.make(**{knob: setting[knob] for knob in contender.grid})

    def fit(self, line: Config) -> nn.Module:
        """Train the model of a configuration or line."""
        setting = self.setting(line)
        return self.task.fit(
            self.loss(line), steps=int(line["steps"]), seed=int(line["seed"]), **{knob: setting[knob] for knob in self.grid}
        )

    def run(self, line: Config) -> dict[str, float]:
        """Train, then measure on the split of a configuration or line: the metrics and the CPU seconds of the training.

        Raises:
            FloatingPointError: a metric that is not finite; it could not be compared.
        """
        start = time.process_time()
        model = self.fit(line)
        seconds = time.process_time() - start
        metrics = self.task.measure(model, line["split"])
        if bad := [name for name, value in metrics.items() if not math.isfinite(value)]:
            raise FloatingPointError(f"{bad[0]} is {metrics[bad[0]]}; every metric must be finite")
        return metrics | {"cpu_seconds": seconds}

    # ------------------------------------------------------------------ all runs

    def complete(self, folder: str | os.PathLike[str] | None = None, *, jobs: int = 1) -> Results:
        """Run what the table in ``folder`` lacks (None: ``data/results`` of the clone), in ``jobs`` processes."""
        path = data_folder("results", folder) / f"{self.name}.csv"
        return self._results(partial(fill, path, run=self.run, jobs=jobs))

    def results(self, folder: str | os.PathLike[str] | None = None) -> Results:
        """The stored lines (None: those that come with the package); nothing is computed.

        Raises:
            FileNotFoundError, ValueError: no table, or a line that it lacks.
        """
        return self._results(partial(found, self._path(folder)))

    def compared(self, folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """The test lines of the study that this one stands beside, if any, then its own; ready to be paired by seed."""
        ours = self.results(folder).test
        return ours if self.beside is None else pd.concat([self.beside.compared(folder), ours], ignore_index=True)

    def choose(self, tuning: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """For each loss the setting with the best mean of ``choose_by`` over the tuning seeds; one lucky seed does not win."""

        runs: dict[str, list[float]] = {}
        for line in tuning.to_dict("records"):
            runs.setdefault(key({"loss": line["loss"], **self.setting(line)}), []).append(line[self.choose_by])

        def mean(loss: str, setting: dict[str, Any]) -> float:
            return fmean(runs[key({"loss": loss, **setting})])

        return {loss: max(self.settings(loss), key=partial(mean, loss)) for loss in self.contenders}

    def profile(self, tuning: pd.DataFrame, loss: str, knob: str) -> pd.Series:
        """The mean of ``choose_by`` over the tuning seeds at each value of one knob, the best over its other knobs."""
        knobs = [*self.contenders[loss].grid, *self.grid]
        means = tuning[tuning["loss"] == loss].groupby(knobs)[self.choose_by].mean()
        return means.groupby(knob).max()

    def progress(self, folder: str | os.PathLike[str] | None = None) -> tuple[int, int, float]:
        """(lines that are there, lines in all, CPU seconds of those that are there)."""
        path = self._path(folder)
        seconds = {line["config"]: float(line["cpu_seconds"]) for line in read_lines(path)}
        tuning = self._tuning()
        total = len(tuning) + len(self.contenders) * (len(self.test_seeds) + len(self.budgets) * len(self.tuning_seeds))
        wanted = tuning
        if all(key(config) in seconds for config in tuning):  # the rest is known when the choice is
            chosen = self.choose(found(path, tuning))
            wanted = [*tuning, *self._lengths(chosen), *self._test(chosen)]
        there = {key(config) for config in wanted} & set(seconds)
        return len(there), total, sum(seconds[one] for one in there)

    @property
    def at_hand(self) -> bool:
        """Whether every reader has the data: they come with the package, or are drawn."""
        return self.data in AT_HAND or "root" not in {one.name for one in fields(self.task)}

    @property
    def command(self) -> str:
        options = "" if self.data in AT_HAND else f" --data {self.data}" + ("" if self.at_hand else " --root DIR")
        return f"python -m rankbook.experiments {self.name}{options}"

    def _results(self, lines: Callable[[list[Config]], pd.DataFrame]) -> Results:
        tuning = lines(self._tuning())
        chosen = self.choose(tuning)
        return Results(tuning, lines(self._lengths(chosen)), lines(self._test(chosen)), chosen)

    def _tuning(self) -> list[Config]:
        return [
            self._config(loss, setting, seed, self.steps, "validation")
            for loss in self.contenders
            for setting in self.settings(loss)
            for seed in self.tuning_seeds
        ]

    def _lengths(self, chosen: Mapping[str, Config]) -> list[Config]:
        """Those of ``budgets``, and between them the lines of the tuning itself."""
        lengths = sorted({round(self.steps * budget) for budget in (*self.budgets, 1)} if self.budgets else ())
        return [
            self._config(loss, setting, seed, steps, "validation")
            for loss, setting in chosen.items()
            for steps in lengths
            for seed in self.tuning_seeds
        ]

    def _test(self, chosen: Mapping[str, Config]) -> list[Config]:
        return [self._config(loss, setting, seed, self.steps, "test") for loss, setting in chosen.items() for seed in self.test_seeds]

    def _config(self, loss: str, setting: Config, seed: int, steps: int, split: str) -> dict[str, Any]:
        return {"loss": loss, **setting, "seed": seed, "steps": steps, "split": split, "task": signature(self.task)}

    def _path(self, folder: str | os.PathLike[str] | None) -> Path:
        return stored_path(self.name) if folder is None else Path(folder) / f"{self.name}.csv"
