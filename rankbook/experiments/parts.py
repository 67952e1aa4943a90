"""What a study is made of, and what comes out: task, contender, results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Protocol

import pandas as pd
from torch import nn

from rankbook.experiments.runs import key

#: The data set that comes with the package; every other lies in a folder that the reader names.
BUNDLED = "emoji"
#: A data set that is drawn: it needs no folder either.
SIMULATED = "simulated"
#: What every reader has.
AT_HAND = (BUNDLED, SIMULATED)


class Task(Protocol):
    """Everything in which studies differ but the losses: data, model, batches, metrics. A frozen dataclass of plain settings.

    A task on data that do not come with the package has a field ``root``, the folder that the reader names, and one that computes on a
    GPU a field ``device``; both with ``compare=False``: where a run takes place is no part of what it is.
    """

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what `measure` returns."""

    def fit(self, loss: nn.Module, *, steps: int, seed: int, **knobs: Any) -> nn.Module:
        """Train a model; ``knobs`` are those of the study's shared grid, such as ``lr``. The same call gives the same model."""

    def measure(self, model: nn.Module, split: str) -> dict[str, float]:
        """Metrics on the classes of a split, "validation" or "test", which training has not seen."""


@dataclass(frozen=True)
class Contender:
    """A loss and the grid of its own knobs: ``make(**{knob: value})``."""

    make: Callable[..., nn.Module]
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


class Results(NamedTuple):
    """The lines of a study.

    tuning: the grid of each loss on the validation classes
    lengths: the chosen settings at the study's steps and at its other budgets, on the validation classes; empty without budgets
    test: the chosen settings on the test classes
    chosen: for each loss the setting that won on the validation classes
    """

    tuning: pd.DataFrame
    lengths: pd.DataFrame
    test: pd.DataFrame
    chosen: dict[str, dict[str, Any]]

    def line(self, loss: str, seed: int) -> dict[str, Any]:
        """A line of the test table; `Study.run` makes it again."""
        lines = self.test[(self.test["loss"] == loss) & (self.test["seed"] == seed)]
        if lines.empty:
            raise ValueError(f"loss and seed must be of a test line ({', '.join(self.test['loss'].unique())}), got {loss!r}, {seed!r}")
        return lines.iloc[0].to_dict()


def signature(task: Task) -> str:
    """The task in a key: its class and the settings that are not the defaults, so that lines of other settings are not taken for ours.

    A new setting whose default keeps what was leaves every stored line valid.

    >>> from rankbook.experiments.parts import signature
    >>> from rankbook.experiments.tasks.retrieval import Retrieval
    >>> signature(Retrieval()), signature(Retrieval(per_class=8))
    ('Retrieval()', 'Retrieval(per_class=8)')
    """
    set_here = {one.name: value for one in fields(task) if one.compare and (value := getattr(task, one.name)) != one.default}
    told = (f"{name}={value.__name__ if callable(value) else repr(value)}" for name, value in set_here.items())
    return f"{type(task).__name__}({', '.join(told)})"


def as_in(values: tuple[Any, ...], value: Any) -> Any:
    """The value of a grid that is stored as ``value``; a value of no grid stays what it is."""
    value = None if isinstance(value, float) and math.isnan(value) else value
    return next((one for one in values if key({"": one}) == key({"": value})), value)
