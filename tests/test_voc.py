"""PASCAL VOC in its public layout, with the damage that copies show: a tiny folder that each test writes."""

import pytest
import torch
from PIL import Image

import rankbook as rb
from rankbook.datasets.voc import CLASSES

#: photograph -> what it shows, and what only as a difficult object
SHOWN = {
    "2008_000001": ({"dog", "person"}, set()),
    "2008_000004": ({"aeroplane"}, {"person"}),
    "2008_000007": (set(), set()),
    "2008_000012": ({"tvmonitor"}, set()),
}
MODES = ("RGB", "P", "L", "CMYK")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    (root / "ImageSets" / "Main").mkdir(parents=True), (root / "JPEGImages").mkdir(), (root / "Annotations").mkdir()
    for name in CLASSES:
        lines = [f"{image} {1 if name in shown else 0 if name in difficult else -1:>2d}" for image, (shown, difficult) in SHOWN.items()]
        (root / "ImageSets" / "Main" / f"{name}_val.txt").write_bytes("\r\n".join([*lines, ""]).encode())
    for place, image in enumerate([*SHOWN, "2011_in_no_list"]):
        picture = Image.new("RGB", (30 + place, 20), (40 * place, 90, 200))
        save = picture.convert(MODES[place % 4])
        save.save(root / "JPEGImages" / f"{image}.jpg", format="PNG" if save.mode == "P" else "JPEG")
    return root


def list_of(root, name="dog"):
    return root / "ImageSets" / "Main" / f"{name}_val.txt"


def test_targets_are_those_of_the_lists(root):
    data = rb.datasets.voc(root, "val", size=8)
    assert data.table["image"].tolist() == [*SHOWN] and data.targets.shape == (4, 20) and data.targets.dtype == torch.float32
    for row, (shown, difficult) in enumerate(SHOWN.values()):
        assert {name for name, value in zip(CLASSES, data.targets[row].tolist(), strict=True) if value == 1} == shown
        assert {name for name, value in zip(CLASSES, data.targets[row].isnan().tolist(), strict=True) if value} == difficult
    assert data.labels.tolist() == [0, 1, 2, 3]


def test_pictures_of_any_mode_are_read_and_what_no_list_names_is_passed_over(root):
    """Palette, gray and CMYK come as RGB. A PNG under the name of a JPEG is read by what it is."""
    data = rb.datasets.voc(root, "val", size=8)
    assert data.inputs[torch.arange(4)].shape == (4, 3, 8, 8)
    assert not data.table["file"].str.contains("no_list").any()
    first = (data.inputs[0].mean((1, 2)) * 255).tolist()
    assert first == pytest.approx([0, 90, 200], abs=4)
    assert rb.datasets.voc(root, "val", transform=lambda picture: torch.tensor(picture.size)).inputs[1].tolist() == [31, 20]


@pytest.mark.parametrize("damage", ["truncated", "missing", "alpha"])
def test_a_damaged_photograph_is_named_or_left_out(root, damage):
    path = root / "JPEGImages" / "2008_000004.jpg"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:150])
    elif damage == "missing":
        path.unlink()
    else:
        Image.new("RGBA", (9, 9), (255, 0, 0, 128)).save(path, format="PNG")
        assert rb.datasets.voc(root, "val", size=8).inputs[1].shape == (3, 8, 8)
        return
    with pytest.raises(ValueError, match=r"2008_000004\.jpg"):
        rb.datasets.voc(root, "val", size=8).inputs[torch.tensor([0, 1])]
    with pytest.warns(UserWarning, match=r"1 of 4 pictures in .*: JPEGImages/2008_000004\.jpg"):
        data = rb.datasets.voc(root, "val", size=8, on_error="skip")
    assert data.table["image"].tolist() == [image for image in SHOWN if image != "2008_000004"]
    assert data.targets.nansum(1).tolist() == [2, 0, 1] and data.inputs[torch.arange(3)].shape[0] == 3


def test_a_byte_order_mark_and_tabs_are_no_harm(root):
    path = list_of(root, "aeroplane")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b" ", b"\t"))
    assert rb.datasets.voc(root, "val").targets[:, 0].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text + "2008_000001 -1\n", "line 5 names 2008_000001 for the second time"),
        (lambda text: text.replace("2008_000007 -1", "2008_000007"), "line 3 must be a name and -1, 0 or 1, got '2008_000007'"),
        (lambda text: text.replace("2008_000007 -1", "2008_000007 2"), "line 3 must be a name and -1, 0 or 1"),
        (lambda text: text.replace("2008_000007 -1\n", ""), "2008_000007 is only in one of aeroplane_val.txt and dog_val.txt"),
        (lambda text: "\n \n", "dog_val.txt must name a photograph a line, but it is empty"),
    ],
)
def test_a_damaged_list_is_refused_by_name_and_line(root, change, said):
    list_of(root).write_text(change(list_of(root).read_text()))
    with pytest.raises(ValueError, match=said):
        rb.datasets.voc(root, "val")


def test_what_is_missing_is_said_with_the_way_out(root):
    with pytest.raises(FileNotFoundError, match=r"root must hold ImageSets/Main/aeroplane_test\.txt, .*; the archives of VOC 2007"):
        rb.datasets.voc(root, "test")
    with pytest.raises(NotADirectoryError, match=r"name .*VOC2012"):
        rb.datasets.voc(root.parents[1])
    with pytest.raises(NotADirectoryError, match=r"which is missing; the archives"):
        rb.datasets.voc(root / "nowhere")
    with pytest.raises(ValueError, match='split must be "train", "val", "trainval" or "test"'):
        rb.datasets.voc(root, "validation")
    with pytest.raises(TypeError, match="root must be a path"):
        rb.datasets.voc(None)


def test_difficult_objects_are_left_out_of_the_metric(root):
    """As in the challenge: the photograph is in nobody's way."""
    data = rb.datasets.voc(root, "val")
    person, known = data.targets[:, CLASSES.index("person")].nan_to_num(), ~data.targets[:, CLASSES.index("person")].isnan()
    scores = torch.tensor([0.8, 0.9, 0.1, 0.2])
    assert rb.average_precision(scores, person, where=known) == 1 and rb.average_precision(scores, person) == 0.5
