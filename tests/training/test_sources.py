"""Loaders as a source: dictionaries, tuples, texts, levels and images on the model's device; and a loader that resumes."""

import collections
from operator import itemgetter

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, StackDataset, TensorDataset

import rankbook as rb
from rankbook.training import sources, train

N = 24
LABELS = torch.arange(N) % 6
INPUTS = torch.nn.functional.one_hot(LABELS).float() + 0.2 * torch.randn(N, 6, generator=torch.Generator().manual_seed(0))
NAMES = [f"class {label}" for label in LABELS.tolist()]
LEVELS = torch.stack([LABELS, LABELS // 2], 1)
Triple = collections.namedtuple("Triple", "image label row")


class Rows(Dataset):
    def __init__(self, make):
        self.make = make

    def __len__(self):
        return N

    def __getitem__(self, i):
        return self.make(i)


FORMS = {
    "pairs": (lambda i: (INPUTS[i], LABELS[i]), None),
    "triples": (lambda i: (i, INPUTS[i], LABELS[i]), itemgetter(1, 2)),
    "dictionaries": (lambda i: {"row": i, "image": INPUTS[i], "label": LABELS[i]}, itemgetter("image", "label")),
    "named tuples": (lambda i: Triple(INPUTS[i], LABELS[i], i), lambda batch: (batch.image, batch.label)),
    "texts": (lambda i: (INPUTS[i], NAMES[i]), None),
    "whole numbers": (lambda i: (INPUTS[i], int(LABELS[i])), None),
    "levels": (lambda i: (INPUTS[i], LEVELS[i]), None),
    "levels one by one": (lambda i: (INPUTS[i], (int(LEVELS[i, 0]), int(LEVELS[i, 1]))), None),
}


def trained(form, workers=0, loss=None):
    make, pair = FORMS[form]
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    sampler = rb.BalancedBatchSampler(LABELS, classes=3, per_class=3)
    loader = DataLoader(Rows(make), batch_sampler=sampler, num_workers=workers)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    train(model, loss or rb.SmoothAPLoss(0.1), loader, optimizer, steps=7, pair=pair)
    return model.weight.detach()


@pytest.mark.parametrize("form", [form for form in FORMS if form != "pairs"])
def test_every_form_of_a_batch_trains_the_same(form):
    assert torch.equal(trained(form), trained("pairs"))


def test_workers_change_nothing():
    assert torch.equal(trained("dictionaries", workers=2), trained("pairs"))


def test_levels_reach_a_graded_loss():
    loss = rb.SupHAPLoss()
    assert torch.equal(trained("levels one by one", loss=loss), trained("levels", loss=loss))
    assert not torch.equal(trained("levels", loss=loss), trained("pairs", loss=loss))


# --- what a batch is not


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"image": 1, "label": 2, "row": 3}, r"dict with image, label, row; .* pair=operator\.itemgetter\('image', 'label'\)"),
        ((1, 2, 3), r"tuple of 3; .* pair=operator\.itemgetter\(0, 1\)"),
        ({"image": 1}, r"dict with image; .* pair=operator\.itemgetter\(0, 1\)"),
    ],
)
def test_what_is_no_pair_is_told_how_to_become_one(batch, said):
    with pytest.raises(TypeError, match=said):
        next(sources.endless([batch]))


@pytest.mark.parametrize(
    ("pair", "kind", "said"),
    [
        (itemgetter("pixels", "label"), ValueError, "pair finds no 'pixels' in a batch: it is a dict with image, label"),
        (itemgetter("image"), TypeError, r"pair must return \(inputs, labels\), got a int from a dict with image, label"),
        (lambda batch: tuple(batch.values()) * 2, TypeError, r"pair must return \(inputs, labels\), got a tuple of 4"),
    ],
)
def test_a_pair_that_is_none_is_named(pair, kind, said):
    with pytest.raises(kind, match=said):
        next(sources.endless([{"image": 1, "label": 2}], pair))


def test_a_data_set_is_told_to_be_loaded():
    with pytest.raises(TypeError, match=r"got StackDataset; try DataLoader\(batches, \.\.\.\)"):
        sources.endless(StackDataset(INPUTS, LABELS))
    with pytest.raises(TypeError, match=r"^pair must be callable"):
        train(nn.Linear(6, 2), rb.SmoothAPLoss(), [], torch.optim.SGD([nn.Parameter(INPUTS)]), steps=1, pair=("image", "label"))


# --- the model's device


def test_all_tensors_move_and_texts_stay():
    batch = {"a": torch.ones(2), "b": [torch.ones(1), Triple("x", torch.ones(3), 4)], "c": ("d", "e"), "f": None}
    found = sources.moved(batch, torch.device("meta"))
    assert found["a"].is_meta and found["b"][0].is_meta and found["b"][1].label.is_meta
    assert found["b"][1].image == "x" and found["c"] == ("d", "e") and found["f"] is None
    assert not batch["a"].is_meta and isinstance(found["b"][1], Triple)
    inputs, labels = next(sources.endless([(torch.ones(2, 3), ["cat", "dog"])], None, torch.device("meta")))
    assert inputs.is_meta and labels == ["cat", "dog"]


def test_batches_go_where_the_model_is():
    """A model on a device without memory: inputs that stayed on the CPU could not be multiplied with its weights."""
    seen = []

    def loss(embeddings, labels):
        seen.append((embeddings.device.type, labels.device.type))
        raise StopIteration

    model = nn.Linear(6, 2, device="meta")
    with pytest.raises(StopIteration):
        train(model, loss, [(INPUTS, LABELS)], torch.optim.SGD(model.parameters()), steps=1)
    assert seen == [("meta", "meta")]


# --- resuming


class Killed(Exception):
    pass


def run(path, kill=None, *, seed=0, steps=11, workers=0, classes=2, shuffled=False):
    """Dropout shows whether the random state resumes too. Three batches an epoch."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    options = {"batch_size": 8, "shuffle": True}
    if not shuffled:
        options = {"batch_sampler": rb.BalancedBatchSampler(LABELS, classes=classes, per_class=3, seed=9)}
    loader = DataLoader(TensorDataset(INPUTS, LABELS), num_workers=workers, **options)
    seen = []

    def loss(embeddings, labels):
        if len(seen) == kill:
            raise Killed
        seen.append(labels)
        return rb.SmoothAPLoss(0.1)(embeddings, labels)

    train(model, loss, loader, optimizer, steps=steps, every=1, checkpoint=path)
    return model[0].weight.detach(), seen


@pytest.mark.parametrize(("kill", "workers"), [(1, 0), (2, 0), (3, 0), (5, 0), (6, 0), (5, 2)])
def test_a_killed_training_resumes_in_the_middle_of_an_epoch(kill, workers, tmp_path):
    expected, batches = run(None)
    with pytest.raises(Killed):
        run(tmp_path / "c.pt", kill, workers=workers)
    weight, rest = run(tmp_path / "c.pt", seed=7, workers=workers)
    assert len(rest) == 11 - kill
    assert all(torch.equal(a, b) for a, b in zip(rest, batches[kill:], strict=True))
    assert torch.equal(weight, expected)


def test_a_loader_of_other_batches_is_refused(tmp_path):
    run(tmp_path / "c.pt", steps=2)
    with pytest.raises(ValueError, match=r"belongs to another training: batches\.classes was 2, is now 3"):
        run(tmp_path / "c.pt", classes=3)
    with pytest.raises(TypeError, match=r"got DataLoader; leave checkpoint out, or take .*DataLoader\(batch_sampler=rb\.Balanced"):
        run(tmp_path / "d.pt", shuffled=True)
