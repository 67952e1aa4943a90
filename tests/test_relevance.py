"""Labels and trees of labels to relevance; the mask of the query."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score

import rankbook as rb

TREE = torch.tensor([[0, 0, 0], [0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 2, 1]])  # fine to coarse: leaf, branch, root


def test_same_label_is_equality():
    labels, ref_labels = torch.randint(0, 3, (6,)), torch.randint(0, 3, (9,))
    expected = [[a == b for b in ref_labels.tolist()] for a in labels.tolist()]
    assert rb.same_label(labels, ref_labels).tolist() == expected
    assert torch.equal(rb.same_label(labels), rb.same_label(labels, labels))


def test_same_label_uses_the_finest_level():
    assert torch.equal(rb.same_label(TREE), rb.same_label(TREE[:, 0]))


def test_shared_levels_counts_the_levels():
    assert rb.shared_levels(TREE).tolist() == [
        [3, 3, 2, 1, 0],
        [3, 3, 2, 1, 0],
        [2, 2, 3, 1, 0],
        [1, 1, 1, 3, 0],
        [0, 0, 0, 0, 3],
    ]
    assert rb.shared_levels(TREE[:2], TREE[2:]).tolist() == [[2, 1, 0], [2, 1, 0]]


def test_one_level_is_same_label():
    labels = torch.randint(0, 3, (7,))
    assert torch.equal(rb.shared_levels(labels).bool(), rb.same_label(labels))
    assert torch.equal(rb.shared_levels(labels[:, None]), rb.shared_levels(labels))


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_hierarchical_relevance_by_hand(alpha):
    levels = torch.tensor([3, 3, 2, 1, 1, 1, 1, 0])
    weights = [1 / 2, 1 / 2, (2 / 3) ** alpha / 1] + [(1 / 3) ** alpha / 4] * 4 + [0]
    torch.testing.assert_close(rb.hierarchical_relevance(levels, alpha=alpha), torch.tensor(weights))


def test_weights_of_levels_by_hand():
    levels = torch.tensor([3, 3, 2, 1, 1, 1, 1, 0])
    # the coarsest level weighs 1 and has 7 items, the middle one 2 and 3, the class 4 and 2
    weights = [1 / 7 + 2 / 3 + 4 / 2] * 2 + [1 / 7 + 2 / 3] + [1 / 7] * 4 + [0]
    found = rb.hierarchical_relevance(levels, weights=(4, 2, 1), dtype=torch.float64)
    torch.testing.assert_close(found, torch.tensor(weights, dtype=torch.float64) / 4)  # shares of the largest


def test_hierarchical_relevance_of_each_list():
    """A level weighs the same whatever the number of its items; an empty level weighs nothing."""
    levels = torch.tensor([[2, 2, 1, 0], [2, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    relevance = rb.hierarchical_relevance(levels)
    expected = [[1 / 2, 1 / 2, 1 / 2, 0], [1, 1 / 6, 1 / 6, 1 / 6], [1 / 4, 1 / 4, 0, 0], [0, 0, 0, 0]]
    torch.testing.assert_close(relevance, torch.tensor(expected))
    assert rb.hierarchical_relevance(levels, dtype=torch.float64).dtype == torch.float64


def test_hierarchical_relevance_ignores_absent_items():
    levels, where = torch.tensor([2, 2, 1, 1, 0]), torch.tensor([True, False, True, True, True])
    present = rb.hierarchical_relevance(levels, where=where)
    torch.testing.assert_close(present[where], rb.hierarchical_relevance(levels[where]))
    assert present[1] == 0


def test_with_weights_hap_is_the_mean_of_the_ap_of_each_level():
    """Of scikit-learn, over the levels that the list has."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(20, 15, generator=generator, dtype=torch.float64)
    levels = torch.randint(0, 4, (20, 15), generator=generator)
    levels[0].clamp_(max=2)
    relevance = rb.hierarchical_relevance(levels, weights=(0.5, 3, 1), dtype=torch.float64)
    for value, s, shared in zip(rb.hierarchical_ap(scores, relevance, reduction="none"), scores, levels, strict=True):
        present = {p: w for p, w in {1: 1, 2: 3, 3: 0.5}.items() if (shared >= p).any()}
        each = {p: average_precision_score(shared >= p, s) for p in present}
        assert value.item() == pytest.approx(sum(w * each[p] for p, w in present.items()) / sum(present.values()), abs=1e-12)


