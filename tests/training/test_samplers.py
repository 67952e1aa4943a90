"""Batch samplers: the batches are those of `BalancedBatches`, epochs follow from seed and number, siblings come together."""

import collections
from itertools import chain

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import rankbook as rb

LABELS = torch.randint(10, (60,), generator=torch.Generator().manual_seed(0))
#: 23 classes in 6 groups of 1, 2, 3, 4, 5 and 8 classes, in 2 domains; 1 to 4 items a class, in disorder
GROUP_OF_CLASS = torch.arange(6).repeat_interleave(torch.tensor([1, 2, 3, 4, 5, 8]))
CLASS_OF_ITEM = torch.arange(23).repeat_interleave(torch.arange(23) % 4 + 1)[torch.randperm(56, generator=torch.Generator().manual_seed(1))]
TREE = torch.stack([CLASS_OF_ITEM, GROUP_OF_CLASS[CLASS_OF_ITEM], GROUP_OF_CLASS[CLASS_OF_ITEM] // 3], dim=1)


def flat(labels=LABELS, **options):
    return rb.BalancedBatchSampler(labels, **{"classes": 4, "per_class": 3} | options)


def tree(**options):
    return rb.HierarchicalBatchSampler(TREE, **{"groups": 2, "classes": 3, "per_class": 2} | options)


SAMPLERS = {"flat": flat, "tree": tree}


def epochs(sampler, count):
    return [list(sampler) for _ in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_the_first_epoch_is_that_of_the_batches_in_memory(seed):
    """Two doors to one plan."""
    memory = rb.BalancedBatches(torch.arange(60), LABELS, classes=4, per_class=3, generator=torch.Generator().manual_seed(seed))
    sampler = flat(seed=seed)
    assert list(sampler) == [next(memory)[0].tolist() for _ in range(len(sampler))]


@pytest.mark.parametrize("seed", range(3))
def test_an_epoch_covers_all_classes_with_per_class_items_each(seed):
    sampler, sizes = flat(seed=seed), LABELS.bincount()
    for epoch in epochs(sampler, 3):
        assert len(epoch) == len(sampler) == 3
        assert set(LABELS[torch.tensor([*chain(*epoch)])].tolist()) == set(LABELS.tolist())
        for items in epoch:
            assert all(type(item) is int for item in items) and len(set(items)) == len(items)
            names, counts = LABELS[items].unique(return_counts=True)
            assert len(names) == 4 and torch.equal(counts, sizes[names].clamp(max=3))


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize(("groups", "classes"), [(1, 3), (2, 3), (2, 1), (2, 8)])
def test_a_batch_holds_siblings(groups, classes, level):
    sampler = tree(groups=groups, classes=classes, level=level, seed=5)
    siblings = torch.stack([TREE[:, level], CLASS_OF_ITEM], 1).unique(dim=0)[:, 0].bincount()
    for epoch in epochs(sampler, 3):
        assert len(epoch) == len(sampler)
        assert set(CLASS_OF_ITEM[[*chain(*epoch)]].tolist()) == set(range(23))
        for items in epoch:
            assert len(set(items)) == len(items)
            rows = TREE[items]
            assert len(rows[:, level].unique()) == groups
            for group in rows[:, level].unique().tolist():
                members, counts = rows[rows[:, level] == group, 0].unique(return_counts=True)
                assert len(members) == min(classes, siblings[group])
                assert torch.equal(counts, CLASS_OF_ITEM.bincount()[members].clamp(max=2))


def test_an_epoch_of_groups_is_as_short_as_it_can_be():
    """Hands of 3: 1 + 1 + 1 + 2 + 2 + 3 of the six groups. Two a batch: 5; three a batch: 4; five a batch: the largest group's 3."""
    assert [len(tree(groups=groups)) for groups in (1, 2, 3, 5)] == [10, 5, 4, 3]


def test_batches_of_groups_come_in_any_order():
    """Where the large groups always came first, early batches would differ from late ones."""
    first = collections.Counter(int(GROUP_OF_CLASS[CLASS_OF_ITEM[next(iter(tree(groups=1, seed=seed)))[0]]]) for seed in range(60))
    assert len(first) == 6


@pytest.mark.parametrize("kind", SAMPLERS)
def test_each_iteration_is_another_epoch_and_seed_and_number_say_which(kind):
    make = SAMPLERS[kind]
    first, second, third = epochs(make(seed=3), 3)
    assert first != second != third != first
    assert epochs(make(seed=3), 2) == [first, second]
    assert epochs(make(seed=4), 1) != [first] and epochs(make(seed=4), 1) != [second]
    again = make(seed=3)
    again.set_epoch(2)
    assert epochs(again, 1) == [third]
    again.set_epoch(1)
    next(iter(again))  # one that is left in the middle does not come again
    assert epochs(again, 1) == [third]


@pytest.mark.parametrize("kind", SAMPLERS)
def test_the_seed_may_come_from_a_generator(kind):
    make = SAMPLERS[kind]
    by = lambda seed: epochs(make(generator=torch.Generator().manual_seed(seed)), 2)  # noqa: E731
    assert by(1) == by(1) != by(2)
    before = torch.get_rng_state()
    epochs(make(), 2)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("given", range(7))
def test_a_sampler_goes_on_from_its_state(kind, given):
    make = SAMPLERS[kind]
    take = lambda sampler, count: [items for _ in range(4) for items in sampler][:count]  # noqa: E731
    expected = take(make(seed=1), 10)
    sampler, found = make(seed=1), []
    while len(found) < given:
        for items in sampler:
            found.append(items)
            if len(found) == given:
                break
    resumed = make(seed=2)
    resumed.load_state_dict(sampler.state_dict())
    assert len(list(resumed)) > 0  # at the end of an epoch comes the next one, not an empty one
    resumed.load_state_dict(sampler.state_dict())
    assert found + take(resumed, 10 - given) == expected
    assert isinstance(resumed.state_dict()["epoch"], int)


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("processes", [2, 5])
def test_processes_share_the_batches_of_one(kind, processes):
    """Consecutive parts that differ by one item at most, in each epoch, after ``set_epoch`` and from a state of any of them."""
    make = SAMPLERS[kind]
    expected = epochs(make(seed=3), 3)
    parts = [make(seed=3, num_replicas=processes, rank=rank) for rank in range(processes)]
    assert {len(part) for part in parts} == {len(expected[0])}

    def together():
        shares = list(zip(*(list(part) for part in parts), strict=True))
        assert all(max(map(len, share)) - min(map(len, share)) <= 1 for share in shares)
        return [[*chain(*share)] for share in shares]

    assert [together() for _ in range(3)] == expected
    assert any(len(batch) % processes for epoch in expected for batch in epoch) or processes == 2
    for part in parts:
        part.set_epoch(1)
    assert together() == expected[1]
    for part in parts:
        part.load_state_dict({"seed": 3, "epoch": 2, "position": 1})
    assert together() == expected[2][1:]
    assert len({str(part.state_dict()) for part in parts}) == 1 and len({str(part.fingerprint()) for part in parts}) == processes


def test_a_batch_with_fewer_items_than_processes_is_refused():
    with pytest.raises(ValueError, match="num_replicas must be at most the items of a batch, but one of epoch 0 has 3 for 4 processes"):
        list(flat(torch.arange(9), classes=3, per_class=1, num_replicas=4))


@pytest.mark.parametrize("workers", [0, 2])
def test_it_feeds_a_data_loader(workers):
    data = TensorDataset(torch.arange(60), LABELS)
    loader = DataLoader(data, batch_sampler=flat(), num_workers=workers)
    assert len(loader) == 3
    found = [[items.tolist() for items, _ in loader] for _ in range(2)]
    assert found == epochs(flat(), 2)


NAMES = [f"class {label}" for label in LABELS.tolist()]


@pytest.mark.parametrize(
    "labels",
    [
        NAMES,
        tuple(NAMES),
        np.array(NAMES),
        pd.Series(NAMES, index=range(60, 120)),
        pd.Series(NAMES).astype("category"),
        LABELS.int().numpy(),
    ],
    ids=["list", "tuple", "array", "column", "category", "integers"],
)
def test_all_forms_of_labels_give_the_same_batches(labels):
    assert epochs(flat(labels), 2) == epochs(flat(), 2)


def test_levels_may_be_texts():
    texts = [[f"c{c:02}", f"g{g}", f"d{d}"] for c, g, d in TREE.tolist()]
    make = lambda labels: rb.HierarchicalBatchSampler(labels, groups=2, classes=3, per_class=2)  # noqa: E731
    for labels in (texts, pd.DataFrame(texts), np.array(texts)):
        assert epochs(make(labels), 2) == epochs(tree(), 2)
    assert epochs(flat(TREE), 1) == epochs(flat(CLASS_OF_ITEM), 1)  # the finest level


@pytest.mark.parametrize("kind", SAMPLERS)
def test_the_default_device_and_dtype_do_not_matter(kind):
    expected = epochs(SAMPLERS[kind](), 2)
    try:
        torch.set_default_device("meta")
        torch.set_default_dtype(torch.float64)
        found = epochs(SAMPLERS[kind](), 2)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert found == expected


@pytest.mark.parametrize(
    ("make", "change", "kind", "message"),
    [
        (flat, {"classes": 11}, ValueError, "classes must be from 1 to the 10 classes of labels, got 11"),
        (flat, {"classes": 0}, ValueError, "classes must be a whole number of at least 1, got 0"),
        (flat, {"per_class": 1.5}, ValueError, "per_class must be a whole number"),
        (flat, {"labels": torch.zeros(3)}, ValueError, "labels must be integers"),
        (flat, {"labels": []}, (ValueError, TypeError), "labels must"),
        (flat, {"labels": (torch.randn(9, 4) > 0).long()}, ValueError, "labels must be nested levels"),
        (flat, {"seed": -1}, ValueError, "seed must be a whole number from 0"),
        (flat, {"seed": "3"}, ValueError, "seed must be a whole number"),
        (flat, {"generator": 3}, TypeError, "generator must be a Generator"),
        (flat, {"generator": torch.Generator(), "seed": 1}, ValueError, "seed must be left out if there is a generator"),
        (flat, {"num_replicas": 0}, ValueError, "num_replicas must be a whole number of at least 1, got 0"),
        (tree, {"num_replicas": 2, "rank": 2}, ValueError, "rank must be a whole number from 0 to 1, got 2"),
        (tree, {"rank": 1}, ValueError, "rank must be"),
        (tree, {"groups": 7}, ValueError, "groups must be from 1 to the 6 groups of labels, got 7"),
        (tree, {"groups": 0}, ValueError, "groups must be a whole number"),
        (tree, {"classes": 9}, ValueError, "classes must be from 1 to 8, the classes of the largest group of labels, got 9"),
        (tree, {"level": 0}, ValueError, "level must be a whole number from 1 to 2, got 0"),
        (tree, {"level": 3}, ValueError, "level must be a whole number from 1 to 2, got 3"),
    ],
)
def test_bad_arguments_name_themselves(make, change, kind, message):
    with pytest.raises(kind, match=message):
        make(**change)


def test_flat_labels_have_no_groups():
    with pytest.raises(ValueError, match=r"labels must be \[n, levels\] with at least two levels.*rb\.BalancedBatchSampler"):
        rb.HierarchicalBatchSampler(LABELS, groups=1, classes=2, per_class=1)


@pytest.mark.parametrize(
    "state", [None, {}, {"epoch": 1}, {"seed": 0, "epoch": -1, "position": 0}, {"seed": 0, "epoch": 0, "position": 99}]
)
def test_a_bad_state_is_named(state):
    with pytest.raises(ValueError, match=r"state must be|epoch must be|position must be"):
        flat().load_state_dict(state)
