"""Batches: each class comes with several items, whatever the labels are; and any iterable of pairs feeds a training."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from rankbook.training.batches import BalancedBatches
from rankbook.training.sources import endless


def data(seed=0, n=50, classes=10):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=g), torch.randint(classes, (n,), generator=g)


def epoch(seed=0, classes=4, per_class=3, n=40, of=10, generator=None):
    x, y = torch.arange(n), data(seed, n, of)[1]
    generator = generator or torch.Generator().manual_seed(seed)
    batches = BalancedBatches(x, y, classes=classes, per_class=per_class, generator=generator)
    return y, [next(batches) for _ in range(-(-len(y.unique()) // classes))]


@pytest.mark.parametrize("seed", range(5))
def test_each_epoch_covers_all_classes_with_per_class_items_each(seed):
    y, batches = epoch(seed)
    sizes = y.bincount()
    assert set(torch.cat([labels for _, labels in batches]).tolist()) == set(y.tolist())
    for items, labels in batches:
        names, counts = labels.unique(return_counts=True)
        assert len(names) == 4
        assert torch.equal(counts, sizes[names].clamp(max=3))
        assert len(items.unique()) == len(items)
        assert torch.equal(y[items], labels)


def test_items_of_a_class_take_turns():
    """Two of five items, drawn 500 times: each item 200 times, up to chance."""
    batches = BalancedBatches(torch.arange(5), torch.zeros(5, dtype=torch.long), classes=1, per_class=2, generator=torch.Generator())
    counts = torch.cat([next(batches)[0] for _ in range(500)]).bincount()
    assert (counts - 200).abs().max() < 60


def test_batches_go_on_from_their_state():
    x, y = data()
    make = lambda seed: BalancedBatches(x, y, classes=3, per_class=2, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    first, second = make(0), make(1)
    for _ in range(6):
        next(first)
    second.load_state_dict(first.state_dict())
    for _ in range(9):  # across two epochs
        assert torch.equal(next(first)[0], next(second)[0])


def test_batches_leave_the_global_seed_alone():
    before = torch.get_rng_state()
    epoch()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.zeros(3)}, "labels must be integers"),
        ({"labels": torch.zeros(2, dtype=torch.long)}, "one for each of the 3 inputs"),
        ({"classes": 3}, "classes must be from 1 to the 2 classes of labels, got 3"),
        ({"per_class": 0}, "per_class must be a whole number of at least 1, got 0"),
        ({"per_class": 2.0}, "per_class must be a whole number of at least 1, got 2.0"),
        ({"classes": 0}, "classes must be a whole number of at least 1, got 0"),
        ({"labels": torch.tensor([[0, 0], [0, 1], [1, 1]])}, "labels must be nested levels"),
    ],
)
def test_bad_batches_are_named(change, message):
    arguments = {
        "inputs": torch.ones(3, 1),
        "labels": torch.tensor([0, 0, 1]),
        "classes": 2,
        "per_class": 1,
        "generator": torch.Generator(),
    }
    with pytest.raises(ValueError, match=message):
        BalancedBatches(**arguments | change)


@pytest.mark.parametrize("inputs", [pd.DataFrame({"a": [1.0, 2, 3]}), pd.Series([1.0, 2, 3])], ids=lambda x: type(x).__name__)
def test_a_table_is_refused_with_the_way_out(inputs):
    make = partial(BalancedBatches, labels=[0, 0, 1], classes=2, per_class=1, generator=torch.Generator())
    with pytest.raises(TypeError, match=r"inputs must be a tensor .* try torch\.tensor\(inputs\.to_numpy\(\)\)"):
        make(inputs)
    assert len(next(make(torch.tensor(inputs.to_numpy())))[0]) == 2


@pytest.mark.parametrize("inputs", [[torch.ones(2)] * 3, ({},) * 3, {"a": 1, "b": 2, "c": 3}, "abc", 7], ids=lambda x: type(x).__name__)
def test_inputs_that_no_tensor_selects_from_are_refused(inputs):
    with pytest.raises(TypeError, match=rf"inputs must be a tensor .* got {type(inputs).__name__}; try torch\.stack"):
        BalancedBatches(inputs, [0, 0, 1], classes=2, per_class=1, generator=torch.Generator())
    with pytest.raises(TypeError, match="generator must be a Generator"):
        BalancedBatches(torch.ones(3, 1), [0, 0, 1], classes=2, per_class=1, generator=0)


NAMES = ["cat", "dog", "cat", "eel", "dog", "eel", "eel"]
FORMS = {
    "list": NAMES,
    "tuple": tuple(NAMES),
    "array of strings": np.array(NAMES),
    "array of objects": np.array(NAMES, dtype=object),
    "column": pd.Series(NAMES, index=range(10, 17)),
    "integers": [3, 5, 3, 9, 5, 9, 9],
    "int32": torch.tensor([3, 5, 3, 9, 5, 9, 9], dtype=torch.int32),
    "levels": [["cat", "fur"], ["dog", "fur"], ["cat", "fur"], ["eel", "no fur"], ["dog", "fur"], ["eel", "no fur"], ["eel", "no fur"]],
    "tensor of levels": torch.tensor([[3, 0], [5, 0], [3, 0], [9, 1], [5, 0], [9, 1], [9, 1]]),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_labels_give_the_same_batches(form):
    make = lambda labels: BalancedBatches(  # noqa: E731
        torch.arange(7), labels, classes=2, per_class=2, generator=torch.Generator().manual_seed(1)
    )
    ours, plain = make(FORMS[form]), make(torch.tensor([0, 1, 0, 2, 1, 2, 2]))
    for _ in range(6):
        (items, labels), (expected, _) = next(ours), next(plain)
        assert torch.equal(items, expected)
        assert labels.shape[0] == len(items) and labels.dim() == (2 if "levels" in form else 1)
        same = lambda a, b: torch.equal(a[:, None] == a[None], b[:, None] == b[None])  # noqa: E731
        assert same(labels if labels.dim() == 1 else labels[:, 0], torch.tensor([0, 1, 0, 2, 1, 2, 2])[items])


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_the_default_device_and_dtype_do_not_matter(device):
    x, y = data()
    make = lambda: BalancedBatches(x, y, classes=3, per_class=2, generator=torch.Generator().manual_seed(0))  # noqa: E731
    expected = [next(make())[0] for _ in range(1)]
    try:
        torch.set_default_device(device)
        torch.set_default_dtype(torch.float64)
        found = [next(make())[0] for _ in range(1)]
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found[0], expected[0])


# --- any iterable of pairs


def take(batches, count):
    stream = endless(batches)
    return [next(stream) for _ in range(count)]


def test_an_iterable_starts_anew_each_epoch():
    loader = DataLoader(TensorDataset(torch.arange(5), torch.arange(5) + 10), batch_size=2)
    found = take(loader, 7)
    assert [x.tolist() for x, _ in found] == [[0, 1], [2, 3], [4], [0, 1], [2, 3], [4], [0, 1]]
    assert all(torch.equal(y, x + 10) for x, y in found)
    assert [x for x, _ in take([(1, 2), (3, 4)], 3)] == [1, 3, 1]


def test_an_iterator_is_taken_as_it_is():
    assert take(iter([(1, 2), [3, 4]]), 2) == [(1, 2), (3, 4)]
    with pytest.raises(ValueError, match=r"batches ended after 2, before the last step; .* the DataLoader itself in place of iter"):
        take(iter([(1, 2), (3, 4)]), 3)


def test_nothing_is_fetched_ahead():
    """Or the state of the batches in a checkpoint would be one of a later step."""
    fetched = []
    stream = endless((fetched.append(step), step) for step in range(5))
    next(stream), next(stream)
    assert fetched == [0, 1]


@pytest.mark.parametrize("nothing", [[], DataLoader(TensorDataset(torch.ones(3)), batch_size=4, drop_last=True)], ids=["list", "loader"])
def test_an_empty_iterable_is_named(nothing):
    with pytest.raises(ValueError, match=f"at least one batch, but this {type(nothing).__name__} is empty; look at drop_last"):
        take(nothing, 1)


@pytest.mark.parametrize(
    ("batch", "got"),
    [
        ((1, 2, 3), "tuple of 3"),
        ([torch.ones(2)], "list of 1"),
        ({"pixels": 1, "label": 2}, "dict with pixels, label"),
        (torch.ones(2, 3), "Tensor"),
        ("ab", "str"),
        (None, "NoneType"),
    ],
)
@pytest.mark.parametrize("anew", [True, False])
def test_what_is_no_pair_is_named(batch, got, anew):
    with pytest.raises(TypeError, match=rf"batches must give pairs \(inputs, labels\), got a {got}"):
        take([batch] if anew else iter([batch]), 1)


@pytest.mark.parametrize("batches", [7, None, torch.nn.Linear(1, 1)])
def test_what_gives_no_batches_is_named(batches):
    with pytest.raises(TypeError, match=r"batches must be an iterator or an iterable of pairs .* got"):
        endless(batches)