def test_with_weights_a_finer_match_never_weighs_less():
    levels = torch.tensor([2] * 6 + [1, 0])  # six beagles and one terrier
    assert rb.hierarchical_relevance(levels)[0] < rb.hierarchical_relevance(levels)[6]
    weighed = rb.hierarchical_relevance(levels, weights=(0.01, 1))
    assert weighed[0] > weighed[6] > weighed[7] == 0


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"weights": (1,)}, r"weights must have a number for each column of the labels, 2 or more as levels say, got 1"),
        ({"weights": (0, 0)}, r"weights must have a number above 0, got \(0, 0\)"),
        ({"weights": (1, -1)}, r"weights must be a finite number of at least 0, got -1"),
        ({"weights": 1.0}, r"weights must be a sequence of numbers such as \(1, 0.5\), got 1.0; try \(1.0,\)"),
        ({"weights": ()}, r"weights must hold at least one number, got \(\)"),
        ({"weights": (1, 1), "alpha": 2.0}, r"weights must be given without alpha"),
    ],
)
def test_bad_weights(knobs, message):
    with pytest.raises(ValueError, match=message):
        rb.hierarchical_relevance(torch.tensor([2, 1, 0]), **knobs)
    if knobs != {"weights": (1,)}:
        with pytest.raises(ValueError, match=message):
            rb.SupHAPLoss(**knobs)


