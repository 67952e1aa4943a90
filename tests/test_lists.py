"""Flat rows and padded lists: there and back, in any order of the ids, with gradients; what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

import rankbook as rb

IDS = {
    "sorted": [1, 1, 1, 2, 5, 5],
    "mixed": [5, 1, 5, 2, 1, 5],
    "negative": [-3, 7, -3, 0, 7, 7],
    "large": [1 << 60, 3, 1 << 60, (1 << 60) + 1, 3, 3],
    "strings": ["b", "a", "b", "c", "a", "b"],
    "one": [4] * 6,
    "all differ": [6, 5, 4, 3, 2, 1],
}
FORMS = {"list": list, "array": np.array, "column": pd.Series, "tensor": torch.tensor}
CASES = [(name, form) for name in IDS for form in FORMS if not (name == "strings" and form == "tensor")]


def by_loop(values, ids):
    """The lists of rows by query, in the order in which the queries appear."""
    lists = {}
    for value, query in zip(values, ids, strict=True):
        lists.setdefault(query, []).append(value)
    return list(lists.values())


@pytest.mark.parametrize(("name", "form"), CASES)
def test_there_and_back(name, form):
    values, ids = torch.randn(6, 3), FORMS[form](IDS[name])
    padded, where = rb.pad_lists(values, ids)
    expected = by_loop(values, IDS[name])
    assert where.sum(-1).tolist() == [len(rows) for rows in expected]
    assert padded.shape == (len(expected), max(map(len, expected)), 3)
    for q, rows in enumerate(expected):
        assert torch.equal(padded[q, : len(rows)], torch.stack(rows))
        assert where[q, : len(rows)].all() and (padded[q, len(rows) :] == 0).all()
    assert torch.equal(rb.flatten_lists(padded, where, query_ids=ids), values)
    assert torch.equal(rb.flatten_lists(padded, where), torch.stack([row for rows in expected for row in rows]))


def test_several_tensors_of_any_kind():
    values = (torch.randn(6), torch.arange(6), torch.rand(6, 2, 4).half(), torch.arange(6) > 2)
    padded, where = rb.pad_lists(values, IDS["mixed"])
    back = rb.flatten_lists(padded, where, query_ids=IDS["mixed"])
    assert isinstance(padded, tuple) and isinstance(back, tuple)
    for value, lists, again in zip(values, padded, back, strict=True):
        assert lists.dtype == value.dtype
        assert torch.equal(again, value)
        assert torch.equal(lists, rb.pad_lists(value, IDS["mixed"])[0])


def test_gradients_flow_both_ways():
    scores = torch.randn(6, dtype=torch.float64, requires_grad=True)
    relevance = torch.tensor([1, 0, 0, 1, 2, 2])
    for ids in (IDS["mixed"], IDS["all differ"]):
        assert torch.autograd.gradcheck(lambda s, ids=ids: rb.pad_lists(s, ids)[0], scores)
        assert torch.autograd.gradcheck(lambda s, ids=ids: rb.flatten_lists(*rb.pad_lists(s, ids), query_ids=ids).exp(), scores)
    (s, r), where = rb.pad_lists((scores, relevance), IDS["mixed"])
    loss = rb.RankNetLoss()
    alone = [
        loss(torch.stack(x), torch.stack(y))
        for x, y in zip(by_loop(scores, IDS["mixed"]), by_loop(relevance, IDS["mixed"]), strict=True)
        if len(x) > 1
    ]
    assert_close(loss(s, r, where=where), torch.stack(alone).mean())


def test_a_long_file_is_no_loop():
    ids = torch.randint(20_000, (100_000,))
    values = torch.arange(100_000)
    padded, where = rb.pad_lists(values, ids)
    assert torch.equal(rb.flatten_lists(padded, where, query_ids=ids), values)
    assert (padded.diff(dim=-1)[where[:, 1:]] > 0).all()  # in the order of the input
    assert (padded[:, 0].diff() > 0).all()  # queries too


@pytest.mark.parametrize(
    ("values", "ids", "error", "message"),
    [
        (torch.rand(3), [1, 1], ValueError, r"values must have one row for each of the 2 query_ids, got shape \(3,\)"),
        (torch.tensor(1.0), [1], ValueError, "values must have one row"),
        (torch.rand(2), torch.tensor([0.5, 1.0]), ValueError, "query_ids must be integers or strings"),
        (torch.rand(2), [0.5, 1.0], TypeError, "query_ids must be integers or strings"),
        (torch.rand(2), [[1, 1], [2, 2]], ValueError, "query_ids must be integers or strings"),
        (torch.rand(0), torch.zeros(0, dtype=torch.int64), ValueError, r"query_ids must be .* got torch.int64 \(0,\)"),
        (torch.rand(2), None, TypeError, "query_ids must be integers or strings"),
        ([0.1, 0.2], [1, 1], TypeError, "values must be a torch.Tensor, got list"),
        ((), [1, 1], ValueError, "values must be a tensor or a tuple of at least one"),
        ((torch.rand(2), [1, 2]), [1, 1], TypeError, "values must be a torch.Tensor, got list"),
        (torch.rand(2), torch.tensor([1, 1], device="meta"), ValueError, "values must be on the device of query_ids"),
    ],
)
def test_what_cannot_be_padded_is_named(values, ids, error, message):
    with pytest.raises(error, match=message):
        rb.pad_lists(values, ids)


def test_what_cannot_be_flattened_is_named():
    padded, where = rb.pad_lists(torch.rand(6), IDS["mixed"])
    for call, error, message in (
        (lambda: rb.flatten_lists(padded[0], where), ValueError, r"padded must have shape \[queries, n, ...\]"),
        (lambda: rb.flatten_lists((padded, padded[:2]), where), ValueError, "padded must have shape"),
        (lambda: rb.flatten_lists(padded, where[:2]), ValueError, r"where must be the boolean mask \(3, 3\)"),
        (lambda: rb.flatten_lists(padded, where.float()), ValueError, "where must be the boolean mask"),
        (lambda: rb.flatten_lists(padded, None), TypeError, "where must be a torch.Tensor"),
        (
            lambda: rb.flatten_lists(padded, where, query_ids=IDS["sorted"]),
            ValueError,
            "query_ids must be those that the lists were made of",
        ),
        (lambda: rb.flatten_lists(padded, where, query_ids=[1, 2]), ValueError, "query_ids must be those"),
    ):
        with pytest.raises(error, match=message):
            call()
