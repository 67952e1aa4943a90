"""A set of the reader's joins the leaderboard by the same protocol, in a folder of its own."""

import re
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.tiny import TINY, clusters
from rankbook.datasets import Samples
from rankbook.experiments import leaderboard, own_set
from rankbook.experiments.__main__ import main
from rankbook.experiments.parts import signature
from rankbook.experiments.tables import read_table
from rankbook.experiments.tasks.pixels import PixelRetrieval

HEAD = replace(TINY, name="retrieval", steps=2, budgets=())
PIXELS = replace(HEAD, name="retrieval_pixels", task=PixelRetrieval(load=clusters, outputs=8), sets={})


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Studies of milliseconds, and no stored tables."""
    monkeypatch.setattr(leaderboard, "protocols", lambda: {"head": HEAD, "pixels": PIXELS})
    monkeypatch.setattr(leaderboard, "stored_path", lambda name: tmp_path / "stored" / f"{name}.csv")
    own_set.parts.cache_clear()


@pytest.fixture
def features(tmp_path):
    """A folder of ready features: 12 classes of 4 items."""
    g = np.random.default_rng(0)
    labels = np.arange(48) // 4
    (tmp_path / "mine").mkdir()
    names = np.array([f"class{label}/{item}.jpg" for item, label in enumerate(labels)])
    np.savez(tmp_path / "mine/features_lite0.npz", image=names, X=(g.normal(size=(12, 6))[labels] + g.normal(size=(48, 6))).astype("f2"))
    return tmp_path / "mine"


@pytest.fixture
def photos(tmp_path):
    """A folder of pictures: 9 classes of 3."""
    g = np.random.default_rng(0)
    for label in range(9):
        (tmp_path / f"photos/class{label}").mkdir(parents=True)
        for item in range(3):
            Image.fromarray(g.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(tmp_path / f"photos/class{label}/{item}.png")
    return tmp_path / "photos"


def test_ready_features_are_run_told_and_found_again(tiny, features, tmp_path, capsys):
    command = ["leaderboard", "--data", str(features), "--folder", str(tmp_path / "out")]
    main(command)
    said = capsys.readouterr().out
    assert "leaderboard, mine: Does it run?\n    0 of 12 runs are stored; none is timed yet" in said
    assert "two knobs" in said and str(tmp_path / "out/leaderboard.csv") in said
    board = read_table(tmp_path / "out/leaderboard.csv")
    assert set(board["data"]) == {"mine"} and set(board["network"]) == {"head"} and len(board) == 2 * len(HEAD.task.metrics)
    assert set(board["command"]) == {"python -m rankbook.experiments leaderboard --data mine"}
    runs = (tmp_path / "out/retrieval.csv").read_bytes()
    main(command)
    assert "12 of 12 runs are stored" in capsys.readouterr().out
    assert (tmp_path / "out/retrieval.csv").read_bytes() == runs, "nothing is trained twice"


def test_our_lines_stand_beside_those_of_the_reader(tiny, features, tmp_path, monkeypatch):
    HEAD.complete(tmp_path / "stored")
    leaderboard.write(tmp_path / "stored")
    monkeypatch.setattr(leaderboard, "stored_table", lambda name: read_table(tmp_path / "stored" / f"{name}.csv"))
    study = leaderboard.study_on(str(features))
    assert "by ours on emoji" in leaderboard.price(study, tmp_path / "out")
    for _ in range(2):
        path = leaderboard.extend(study, tmp_path / "out")
        assert read_table(path).groupby("data").size().to_dict() == {"emoji": 8, "mine": 8}
    assert (tmp_path / "stored/leaderboard.csv").read_bytes() != path.read_bytes()
    with pytest.raises(ValueError, match="folder must be one of yours"):
        leaderboard.extend(study, tmp_path / "stored")


def test_other_content_is_another_set(tiny, features):
    task = leaderboard.study_on(str(features)).task
    held = np.load(features / "features_lite0.npz")
    np.savez(features / "features_lite0.npz", image=held["image"], X=held["X"] + 1)
    own_set.parts.cache_clear()
    again = leaderboard.study_on(str(features)).task
    assert task != again and task.load.__name__ != again.load.__name__
    assert str(features.parent) not in signature(again) and "load=mine-" in signature(again)


def test_pictures_train_the_small_network(tiny, photos, tmp_path, capsys):
    main(["leaderboard", "--data", str(photos), "--folder", str(tmp_path / "out")])
    board = read_table(tmp_path / "out/leaderboard.csv")
    assert set(board["network"]) == {"pixels"} and set(board["data"]) == {"photos"} and board["mean"].between(0, 1).all()
    assert "photos" in capsys.readouterr().out


def test_classes_are_drawn_apart_and_the_same_each_time(tiny, photos):
    parts = own_set.parts(str(photos), None, "pixels")
    labels = [set(samples.labels.tolist()) for samples in parts[:3]]
    assert [len(one) for one in labels] == [3, 2, 4] and len(set.union(*labels)) == 9
    assert parts.train.inputs.dtype == torch.uint8 and parts.train.inputs.shape[1:] == (3, 48, 48)
    own_set.parts.cache_clear()
    assert labels == [set(samples.labels.tolist()) for samples in own_set.parts(str(photos), None, "pixels")[:3]]


def three(split: Literal["train", "validation", "test"] = "train") -> Samples:
    return clusters(split)


def two(root, split: Literal["train", "test", "all"] = "all") -> Samples:
    return clusters(split)


def same(split: Literal["train", "validation", "test"] = "train") -> Samples:
    """The items of every split are of the classes of the training, as photographs of the same products are."""
    data = clusters(split)
    return Samples(data.inputs, data.labels % 12)


def mixed(split: Literal["train", "validation", "test"] = "train") -> Samples:
    data = clusters(split)
    return Samples(data.inputs, data.labels % 55)


def whole() -> Samples:
    return clusters("train")


def few() -> Samples:
    return clusters("train")[:35]


def scores() -> Samples:
    return Samples(torch.eye(20))


@pytest.fixture
def sets(tiny, monkeypatch):
    monkeypatch.setattr(own_set, "known", lambda: {one.__name__: one for one in (three, two, same, mixed, whole, few, scores)})


def test_splits_of_the_sets_own_are_kept(sets, tmp_path):
    found = own_set.parts("three", None, "head")
    assert found.gallery is None and torch.equal(found.validation.labels, clusters("validation").labels)
    found = own_set.parts("two", tmp_path, "head")
    assert set(found.validation.labels.tolist()) == set(range(4, 40, 5)), "every fifth of the training classes chooses"
    assert set(found.train.labels.tolist()) | set(found.validation.labels.tolist()) == set(range(40))
    assert own_set.parts("same", None, "head").gallery == "train"
    assert own_set.own_task("whole", None, "head").classes == 16
    assert leaderboard.study_on("whole").task.gallery is None


def test_what_searches_a_gallery_is_measured_there(sets):
    task = own_set.own_task("same", None, "head")
    queries, gallery = task.samples("test"), task.samples("train")
    nearest = gallery.labels[(queries.inputs.double() @ gallery.inputs.double().T).argmax(1)]
    assert task.measure(torch.nn.Identity(), "test")["R@1"] == pytest.approx((nearest == queries.labels).double().mean().item())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "nowhere", "--folder", "out"], "data must be one of three, two, .*or a folder of pictures"),
        (["--data", "three"], "folder must be named for a set of yours"),
        (["--data", "two", "--folder", "out"], "two does not come with the package; say where it is: --root DIR"),
        (["--data", "noisy", "--folder", "out"], "noisy does not come with the package"),
        (["--data", "three", "--root", "x", "--folder", "out"], "root is nothing that three takes"),
        (["--data", "few", "--folder", "out"], "data must have 8 classes or more, few has 7"),
        (["--data", "scores", "--folder", "out"], "two classes or more of two items or more in each split, scores has 0"),
        (["--data", "mixed", "--folder", "out"], "mixed has 9 in two"),
        (["--data", "three", "--network", "pixels", "--folder", "out"], r"data must hold images for --network pixels, got \[200, 16\]"),
    ],
)
def test_what_the_protocol_cannot_use_is_named(sets, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["leaderboard", *arguments])
    text = " ".join(capsys.readouterr().err.split())
    assert re.search(said, text), text
    assert not (tmp_path / "out").exists()


def test_features_that_are_not_there_or_have_no_class_are_named(tiny, photos, features):
    with pytest.raises(FileNotFoundError, match=r"rb\.datasets\.features"):
        leaderboard.study_on(str(photos), network="head")
    with pytest.raises(ValueError, match="leave --root out"):
        leaderboard.study_on(str(photos), photos)
    np.savez(features / "features_lite0.npz", image=np.array(["a.jpg"]), X=np.ones((1, 3), "f4"))
    own_set.parts.cache_clear()
    with pytest.raises(ValueError, match=r"must name its items class/picture, got .a\.jpg."):
        leaderboard.study_on(str(features))


def test_without_a_complete_table_there_is_none_to_write(tiny, tmp_path):
    with pytest.raises(ValueError, match="no complete table of retrieval or retrieval_pixels"):
        leaderboard.write(tmp_path)