@pytest.mark.parametrize("order", ["relevance", "levels"])
def test_a_loss_of_weights_is_its_composition(order):
    """Value and gradient; by level and by relevance are one, since a finer match never weighs less."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.tensor([[0, 0]] * 5 + [[1, 0]] + [[2, 1]] * 3)
    x = torch.nn.functional.normalize(torch.randn(9, 6, generator=generator, dtype=torch.float64), dim=1).requires_grad_()
    knobs = {"tau": 0.1, "rho": 10.0, "delta": 0.5}
    where = rb.leave_query_out(9)
    relevance = rb.hierarchical_relevance(rb.shared_levels(labels), weights=(3, 2), where=where, dtype=torch.float64)
    expected = rb.as_loss(rb.hierarchical_ap, partial(rb.sup_ranks, **knobs))(x @ x.T, relevance, where=where)
    value = rb.SupHAPLoss(weights=(3, 2), order=order, **knobs)(x, labels)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(one, x)[0] for one in (value, expected)), rtol=0, atol=1e-12)
    assert abs(value - rb.SupHAPLoss(order=order, **knobs)(x, labels)) > 1e-3


def test_a_loss_of_weights_wants_as_many_columns():
    x = torch.nn.functional.normalize(torch.rand(4, 3), dim=1)
    loss = rb.SupHAPLoss(weights=(1, 1))
    with pytest.raises(ValueError, match="labels must have a column for each of the 2 weights of the loss, got 1"):
        loss(x, torch.tensor([0, 0, 1, 1]))
    with pytest.raises(ValueError, match="relevance has no levels to weigh"):
        loss(x, relevance=1 - torch.eye(4))


def test_hierarchical_relevance_of_strangers_is_zero():
    assert rb.hierarchical_relevance(torch.zeros(3, dtype=torch.int64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("levels", [torch.tensor([1.0, 2.0]), torch.tensor([1, -1])], ids=["float", "negative"])
def test_hierarchical_relevance_wants_counts(levels):
    with pytest.raises(ValueError, match=r"levels must be whole numbers >= 0.*shared_levels"):
        rb.hierarchical_relevance(levels)


def test_leave_query_out():
    where = rb.leave_query_out(4)
    assert where.dtype == torch.bool
    assert [[i == j for j in range(4)] for i in range(4)] == (~where).tolist()


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int32, torch.int64])
def test_labels_of_any_whole_dtype(dtype):
    labels = torch.tensor([0, 1, 1, 0])
    assert torch.equal(rb.same_label(labels.to(dtype), labels), rb.same_label(labels))


@pytest.mark.parametrize("function", [rb.same_label, rb.shared_levels], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("labels", "ref_labels", "error", "message"),
    [
        (torch.rand(3), None, ValueError, r"^labels must be integers .* got torch.float32 \(3,\)"),
        (torch.tensor(3), None, ValueError, r"^labels must be integers of shape .* got torch.int64 \(\)"),
        (torch.zeros(2, 2, 2, dtype=torch.int64), None, ValueError, r"^labels must be integers of shape"),
        (torch.arange(3), torch.rand(3), ValueError, r"^ref_labels must be integers"),
        (torch.zeros(3, 2, dtype=torch.int64), torch.arange(3), ValueError, r"labels \(3, 2\) and ref_labels \(3,\).* number of levels"),
        (torch.zeros(3, 0, dtype=torch.int64), None, ValueError, r"labels must have at least one item and one level, got \(3, 0\)"),
        (torch.zeros(0, dtype=torch.int64), None, ValueError, r"labels must have at least one item and one level, got \(0,\)"),
        ([0.5, 1.5], None, TypeError, r"^labels must be integers or strings .*, got list of float64 \(2,\); try pandas.factorize"),
        ([[0], [0, 1]], None, TypeError, r"^labels must be integers or strings"),
        (["a", None], None, TypeError, r"^labels must be integers or strings, but entry 1 is missing \(None\), 1 in all; .* where"),
        (pd.Series([1.0, 1.0, np.nan, np.nan]), None, TypeError, r"^labels .* entry 2 is missing \(nan\), 2 in all; drop these"),
        (pd.Series([1, None], dtype="Int64"), None, TypeError, r"^labels .* entry 1 is missing \((nan|<NA>)\)"),
        (["a", pd.NA], None, TypeError, r"^labels .* entry 1 is missing \(<NA>\)"),
        (np.array(["a", pd.NaT, np.nan], dtype=object), None, TypeError, r"^labels .* entry 1 is missing \(NaT\), 2 in all"),
        ([1, 2], [1.0, float("nan")], TypeError, r"^ref_labels .* entry 1 is missing \(nan\)"),
        ([[1, 2], [None, 3]], None, TypeError, r"^labels .* entry 2 is missing \(None\)"),
        ("ab", None, TypeError, r"^labels must be integers or strings"),
        (torch.arange(3), ["a", "b"], ValueError, r"labels and ref_labels must be of one kind"),
        (torch.arange(3), torch.arange(3, device="meta"), ValueError, r"^ref_labels must be on the device of labels, cpu, got meta"),
        (torch.arange(3).to_sparse(), None, TypeError, r"^labels must be a dense \(strided\) tensor, got a sparse_coo one"),
    ],
)
def test_bad_labels(function, labels, ref_labels, error, message):
    with pytest.raises(error, match=message):
        function(labels, ref_labels)


NAMES = ["cat", "dog", "cat", "owl"]


@pytest.mark.parametrize(
    "labels",
    [NAMES, tuple(NAMES), np.array(NAMES), pd.Series(NAMES, index=range(7, 11)), pd.Series(NAMES, dtype="category"), [3, 5, 3, 1]],
    ids=["list", "tuple", "array", "column after a filter", "categories", "numbers"],
)
def test_labels_that_are_no_tensors(labels):
    expected = rb.same_label(torch.tensor([0, 1, 0, 2]))
    assert torch.equal(rb.same_label(labels), expected)
    assert torch.equal(rb.same_label(labels, labels[1:]), expected[:, 1:])


def test_names_of_two_lists_are_the_same_names():
    assert rb.same_label(["b", "c"], ["a", "b", "c"]).tolist() == [[False, True, False], [False, False, True]]
    assert rb.same_label([0, 1], torch.tensor([1, 0])).tolist() == [[False, True], [True, False]]


def test_levels_of_names():
    levels = [["cat", "animal"], ["dog", "animal"], ["oak", "plant"]]
    assert rb.shared_levels(levels).tolist() == [[2, 1, 0], [1, 2, 0], [0, 0, 2]]


@pytest.mark.parametrize(
    "labels",
    [[[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 0]], [[0, 0], [1, 0], [0, 1], [1, 1]], torch.eye(4, dtype=torch.int64)],
    ids=["multi-hot", "anew in each parent", "one-hot"],
)
def test_columns_that_are_no_levels_are_refused(labels):
    labels = torch.as_tensor(labels)
    for function in (rb.same_label, rb.shared_levels):
        with pytest.raises(ValueError, match=r"labels must be nested levels, fine to coarse: label . of column 0 stands under .*multi-hot"):
            function(labels)


def test_levels_must_nest_across_the_reference_set():
    with pytest.raises(ValueError, match="nested levels"):
        rb.same_label(torch.tensor([[0, 0]]), torch.tensor([[0, 1]]))
    with rb.checks.off():
        assert rb.same_label(torch.tensor([[0, 0]]), torch.tensor([[0, 1]])).item()


def test_levels_deeper_than_any_tree_are_refused_at_once():
    with pytest.raises(ValueError, match="levels must be at most 64"):
        rb.hierarchical_relevance(torch.tensor([10**8, 0]))
