"""Pictures with captions: tiny folders in the layouts of the real sets, with the damage that real copies show."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import rankbook as rb

NAMES = ("10_a.jpg", "2_b.jpg", "30_c.jpg", "4_d.jpg", "5_e.jpg")
LISTS = {"train": ["30_c.jpg", "10_a.jpg"], "dev": ["2_b.jpg"], "test": ["4_d.jpg"]}


def captions(names=NAMES, count=5):
    return [f"{name}#{number}\tCaption {number} of {name} ." for name in names for number in range(count)]


@pytest.fixture
def flickr(tmp_path):
    def write(*, lines=None, lists=None, pictures=NAMES, features=False, end="\n", mark="", folder="Flicker8k_Dataset"):
        root = tmp_path / "flickr8k"
        root.mkdir(exist_ok=True)
        (root / "Flickr8k.token.txt").write_bytes((mark + end.join(lines or captions()) + end).encode())
        for part, names in (LISTS | (lists or {})).items():
            (root / f"Flickr_8k.{part}Images.txt").write_bytes((mark + end.join(names)).encode())
        if features:
            rows = np.arange(3.0 * len(pictures), dtype=np.float16).reshape(-1, 3)
            np.savez(root / "features_lite0.npz", image=list(pictures), X=rows)
        else:
            (root / folder).mkdir(exist_ok=True)
            for shade, name in enumerate(pictures):
                Image.new("RGB", (12, 8), (20 * shade,) * 3).save(root / folder / name)
        return root

    return write


@pytest.mark.parametrize(("end", "mark"), [("\n", ""), ("\r\n", ""), ("\r\n", "\ufeff")], ids=["unix", "windows", "mark"])
@pytest.mark.parametrize("features", [False, True], ids=["pictures", "features"])
def test_rows_are_photographs_with_their_captions_and_split(flickr, end, mark, features):
    data = rb.datasets.flickr8k(flickr(end=end, mark=mark, features=features), size=8)
    assert data.table["file"].tolist() == sorted(NAMES)
    assert data.table["split"].tolist() == ["train", "validation", "train", "test", ""]
    assert data.table["captions"][1] == tuple(f"Caption {number} of 2_b.jpg ." for number in range(5))
    assert data.labels.tolist() == list(range(5))
    for split, names in (("train", ["10_a.jpg", "30_c.jpg"]), ("validation", ["2_b.jpg"]), ("test", ["4_d.jpg"])):
        part = rb.datasets.flickr8k(flickr(end=end, mark=mark, features=features), split, size=8)
        assert part.table["file"].tolist() == names
        assert part.labels.tolist() == [sorted(NAMES).index(name) for name in names], "a number means the same picture in every split"
        rows = [NAMES.index(name) for name in names]
        expected = [[3 * row, 3 * row + 1, 3 * row + 2] for row in rows] if features else None
        if features:
            assert part.inputs.dtype == torch.float32 and part.inputs.tolist() == expected
        else:
            shades = part.inputs[list(range(len(names)))].mean(dim=(1, 2, 3)) * 255
            assert shades.round().tolist() == pytest.approx([20 * row for row in rows], abs=2)


@pytest.mark.parametrize("folder", ["Flickr8k_Dataset", "images", "."])
def test_pictures_may_lie_where_copies_put_them(flickr, folder):
    assert len(rb.datasets.flickr8k(flickr(folder=folder))) == len(NAMES)


def test_pictures_come_before_features_unless_features_are_asked_for(flickr):
    flickr(features=True)
    root = flickr()
    assert isinstance(rb.datasets.flickr8k(root).inputs, rb.datasets.ImageFiles)
    assert rb.datasets.flickr8k(root, what="features").inputs.shape == (5, 3)


def test_captions_that_are_missing_empty_or_out_of_order(flickr):
    lines = ["2_b.jpg#1\tsecond", "2_b.jpg#0\tfirst\ttabbed", "30_c.jpg#0\t ", "30_c.jpg#1", "gone.jpg.1#0\tno picture"]
    data = rb.datasets.flickr8k(flickr(lines=lines))
    assert data.table["captions"].tolist() == [(), ("first\ttabbed", "second"), (), (), ()]


def test_a_name_twice_in_one_list_counts_once(flickr):
    assert len(rb.datasets.flickr8k(flickr(lists={"train": ["10_a.jpg", "10_a.jpg"]}), "train")) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"lines": [*captions(), "2_b.jpg#3\tagain"]}, "2_b.jpg#3 comes twice"),
        ({"lines": ["2_b.jpg a dog"]}, "picture.jpg#0, tab, caption, got '2_b.jpg a dog'"),
        ({"lists": {"test": ["4_d.jpg", "10_a.jpg"]}}, "10_a.jpg is in Flickr_8k.trainImages.txt and in Flickr_8k.testImages.txt"),
        ({"lists": {"test": ["9_z.jpg"]}}, '1 of 4 pictures are not in .*9_z.jpg.*on_error="skip"'),
        ({"lists": {"test": [f"{n}.jpg" for n in range(8)]}}, "8 of 11 pictures .* and 3 more"),
    ],
)
def test_damage_is_named(flickr, damage, message):
    with pytest.raises(ValueError, match=message):
        rb.datasets.flickr8k(flickr(**damage))


def test_a_picture_that_is_not_there_can_be_left_out(flickr):
    with pytest.warns(UserWarning, match="9_z.jpg; they are left out"):
        data = rb.datasets.flickr8k(flickr(lists={"test": ["4_d.jpg", "9_z.jpg"]}), "test", on_error="skip")
    assert data.table["file"].tolist() == ["4_d.jpg"]


@pytest.mark.parametrize("name", ["Flickr8k.token.txt", "Flickr_8k.devImages.txt"])
def test_a_file_that_is_missing_is_named(flickr, name):
    root = flickr()
    (root / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"root must hold {name}, .*its authors"):
        rb.datasets.flickr8k(root)


def test_text_that_is_no_text_is_named(flickr):
    root = flickr()
    (root / "Flickr8k.token.txt").write_bytes(b"a.jpg#0\t\xff\xfe\n")
    with pytest.raises(ValueError, match=r"Flickr8k.token.txt must be text in UTF-8"):
        rb.datasets.flickr8k(root)


def test_what_must_be_there(flickr, tmp_path):
    with pytest.raises(NotADirectoryError, match="which is missing"):
        rb.datasets.flickr8k(tmp_path / "nowhere")
    root = flickr(pictures=())
    with pytest.raises(FileNotFoundError, match=r"pictures or features_lite0.npz must be in"):
        rb.datasets.flickr8k(root)
    with pytest.raises(FileNotFoundError, match=r"must hold features_lite0.npz, .*rb.datasets.features"):
        rb.datasets.flickr8k(flickr(), what="features")
    for wrong in ({"split": "val"}, {"what": "texts"}, {"on_error": "ignore"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            rb.datasets.flickr8k(root, **wrong)


# --- COCO ---


@pytest.fixture
def coco(tmp_path):
    def write(change=lambda images: images, *, pictures=4, mark=""):
        root = tmp_path / "coco"
        images = []
        for number, (folder, split) in enumerate([("train2014", "train"), ("val2014", "restval"), ("val2014", "val"), ("val2014", "test")]):
            (root / folder).mkdir(parents=True, exist_ok=True)
            name = f"COCO_{folder}_{number:012}.jpg"
            if number < pictures:
                Image.new("RGB", (12, 8)).save(root / folder / name)
            said = [{"tokens": ["a"], "raw": f" Caption {place}. ", "imgid": number} for place in range(5 + number % 2)]
            images.append({"filepath": folder, "filename": name, "imgid": number, "split": split, "sentences": said, "cocoid": number})
        (root / "dataset_coco.json").write_bytes((mark + json.dumps({"images": change(images), "dataset": "coco"})).encode())
        return root

    return write


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_coco_is_read_in_its_split(coco, mark):
    data = rb.datasets.coco_captions(coco(mark=mark), size=8)
    assert data.table["split"].tolist() == ["train", "train", "validation", "test"]
    assert data.table["part"].tolist() == ["train", "restval", "val", "test"]
    assert [len(said) for said in data.table["captions"]] == [5, 6, 5, 6]
    assert data.table["captions"][0][4] == "Caption 4."
    test = rb.datasets.coco_captions(coco(), "test", size=8)
    assert test.labels.tolist() == [3] and test.inputs[[0]].shape == (1, 3, 8, 8)
    assert test.table["file"].tolist() == ["val2014/COCO_val2014_000000000003.jpg"]


def _without(images):
    del images[1]["sentences"]
    return images


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: [*images, images[0]], "COCO_train2014_000000000000.jpg comes twice"),
        (_without, "must be the file of the Karpathy split.*sentences"),
        (lambda images: [{**images[0], "split": "dev"}], "must have the splits .* got 'dev'"),
        (lambda images: [7], "must be the file of the Karpathy split"),
    ],
)
def test_damage_of_coco_is_named(coco, change, message):
    with pytest.raises(ValueError, match=message):
        rb.datasets.coco_captions(coco(change))


def test_coco_without_some_pictures(coco):
    root = coco(pictures=3)
    with pytest.raises(ValueError, match=r"1 of 4 pictures are not in .*val2014/COCO_val2014_000000000003.jpg"):
        rb.datasets.coco_captions(root)
    with pytest.warns(UserWarning, match="left out"):
        assert rb.datasets.coco_captions(root, on_error="skip").labels.tolist() == [0, 1, 2]
    (root / "dataset_coco.json").write_text("{")
    with pytest.raises(ValueError, match="JSONDecodeError"):
        rb.datasets.coco_captions(root)
    (root / "dataset_coco.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"root must hold dataset_coco.json, .*cocodataset"):
        rb.datasets.coco_captions(root)
