"""The groceries: official lists, three levels, and copies with the damage of real ones."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import rankbook as rb

PRODUCTS = {
    "Fruit/Apple/Golden-Delicious": (0, 0),
    "Fruit/Apple/Granny-Smith": (1, 0),
    "Packages/Milk/Arla-Milk": (3, 4),
    "Vegetables/Garlic": (7, 2),  # not all coarse products have a folder of their own
}
CLASSES = (
    "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),Iconic Image Path (str),"
    "Product Description Path (str)\r\n"
    "Golden-Delicious,0,Apple,0,/a.jpg,/a.txt\r\nGranny-Smith,1,Apple,0,/b.jpg,/b.txt\r\n"
    'Arla-Milk,3,Milk,4,/c.jpg,/c.txt\r\n"Garlic, fresh",7,Garlic,2,/d.jpg,/d.txt\r\n'
)


@pytest.fixture
def root(tmp_path):
    """One picture a product in train and test, in val of two; lists that end their lines in turn as DOS and as Unix do."""
    home = tmp_path / "dataset"
    for split, ending in (("train", "\r\n"), ("val", "\n"), ("test", "\r\n")):
        lines = []
        for product, (fine, coarse) in PRODUCTS.items():
            if split == "val" and fine > 1:
                continue
            file = home / split / product / f"{product.rpartition('/')[2]}_001.jpg"
            file.parent.mkdir(parents=True)
            Image.new("RGB", (30, 20), "tan").save(file)
            lines.append(f"{file.relative_to(home).as_posix()}, {fine}, {coarse}{ending}")
        (home / f"{split}.txt").write_bytes("".join(lines).encode())
    (home / "classes.csv").write_bytes(b"\xef\xbb\xbf" + CLASSES.encode())
    return home


def test_lists_and_classes_give_three_levels(root):
    data = rb.datasets.grocery(root, size=8)
    assert len(data) == 10 and data.table["split"].value_counts().to_dict() == {"train": 4, "test": 4, "validation": 2}
    train = rb.datasets.grocery(root, "train", size=8)
    assert train.levels.tolist() == [[0, 0, 0], [1, 0, 0], [3, 4, 1], [7, 2, 2]] and train.labels.tolist() == [0, 1, 3, 7]
    assert train.table.loc[3, ["class", "coarse", "kind"]].tolist() == ["Garlic, fresh", "Garlic", "Vegetables"]
    assert rb.datasets.grocery(root, "validation").levels.tolist() == [[0, 0, 0], [1, 0, 0]]
    assert train.inputs[:].shape == (4, 3, 8, 8)


def test_the_clone_and_pictures_in_a_folder_of_their_own_do_too(root):
    whole = rb.datasets.grocery(root)
    assert rb.datasets.grocery(root.parent).table.equals(whole.table)
    (root / "images").mkdir()
    for split in ("train", "val", "test"):
        shutil.move(root / split, root / "images" / split)
    moved = rb.datasets.grocery(root, size=8)
    assert moved.table.equals(whole.table) and moved.inputs[[0]].shape == (1, 3, 8, 8)


def test_features_are_found_by_the_names_of_the_lists(root):
    names = rb.datasets.grocery(root).table["file"].tolist()
    features = np.arange(20, dtype=np.float16).reshape(10, 2)
    np.savez(root / "features_lite0.npz", image=names[::-1], X=features, fine=np.zeros(10))
    shutil.rmtree(root / "test")
    data = rb.datasets.grocery(root, "test", "features")
    assert torch.equal(data.inputs, torch.from_numpy(features[::-1][6:].copy()).float())
    np.savez(root / "features_lite0.npz", image=names[:9], X=features[:9])
    with pytest.raises(ValueError, match=r"has no features of 1 pictures: .*Garlic_001\.jpg; compute"):
        rb.datasets.grocery(root, "test", "features")


def test_a_line_without_its_file_is_named_or_left_out(root):
    (root / "train/Vegetables/Garlic/Garlic_001.jpg").unlink()
    with pytest.raises(ValueError, match=r"line 4 of .*train\.txt names .*Garlic_001\.jpg, which is missing .and 0 others"):
        rb.datasets.grocery(root)
    with pytest.warns(UserWarning, match="1 of 4 pictures .* left out: .*Garlic_001.jpg"):
        left = rb.datasets.grocery(root, "train", on_error="skip")
    assert left.labels.tolist() == [0, 1, 3] and left.table["class"].tolist() == ["Golden-Delicious", "Granny-Smith", "Arla-Milk"]
    assert len(left.inputs) == 3


def test_palettes_alpha_and_pictures_cut_short(root):
    apple, smith, milk = (root / "train" / name / f"{name.rpartition('/')[2]}_001.jpg" for name in list(PRODUCTS)[:3])
    Image.new("RGBA", (30, 20), (255, 0, 0, 128)).save(apple, format="PNG")
    Image.new("P", (30, 20), 3).save(smith, format="PNG")
    milk.write_bytes(milk.read_bytes()[:200])
    data = rb.datasets.grocery(root, "train", size=8)
    assert data.inputs[[0, 1]].shape == (2, 3, 8, 8)
    with pytest.raises(ValueError, match=r"Arla-Milk_001\.jpg is damaged"):
        data.inputs[2]
    with pytest.warns(UserWarning, match="1 of 4 pictures"):
        assert rb.datasets.grocery(root, "train", on_error="skip").labels.tolist() == [0, 1, 7]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("train.txt", "train/Fruit/Apple/x.jpg 0 0", "line 1 of .*train.txt must be .*got 'train/Fruit/Apple/x.jpg 0 0'"),
        ("train.txt", "\ntrain/Fruit/Apple/x.jpg, a, 0", "line 2 of .*train.txt must be"),
        ("val.txt", "../val/Fruit/x.jpg, 0, 0", "line 1 of .*val.txt must be"),
        ("test.txt", "test/Fruit/Apple/x.jpg, 5, 0", "line 1 of .*test.txt names class 5 of 0, which .*classes.csv lacks"),
        ("classes.csv", "head\nApple,zero,Apple,0", r"line 2 of .*classes.csv must be class, its number"),
        ("classes.csv", "head\nApple,0", r"line 2 of .*classes.csv must be class, its number"),
    ],
)
def test_a_line_that_is_none_is_named(root, file, text, said):
    (root / file).write_text(text)
    with pytest.raises(ValueError, match=said):
        rb.datasets.grocery(root)


def test_a_split_without_a_line_and_a_list_that_is_missing(root):
    (root / "val.txt").write_text("")
    assert len(rb.datasets.grocery(root)) == 8
    with pytest.raises(ValueError, match=r"val\.txt must list pictures, but lists none; get the public repository"):
        rb.datasets.grocery(root, "validation")
    (root / "val.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"root must hold val\.txt, but .* does not; get the public repository"):
        rb.datasets.grocery(root)
