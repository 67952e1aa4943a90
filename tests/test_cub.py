"""The birds: species by their numbers, the split of retrieval, ready features, and a folder that is damaged as real copies are."""

import numpy as np
import pytest
import torch
from PIL import Image

import rankbook as rb

SPECIES = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "100.Brown_Pelican", "101.White_Pelican", "200.Common_Yellowthroat")


@pytest.fixture
def root(tmp_path):
    """As the archives unpack: beside images/ the lists of their authors, and what an archive of a Mac leaves."""
    for name in SPECIES:
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for place in range(2):
            Image.new("RGB", (30, 20 + place), "tan").save(folder / f"{name[4:]}_{place:04}_{place}.jpg")
        (folder / f"._{name[4:]}_0000_0.jpg").write_bytes(b"Mac OS X")
    (tmp_path / "classes.txt").write_text("".join(f"{int(name[:3])} {name}\r\n" for name in SPECIES))
    return tmp_path


def store(root, images, features, **more):
    np.savez(root / "features_lite0.npz", image=images, X=features, **more)


def test_a_label_is_the_number_of_the_species(root):
    data = rb.datasets.cub(root, size=8)
    assert data.labels.tolist() == [0, 0, 1, 1, 99, 99, 100, 100, 199, 199]
    assert data.levels.shape == (10, 1)
    assert data.table["name"].unique().tolist() == [name[4:].replace("_", " ") for name in SPECIES]
    assert data.table["file"][0] == "001.Black_footed_Albatross/Black_footed_Albatross_0000_0.jpg"
    assert isinstance(data.inputs, rb.datasets.ImageFiles) and data.inputs[[0, 1]].shape == (2, 3, 8, 8)


def test_the_splits_share_no_species(root):
    train, test = (rb.datasets.cub(root, split) for split in ("train", "test"))
    assert train.labels.unique().tolist() == [0, 1, 99] and test.labels.unique().tolist() == [100, 199]
    assert (test.inputs.files[0].parent.name, len(test.inputs)) == (SPECIES[3], 4)


def test_features_are_those_of_the_file_and_need_no_pictures(tmp_path):
    images = [f"{name}/{place}.jpg" for name in SPECIES for place in "ab"]
    features = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float16)
    store(tmp_path, images, features)
    data = rb.datasets.cub(tmp_path, "test", "features")
    assert data.inputs.dtype == torch.float32 and data.labels.tolist() == [100, 100, 199, 199]
    assert torch.equal(data.inputs, torch.from_numpy(features[6:]).float())
    assert data.table["file"].tolist() == images[6:]


def test_a_picture_cut_short_is_named_or_left_out(root):
    bad = next((root / "images" / SPECIES[1]).glob("L*.jpg"))
    bad.write_bytes(bad.read_bytes()[:300])
    with pytest.raises(ValueError, match=f"{bad.name} is damaged"):
        rb.datasets.cub(root).inputs[:]
    with pytest.warns(UserWarning, match=f"1 of 10 pictures .* left out: .*{bad.name}"):
        left = rb.datasets.cub(root, on_error="skip")
    assert len(left) == 9 and left.labels.bincount()[1] == 1


@pytest.mark.parametrize(
    ("damage", "kind", "said"),
    [
        (lambda root: [path.rename(root / "x" / path.name) for path in [root / "images"] if not (root / "x").mkdir()],
         NotADirectoryError, "must hold the folder images, .*ask its authors"),
        (lambda root: (root / "images" / SPECIES[0]).rename(root / "images" / "Black_footed_Albatross"),
         ValueError, "named by number and species, .*got 'Black_footed_Albatross'"),
        (lambda root: (root / "images" / SPECIES[0]).rename(root / "images" / "201.Dodo"), ValueError, "got '201.Dodo'"),
        (lambda root: (root / "images" / SPECIES[0]).rename(root / "images" / "000.Dodo"), ValueError, "got '000.Dodo'"),
    ],
)  # fmt: skip
def test_another_layout_says_what_is_wrong(root, damage, kind, said):
    damage(root)
    with pytest.raises(kind, match=said):
        rb.datasets.cub(root)


def test_a_split_that_is_not_there_is_named(tmp_path):
    store(tmp_path, [f"{SPECIES[0]}/a.jpg"], np.ones((1, 2)))
    with pytest.raises(ValueError, match="species 101 to 200 for the split 'test'"):
        rb.datasets.cub(tmp_path, "test", "features")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"image": [f"{SPECIES[0]}/a.jpg"]}, "must hold the arrays image .*, X, but it holds image"),
        ({"image": [f"{SPECIES[0]}/a.jpg"], "X": np.ones((2, 2))}, r"names \[m\] and numbers X"),
        ({"image": [f"{SPECIES[0]}/a.jpg"] * 2, "X": np.ones((2, 2))}, "must have each name once, got 2 names of which 1 differ"),
        ({"image": [f"{SPECIES[0]}/a.jpg"], "X": np.array([[1.0, np.nan]])}, "must hold finite features, but those of .*a.jpg"),
        ({"image": np.array([f"{SPECIES[0]}/a.jpg"], dtype=object), "X": np.ones((1, 2))}, "is damaged"),
    ],
)
def test_features_that_cannot_be_used_are_refused(tmp_path, arrays, said):
    np.savez(tmp_path / "features_lite0.npz", **arrays)
    with pytest.raises(ValueError, match=said):
        rb.datasets.cub(tmp_path, what="features")


def test_a_file_of_features_cut_short_or_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold features_lite0\.npz, but .* does not; .*rb\.datasets\.features"):
        rb.datasets.cub(tmp_path, what="features")
    store(tmp_path, [f"{SPECIES[0]}/a.jpg"], np.ones((1, 900)))
    path = tmp_path / "features_lite0.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"features_lite0\.npz is damaged"):
        rb.datasets.cub(tmp_path, what="features")


@pytest.mark.parametrize("reader", [rb.datasets.cub, rb.datasets.grocery])
@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"root": 3}, TypeError, "root must be a path"),
        ({"root": "nowhere at all"}, NotADirectoryError, "root must be a folder, .*nowhere at all, which is missing; (ask|get)"),
        ({"split": "valid"}, ValueError, "split must be"),
        ({"what": "texts"}, ValueError, "what must be"),
    ],
)
def test_bad_arguments_name_themselves(tmp_path, reader, change, kind, said):
    with pytest.raises(kind, match=said):
        reader(**{"root": tmp_path} | change)
