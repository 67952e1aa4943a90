"""Real sets as retrieval splits, a gallery that is another split, and losses with a vector for each class."""

import math

import numpy as np
import pytest
import torch

import rankbook as rb
from experiments.tiny import clusters
from rankbook.experiments import __main__ as command
from rankbook.experiments import untrained
from rankbook.experiments.class_vectors import CrossEntropy, NormalizedSoftmax, WithClasses
from rankbook.experiments.tables import read_table, stored_table
from rankbook.experiments.tasks.hierarchical import HierarchicalRetrieval
from rankbook.experiments.tasks.retrieval import Retrieval
from rankbook.experiments.tasks.sets import birds, groceries
from rankbook.experiments.train.data import split_samples

FAMILIES = ("Tern", "Gull", "Auklet")


@pytest.fixture
def species(tmp_path):
    """Ten species of the first hundred and four of the second, two photographs each, from three families."""
    names = [f"{i:03d}.Some_{FAMILIES[i % 3]}/{j}.jpg" for i in (*range(1, 11), *range(101, 105)) for j in range(2)]
    features = np.random.default_rng(0).normal(size=(len(names), 4)).astype(np.float32)
    np.savez(tmp_path / "features_lite0.npz", image=names, X=features)
    return tmp_path


def test_birds_are_split_by_species_and_know_their_family(species):
    splits = {split: birds(split, species) for split in ("train", "validation", "test")}
    labels = {split: set(data.labels.tolist()) for split, data in splits.items()}
    assert labels == {"train": {0, 1, 2, 3, 5, 6, 7, 8}, "validation": {4, 9}, "test": {100, 101, 102, 103}}
    for data in splits.values():
        families = [FAMILIES[(label + 1) % 3] for label in data.labels.tolist()]
        assert data.levels[:, 0].tolist() == data.labels.tolist()
        assert [sorted(FAMILIES)[family] for family in data.levels[:, 1].tolist()] == families


def test_a_set_without_validation_classes_gives_up_some_of_its_training(species):
    train, judged = split_samples("cub", species, inputs="features", validation=0.2)
    seen, held = set(train.labels.tolist()), set(judged.labels.tolist())
    assert seen | held == set(range(10)) and len(held) == 2 and not seen & held


def test_groceries_have_one_list_of_products(tmp_path):
    lists = {"train.txt": "train", "val.txt": "val", "test.txt": "test"}
    files = {name: [f"{part}/Fruit/{i}/{j}.jpg" for i in range(3) for j in range(2)] for name, part in lists.items()}
    for name, listed in files.items():
        (tmp_path / name).write_text("\n".join(f"{file}, {row // 2}, 0" for row, file in enumerate(listed)))
    rows = [f"product {i},{i},Fruit,0" for i in range(3)]
    (tmp_path / "classes.csv").write_text("\n".join(["Class Name,Class ID,Coarse Class Name,Coarse Class ID", *rows]))
    every = [file for listed in files.values() for file in listed]
    np.savez(tmp_path / "features_lite0.npz", image=every, X=np.arange(len(every), dtype=np.float32)[:, None])
    for split, name in (("train", "train.txt"), ("validation", "val.txt"), ("test", "test.txt")):
        data = groceries(split, tmp_path)
        assert data.table["file"].tolist() == files[name] and data.labels.tolist() == [0, 0, 1, 1, 2, 2]
        assert data.inputs.squeeze(1).tolist() == [every.index(file) for file in files[name]]


@pytest.mark.parametrize("kind", [Retrieval, HierarchicalRetrieval])
def test_another_split_is_searched(kind):
    """By hand: a query finds the items of the gallery, and itself only where it stands in it."""
    task = kind(load=clusters, gallery="validation")
    queries, gallery = clusters("validation"), clusters("validation")
    found = task.measure(torch.nn.Identity(), "validation")
    assert found["R@1"] == 1.0  # each finds itself: the gallery is another split, and holds what it holds
    ranked = (queries.inputs @ gallery.inputs.T).argsort(dim=1, descending=True)
    precision = []
    for row, order in enumerate(ranked):
        hits = (gallery.labels[order] == queries.labels[row]).double()
        precision.append((hits * hits.cumsum(0) / torch.arange(1, len(hits) + 1)).sum() / hits.sum())
    assert found["AP"] == pytest.approx(float(torch.stack(precision).mean()), abs=1e-6)
    assert kind(load=clusters).measure(torch.nn.Identity(), "validation")["R@1"] < 1.0


