"""The one data set type: rows stay together however they are selected, and fields that do not belong together are refused."""

import numpy as np
import pandas as pd
import pytest
import torch

import rankbook as rb
from rankbook.datasets import Samples

N = 6
LEVELS = torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0], [2, 1], [2, 1]])


class Container:
    """Inputs that are no tensor: they know their length and what an index tensor selects."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        return Container([self.values[row] for row in rows.tolist()])


def make(**changes):
    fields = {
        "inputs": torch.arange(N * 2.0).view(N, 2),
        "labels": LEVELS[:, 0].clone(),
        "levels": LEVELS.clone(),
        "table": pd.DataFrame({"row": range(N), "style": list("xyxyxy")}),
        "targets": torch.arange(N) / 4,
    }
    return Samples(**fields | changes)


def rows_of(data):
    """Which rows of `make` these are, by each field; all must say the same."""
    rows = data.table["row"].tolist()
    assert (data.inputs[:, 0] / 2).tolist() == rows
    assert torch.equal(data.levels, LEVELS[rows]) and torch.equal(data.labels, LEVELS[rows, 0])
    assert (data.targets * 4).tolist() == rows
    assert data.table.index.equals(pd.RangeIndex(len(rows)))
    return rows


SELECTIONS = [
    (slice(1, 4), [1, 2, 3]),
    (slice(None, None, -2), [5, 3, 1]),
    (slice(-2, None), [4, 5]),
    (torch.tensor([4, 0, 0]), [4, 0, 0]),
    (torch.tensor([-1, 2], dtype=torch.int32), [5, 2]),
    (torch.tensor([2], dtype=torch.uint8), [2]),
    (torch.tensor([True, False, False, True, False, True]), [0, 3, 5]),
    (np.array([3, 1]), [3, 1]),
    ([5, 1], [5, 1]),
    ([True] + [False] * 5, [0]),
    (range(2), [0, 1]),
    (make().table["style"] == "y", [1, 3, 5]),
    (make().table.index[::3], [0, 3]),
]


@pytest.mark.parametrize(("rows", "expected"), SELECTIONS, ids=lambda part: type(part).__name__)
def test_rows_stay_together(rows, expected):
    data = make()
    selected = data[rows]
    assert isinstance(selected, Samples) and len(selected) == len(expected)
    assert rows_of(selected) == expected
    assert rows_of(data) == list(range(N))  # the whole is not touched


def test_what_is_selected_shares_no_memory():
    data = make()
    part = data[1:3]
    part.inputs.zero_(), part.labels.zero_(), part.levels.zero_(), part.table.__setitem__("row", 9), part.targets.zero_()
    assert rows_of(data) == list(range(N))


def test_inputs_may_be_any_container():
    data = make(inputs=Container(list("abcdef")))
    assert data[torch.tensor([5, 0])].inputs.values == ["f", "a"]
    assert "inputs Container" in repr(data)


def test_levels_and_table_may_be_left_out():
    data = Samples(torch.zeros(3, 1), torch.tensor([4, 4, 7], dtype=torch.int32))
    assert data.levels.tolist() == [[4], [4], [7]] and data.labels.dtype == data.levels.dtype == torch.int64
    assert len(data.table) == 3 and len(data[:2].table) == 2
    assert repr(data) == "Samples(3 of 2 classes, inputs float32 [3, 1], 1 level)"


def test_samples_without_classes_are_each_their_own():
    data = Samples(torch.zeros(4, 2), targets=torch.tensor([0.5, torch.nan, 0.1, 0.2]))
    assert data.labels.tolist() == [0, 1, 2, 3] and data.levels.tolist() == [[0], [1], [2], [3]]
    assert data[[3, 1]].labels.tolist() == [3, 1], "a selection keeps the numbers"
    assert data[~data.targets.isnan()].targets.tolist() == pytest.approx([0.5, 0.1, 0.2])
    assert Samples(Container(list("ab"))).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    "targets",
    [torch.rand(N), torch.rand(N, 3).double(), torch.eye(N, dtype=torch.bool), torch.ones(N, 2, dtype=torch.uint8), torch.rand(N, 2, 2)],
    ids=["a score", "raters", "multi-hot", "counts", "blocks"],
)
def test_targets_of_every_kind_keep_their_dtype(targets):
    part = make(targets=targets)[[4, 0]].targets
    assert part.dtype == targets.dtype and torch.equal(part, targets[[4, 0]])
    assert f"targets {str(targets.dtype).removeprefix('torch.')} {list(targets.shape)})" in repr(make(targets=targets))


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"targets": torch.rand(N + 1)}, ValueError, "targets must have one row for each of the 6 labels, got 7"),
        ({"targets": torch.tensor(1.0)}, TypeError, "targets must have a length"),
        ({"targets": [0.5] * N}, TypeError, "targets must be a torch.Tensor"),
        ({"targets": torch.rand(N).cfloat()}, TypeError, "targets must be real"),
        (
            {"targets": torch.ones(N, 2).index_fill(0, torch.tensor(3), torch.inf)},
            ValueError,
            r"or NaN where they are unknown; at \(3, 0\)",
        ),
        ({"targets": torch.rand(N, device="meta")}, ValueError, "targets must be on the device of labels"),
        ({"labels": None}, ValueError, r"labels must be given with levels"),
        ({"inputs": torch.zeros(N - 1, 2)}, ValueError, "inputs must have one row for each of the 6 labels, got 5"),
        ({"inputs": Container([1])}, ValueError, "inputs must have one row for each of the 6 labels, got 1"),
        ({"inputs": 3}, TypeError, "inputs must have a length"),
        ({"inputs": torch.tensor(3.0)}, TypeError, "inputs must have a length"),
        ({"levels": LEVELS[:4]}, ValueError, "levels must have one row for each of the 6 labels, got 4"),
        ({"table": pd.DataFrame()}, ValueError, "table must have one row for each of the 6 labels, got 0"),
        ({"table": {"row": range(N)}}, TypeError, "table must be a pandas.DataFrame"),
        ({"labels": LEVELS[:, 0].tolist()}, TypeError, "labels must be a torch.Tensor"),
        ({"labels": LEVELS[:, 0].float()}, ValueError, r"labels must be integers of shape \[n\], got torch.float32"),
        ({"labels": LEVELS[:, 0].bool()}, ValueError, "labels must be integers of shape"),
        ({"labels": LEVELS}, ValueError, r"labels must be integers of shape \[n\], got torch.int64 \(6, 2\)"),
        ({"levels": LEVELS[:, 0]}, ValueError, r"levels must be integers of shape \[n, levels\]"),
        ({"levels": LEVELS[:, :0]}, ValueError, "at least one level"),
        ({"levels": LEVELS.flip(1)}, ValueError, r"try levels\.flip\(1\)"),
        ({"levels": LEVELS.flip(1), "labels": LEVELS[:, 1]}, ValueError, "nested levels, fine to coarse"),
        ({"labels": LEVELS[:, 1]}, ValueError, "column 0 be the labels"),
    ],
)
def test_fields_that_do_not_belong_together_are_refused(changes, kind, said):
    with pytest.raises(kind, match=said):
        make(**changes)


def test_no_sample_at_all_is_refused():
    data = make()
    for rows in (slice(0, 0), [], torch.zeros(N, dtype=torch.bool), data.table["style"] == "z"):
        with pytest.raises(ValueError, match="at least one sample, got none"):
            data[rows]


@pytest.mark.parametrize(
    ("rows", "kind", "said"),
    [
        (0, TypeError, r"one sample is data\[i : i \+ 1\]"),
        (torch.tensor(0), TypeError, "one sample is"),
        ([0.0, 1.0], TypeError, "rows must be a slice, a list or tensor"),
        (["x"], TypeError, "rows must be a slice, a list or tensor"),
        ("style", TypeError, "rows must be a slice, a list or tensor"),
        (None, TypeError, "rows must be a slice, a list or tensor"),
        ([[0], [1]], TypeError, "rows must be a slice, a list or tensor"),
        ((0, 1, 6), IndexError, "row 6 is not there; rows go from 0 to 5"),
        (torch.tensor([-7]), IndexError, "row -7 is not there"),
        (torch.ones(3, dtype=torch.bool), IndexError, "a mask must have one entry for each of the 6 samples, got 3"),
    ],
)
def test_an_index_that_selects_no_rows_is_refused(rows, kind, said):
    with pytest.raises(kind, match=said):
        make()[rows]


def test_samples_are_not_changed_by_assignment():
    with pytest.raises(AttributeError):
        make().labels = torch.zeros(N)


@pytest.mark.parametrize("what", ["features", "texts"])
def test_every_loader_returns_samples(what):
    """Each public name of `rankbook.datasets` that loads something; readers of other sets join here with their own arguments."""
    loaders = set(rb.datasets.__all__) - {"Samples", "ImageFiles", "svmlight"}  # svmlight gives lists, not items
    # each in a test file of its own
    elsewhere = {"coco_captions", "cub", "features", "flickr8k", "grocery", "image_folder", "lamem", "lnsim", "movielens"}
    elsewhere |= {"fashion_mnist", "videomem", "voc"}
    assert loaders == {"emoji"} | elsewhere
    assert isinstance(rb.datasets.emoji("validation", what), Samples)
