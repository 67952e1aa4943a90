"""The one type that every loader returns: inputs, labels, levels, targets and a table, row by row about the same things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import check_device, check_tensor, first
from rankbook.relevance import check_labels

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    r"""Samples with what is known about them. Row i of every field is about the same sample.

    Args:
        inputs: ``[n, ...]``; or your own container of length n that an index tensor selects from, as for `rankbook.BalancedBatches`.
            One that reads only when it is indexed has a method ``subset(rows)`` that gives a part of itself.
        labels: ``[n]``, int64, the class of each sample: the same number means the same class in every split. None: there are no
            classes, as of videos with a score; each sample is its own, numbered from 0, and keeps its number in a selection.
        levels: ``[n, levels]``, int64, the class and its ancestors, from fine to coarse; column 0 is ``labels``, and each class
            has one parent. None: ``labels`` alone, a single level.
        table: one row for each sample, with whatever else is known, texts among it. None: nothing is.
        targets: ``[n, ...]``, what is to be predicted where it is not a class: a score ``[n]``, several scores ``[n, raters]``, or a
            multi-hot row ``[n, labels]`` of several labels a sample. Any real dtype, which is kept; NaN means unknown. None: nothing.

    Indexed by a slice, a tensor, an array, a list or a column of truth values (``data[data.table["style"] == "noto"]``), it gives
    the Samples of those rows, in that order; the table is numbered anew. Memory: a copy of those rows.

    Raises:
        TypeError: inputs without a length, labels, levels or targets that are no tensors, a table that is no DataFrame, one number as
            index.
        ValueError: fields of different length, labels that are not column 0 of the levels, levels that do not nest, targets that are
            infinite, no sample at all.
        IndexError: a row that is not there.

    >>> data = rb.datasets.Samples(torch.eye(3), torch.tensor([0, 0, 1]), torch.tensor([[0, 5], [0, 5], [1, 5]]))
    >>> data
    Samples(3 of 2 classes, inputs float32 [3, 3], 2 levels)
    >>> data[data.labels == 0].inputs.shape
    torch.Size([2, 3])
    >>> rb.datasets.Samples(torch.eye(3), targets=torch.tensor([0.9, 0.4, 0.7]))[:2]
    Samples(2 of 2 classes, inputs float32 [2, 3], 1 level, targets float32 [2])
    """

    inputs: Tensor | Any
    labels: Tensor | None = None
    levels: Tensor | None = None
    table: pd.DataFrame | None = None
    targets: Tensor | None = None

    def __post_init__(self):
        import pandas as pd

        labels = self._own_classes() if self.labels is None else _integers("labels", self.labels, 1)
        if len(labels) == 0:
            raise ValueError("labels must have at least one sample, got none; does the split or the mask select anything?")
        levels = labels[:, None] if self.levels is None else _integers("levels", self.levels, 2)
        table = pd.DataFrame(index=range(len(labels))) if self.table is None else self.table
        if not isinstance(table, pd.DataFrame):
            raise TypeError(f"table must be a pandas.DataFrame with one row for each sample, got {type(table).__name__}")
        fields = {"inputs": self.inputs, "levels": levels, "table": table} | ({} if self.targets is None else {"targets": self.targets})
        for name, field in fields.items():
            if _length(name, field) != len(labels):
                raise ValueError(f"{name} must have one row for each of the {len(labels)} labels, got {len(field)}")
        if levels.shape[1] == 0:
            raise ValueError("levels must have at least one level; leave it out if there are no labels but the classes")
        check_device("levels", levels, "labels", labels)
        if not torch.equal(levels[:, 0], labels):
            raise ValueError("levels must run from fine to coarse, and column 0 be the labels; try levels.flip(1) or labels=levels[:, 0]")
        check_labels(levels)
        if self.targets is not None:
            _check_targets(self.targets, labels)
        for name, value in {"labels": labels, "levels": levels, "table": table}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice | Tensor | np.ndarray | Sequence[int] | pd.Series) -> Samples:
        advice = "one sample is data[i : i + 1], and a DataLoader takes torch.utils.data.StackDataset(data.inputs, data.labels)"
        rows = row_numbers(rows, len(self), advice)
        table = self.table.iloc[rows.numpy()].reset_index(drop=True)
        lazy = None if isinstance(self.inputs, Tensor) else getattr(self.inputs, "subset", None)
        inputs = self.inputs[rows] if lazy is None else lazy(rows)
        return Samples(inputs, self.labels[rows], self.levels[rows], table, None if self.targets is None else self.targets[rows])

    def __repr__(self) -> str:
        inputs = _said(self.inputs) if isinstance(self.inputs, Tensor) else type(self.inputs).__name__
        depth = self.levels.shape[1]
        targets = "" if self.targets is None else f", targets {_said(self.targets)}"
        classes = len(self.labels.unique())
        return f"Samples({len(self)} of {classes} classes, inputs {inputs}, {depth} level{'s' * (depth > 1)}{targets})"

    def _own_classes(self) -> Tensor:
        if self.levels is not None:
            raise ValueError("labels must be given with levels: they are its column 0; try labels=levels[:, 0]")
        return torch.arange(_length("inputs", self.inputs), device=getattr(self.inputs, "device", None))


def row_numbers(rows: Any, n: int, advice: str) -> Tensor:
    """The rows of n as int64 on the CPU, where the table is. ``advice``: what else may be meant, for an error."""
    if isinstance(rows, slice):
        rows = range(*rows.indices(n))
    rows = rows.detach().cpu().numpy() if isinstance(rows, Tensor) else np.asarray(rows)
    if rows.ndim != 1 or (rows.dtype.kind not in "iub" and len(rows)):
        raise TypeError(
            f"rows must be a slice, a list or tensor [m] of row numbers, or a mask [n], got {rows.dtype} {list(rows.shape)}; {advice}"
        )
    if rows.dtype == bool:
        if len(rows) != n:
            raise IndexError(f"a mask must have one entry for each of the {n} samples, got {len(rows)}")
        rows = rows.nonzero()[0]
    beyond = (rows < -n) | (rows >= n)
    if beyond.any():
        raise IndexError(f"row {rows[beyond][0]} is not there; rows go from 0 to {n - 1}, or back from -1 to {-n}")
    return torch.tensor(rows.astype(np.int64) % n)


def _said(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def _length(name: str, field: Any) -> int:
    try:
        return len(field)
    except TypeError:  # a tensor without axes raises it too
        raise TypeError(f"{name} must have a length and be indexed by a tensor of rows, got {type(field).__name__}") from None


def _integers(name: str, value: Tensor, axes: int) -> Tensor:
    """An int64 tensor of so many axes."""
    check_tensor(name, value)
    if value.dim() != axes or value.is_floating_point() or value.dtype == torch.bool:
        expected = "[n]" if axes == 1 else "[n, levels]"
        raise ValueError(f"{name} must be integers of shape {expected}, got {value.dtype} {tuple(value.shape)}")
    return value.long()


def _check_targets(targets: Tensor, labels: Tensor) -> None:
    check_tensor("targets", targets)
    check_device("targets", targets, "labels", labels)
    if targets.isinf().any():
        raise ValueError(f"targets must be finite, or NaN where they are unknown; at {first(targets.isinf())} is an infinity")