def test_class_vectors_number_the_classes_of_the_training():
    labels = torch.tensor([70, 70, 12, 12, 900])
    embeddings = torch.nn.functional.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    loss = NormalizedSoftmax(0.1)
    torch.manual_seed(0)
    loss.meet(labels, 8)
    assert loss.loss.proxies.shape == (3, 8)
    logits = embeddings @ torch.nn.functional.normalize(loss.loss.proxies, dim=1).T / 0.1
    by_hand = torch.nn.functional.cross_entropy(logits, torch.tensor([1, 1, 0, 0, 2]))
    assert loss(embeddings, labels).item() == pytest.approx(by_hand.item(), rel=1e-5)

    both = WithClasses(rb.SupAPLoss(), 0.25, temperature=0.1)
    both.meet(labels, 8)
    both.clusters.loss.load_state_dict(loss.loss.state_dict())
    here, there = embeddings[:4], labels[:4]
    wanted = 0.75 * rb.SupAPLoss()(here, there) + 0.25 * loss(here, there)
    assert both(here, there).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_faster_vectors_turn_faster():
    """One step of Adam on shorter vectors turns them more; the model is the same to begin with."""

    def turned(speed: float) -> float:
        loss = NormalizedSoftmax(0.1, speed)
        torch.manual_seed(0)
        loss.meet(torch.arange(4), 64)
        before = torch.nn.functional.normalize(loss.loss.proxies.detach(), dim=1)
        optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
        loss(torch.nn.functional.normalize(torch.randn(4, 64), dim=1), torch.arange(4)).backward()
        optimizer.step()
        return float((1 - (before * torch.nn.functional.normalize(loss.loss.proxies.detach(), dim=1)).sum(1)).mean())

    assert turned(10) > 50 * turned(1) > 0  # an angle ten times as large: its cosine falls short of 1 by a hundred times as much


def test_plain_class_vectors_decay_and_smooth():
    """By hand, on labels that are not 0 to n - 1; the vectors begin at 0 and are trained with the head."""
    labels, embeddings = torch.tensor([7, 7, 2, 9]), torch.nn.functional.normalize(torch.randn(4, 8), dim=1)
    loss = CrossEntropy(weight_decay=0.2, smoothing=0.3, speed=10.0)
    loss.meet(labels, 8)
    assert loss(embeddings, labels).item() == pytest.approx(math.log(3), rel=1e-6)
    with torch.no_grad():
        loss.slow.copy_(torch.randn(3, 8))
    vectors, target = 10 * loss.slow, torch.tensor([1, 1, 0, 2])
    share = 0.7 * torch.nn.functional.one_hot(target, 3) + 0.3 / 3
    by_hand = -(share * (embeddings @ vectors.T).log_softmax(1)).sum(1).mean() + 0.1 * vectors.square().sum()
    assert loss(embeddings, labels).item() == pytest.approx(by_hand.item(), rel=1e-5)
    Retrieval(load=clusters, classes=8, outputs=8).fit(trained := CrossEntropy(), lr=0.01, seed=3, steps=3)
    assert trained.slow.shape == (40, 8) and trained.slow.abs().max() > 0


def test_class_vectors_are_trained_with_the_head():
    loss = NormalizedSoftmax(0.1)
    task = Retrieval(load=clusters, classes=8, outputs=8)
    head = task.fit(loss, lr=0.0, seed=3, steps=1)
    other = task.fit(rb.SmoothAPLoss(), lr=0.0, seed=3, steps=1)
    assert torch.equal(head.linear.weight, other.linear.weight)  # the vectors take nothing from the first weights
    first = loss.loss.proxies.detach().clone()
    task.fit(trained := NormalizedSoftmax(0.1), lr=0.01, seed=3, steps=3)
    assert len(first) == 40 and not torch.equal(trained.loss.proxies, first)


def test_what_is_there_before_any_training(tmp_path, species, capsys):
    """The bundled set again; another of the study's sets stands beside it, and whatever the length of its features."""
    command.main(["untrained", "--folder", str(tmp_path)])
    stored = stored_table("untrained").set_index("data")
    made = read_table(tmp_path / "untrained.csv").set_index("data")
    assert made.loc["emoji", "AP"] == pytest.approx(stored.loc["emoji", "AP"], abs=2e-5)
    command.main(["untrained", "--data", "cub", "--root", str(species), "--folder", str(tmp_path)])
    lines = read_table(tmp_path / "untrained.csv").set_index("data")
    assert list(lines.index) == ["cub", "emoji"] and lines.loc["cub", "command"].endswith("untrained --data cub --root DIR")
    unit = torch.nn.functional.normalize(birds("test", species).inputs, dim=1)
    wanted = rb.evaluate_retrieval(unit, birds("test", species).labels)
    assert lines.loc["cub", "AP"] == pytest.approx(wanted["AP"], abs=2e-5)
    assert set(stored.index) >= {untrained.STUDY.data, *untrained.STUDY.sets}
    assert untrained.untrained("cub")["R@1"] == stored.loc["cub", "R@1"]
