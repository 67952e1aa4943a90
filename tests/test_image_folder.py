"""A folder of pictures: classes and groups from its names, damaged files by name, features computed once for each picture."""

import os
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, StackDataset

import rankbook as rb
from pictures import GROUPS, write_pictures
from test_samples import SELECTIONS


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pictures"), nested=True)


@pytest.fixture
def folder(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "photos")


def read(folder, **options):
    return rb.datasets.image_folder(folder, **{"size": 24} | options)


# --- names ---


def test_groups_and_classes_are_those_of_the_folders(folder):
    data = read(folder)
    files = sorted(path.relative_to(folder).parts for path in folder.rglob("*.*"))
    assert [tuple(name.split("/")) for name in data.table["file"]] == files
    classes = sorted({file[:2] for file in files})
    assert data.labels.tolist() == [classes.index(file[:2]) for file in files]
    assert data.levels[:, 1].tolist() == [GROUPS.index(file[0]) for file in files]
    assert data.table["class"].tolist() == ["/".join(file[:2]) for file in files]
    assert data.table["level1"].tolist() == [file[0] for file in files]


def test_one_level_of_folders_gives_classes(folder):
    data = read(folder / GROUPS[0])
    assert data.levels.shape == (len(data), 1) and list(data.table) == ["file", "class"]
    assert data.table["class"].unique().tolist() == sorted(os.listdir(folder / GROUPS[0]))


def test_one_name_in_two_groups_is_two_classes(tmp_path):
    for group in ("a", "b"):
        (tmp_path / group / "other").mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(tmp_path / group / "other" / "x.JPG")
    data = read(tmp_path)
    assert data.levels.tolist() == [[0, 0], [1, 1]] and data.table["class"].tolist() == ["a/other", "b/other"]


def test_what_is_no_picture_is_passed_over(folder):
    data = read(folder)
    (folder / "README.txt").write_text("none")
    (folder / ".cache").mkdir()
    (folder / GROUPS[0] / ".hidden.png").write_text("none")
    shutil.copy(folder / data.table["file"][0], folder / ".cache" / "x.png")
    (folder / GROUPS[0] / "loop").symlink_to(folder, target_is_directory=True)
    assert read(folder).table.equals(data.table)


def test_a_class_may_be_a_link(folder, tmp_path):
    shutil.move(folder / GROUPS[1], tmp_path / "elsewhere")
    (folder / GROUPS[1]).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert set(read(folder).table["level1"]) == set(GROUPS)


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (lambda root: shutil.rmtree(root), NotADirectoryError, "root must be a folder, .* missing"),
        (lambda root: [path.unlink() for path in root.rglob("*.*")], ValueError, "root must hold pictures in folders of their classes"),
        (lambda root: Image.new("L", (2, 2)).save(root / "x.png"), ValueError, r"x\.png lies in none; move it"),
        (
            lambda root: Image.new("L", (2, 2)).save(root / GROUPS[0] / "x.png"),
            ValueError,
            r"equally deep, .*x\.png and .* are not; move one",
        ),
    ],
)
def test_a_folder_of_another_form_is_refused(folder, spoil, kind, said):
    spoil(folder)
    with pytest.raises(kind, match=said):
        read(folder)


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"size": 0}, ValueError, "size must be"),
        ({"transform": 3}, TypeError, "transform must be callable"),
        ({"on_error": "ignore"}, ValueError, "on_error must be"),
    ],
)
def test_bad_arguments_name_themselves(folder, change, kind, said):
    with pytest.raises(kind, match=said):
        read(folder, **change)


@pytest.mark.parametrize("place", [3, None, ["photos"]])
def test_what_is_no_path_is_named(folder, place):
    with pytest.raises(TypeError, match=f"root must be a path, such as 'photos', got {type(place).__name__}"):
        read(place)
    if place is not None:
        with pytest.raises(TypeError, match="cache must be a path, such as 'features'"):
            rb.datasets.features(nn.Flatten(), read(folder), cache=place)


# --- pictures ---


def test_pictures_are_read_when_they_are_asked_for(folder, monkeypatch):
    opened = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda *arguments: opened.append(1) or real(*arguments))
    data = read(folder)
    part = data[data.labels == 3][1:]
    assert not opened and isinstance(part.inputs, rb.datasets.ImageFiles)
    batch = part.inputs[torch.tensor([1, 0])]
    assert len(opened) == 2 and batch.shape == (2, 3, 24, 24) and batch.dtype == torch.float32
    whole = [data.table["file"].tolist().index(name) for name in part.table["file"]]
    assert torch.equal(batch, data.inputs[whole[:2][::-1]]) and torch.equal(batch[0], data.inputs[whole[1]])
    assert torch.equal(data.inputs[:2], data.inputs[[0, 1]]) and torch.equal(data.inputs[torch.tensor(0)], data.inputs[0])


@pytest.mark.parametrize(("rows", "expected"), SELECTIONS)
def test_rows_of_pictures_are_those_of_samples(folder, rows, expected):
    """A mask among them, which once read as the pictures 0 and 1."""
    images = read(folder).inputs.subset(range(6))
    files = [images.files[row] for row in expected]
    assert images.subset(rows).files == files
    assert torch.equal(images[rows], torch.stack([images[row] for row in expected]))


@pytest.mark.parametrize(
    ("rows", "kind", "said"),
    [
        ([0.0, 1.0], TypeError, "rows must be a slice, a list or tensor .*one picture is images"),
        (["x"], TypeError, "rows must be a slice, a list or tensor"),
        (None, TypeError, "rows must be a slice, a list or tensor"),
        ([0, 6], IndexError, "row 6 is not there; rows go from 0 to 5"),
        (torch.ones(3, dtype=torch.bool), IndexError, "a mask must have one entry for each of the 6 samples, got 3"),
    ],
)
def test_rows_that_are_none_are_refused(folder, rows, kind, said):
    images = read(folder).inputs.subset(range(6))
    for select in (images.__getitem__, images.subset):
        with pytest.raises(kind, match=said):
            select(rows)


GRAYS = np.array([[0, 1000, 20000, 40000, 65535]] * 5)


@pytest.mark.parametrize(("ending", "order"), [("png", "<"), ("tif", "<"), ("tif", ">")])
def test_gray_of_16_bits_keeps_its_scale(tmp_path, ending, order):
    (tmp_path / "a").mkdir()
    Image.fromarray(GRAYS.astype(f"{order}u2")).save(tmp_path / "a" / f"x.{ending}")
    picture = read(tmp_path, size=5).inputs[0]
    assert_close(picture, torch.from_numpy(GRAYS / 65535).float().expand(3, 5, 5), atol=0.5 / 255, rtol=0)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_without_a_scale_are_refused(tmp_path, dtype):
    (tmp_path / "a").mkdir()
    Image.fromarray(GRAYS.astype(dtype)).save(tmp_path / "a" / "x.tif")
    with pytest.raises(
        ValueError, match=r"x\.tif is damaged: its numbers, of Pillow's mode [IF], have no known scale; save it with 8 or 16"
    ):
        read(tmp_path).inputs[0]


def test_a_picture_is_upright_and_cropped(tmp_path):
    """A photograph that lies on its side: red above green, 40 wide and 80 high once it is turned."""
    (tmp_path / "a").mkdir()
    upright = Image.new("RGB", (40, 80), "red")
    upright.paste("lime", (0, 40, 40, 80))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    upright.rotate(90, expand=True).save(tmp_path / "a" / "x.png", exif=exif)
    Image.new("RGBA", (50, 50), (0, 0, 255, 255)).save(tmp_path / "a" / "y.png")
    Image.new("L", (50, 30), 255).save(tmp_path / "a" / "z.png")
    sideways, blue, gray = read(tmp_path, size=8).inputs[[0, 1, 2]]
    assert sideways[0, 0].min() > 0.9 and sideways[1, 0].max() < 0.1  # above red, no green
    assert sideways[1, -1].min() > 0.9 and sideways[0, -1].max() < 0.1
    assert blue[2].min() == 1 and blue[:2].max() == 0 and gray.min() == 1


def test_a_transform_replaces_scaling(folder):
    data = read(folder, transform=lambda picture: torch.tensor(picture.size))
    assert data.inputs[[0, 1]].tolist() == [[48, 48], [48, 48]]
    with pytest.raises(TypeError, match=r"transform must return a tensor, got Image from .*; end it with ToTensor"):
        read(folder, transform=lambda picture: picture).inputs[0]
    shapes = iter([(2,), (3,)])
    with pytest.raises(ValueError, match=r"transform must give one shape, got \(2,\) from .* and \(3,\) from"):
        read(folder, transform=lambda picture: torch.ones(next(shapes))).inputs[[0, 1]]


def test_it_feeds_a_loader_with_workers_and_a_training(folder):
    data = read(folder, size=8)
    sampler = rb.BalancedBatchSampler(data.levels, classes=4, per_class=2)
    loader = DataLoader(StackDataset(data.inputs, data.labels), batch_sampler=sampler, num_workers=2)
    for (images, labels), rows in zip(loader, rb.BalancedBatchSampler(data.levels, classes=4, per_class=2), strict=True):
        assert torch.equal(images, data.inputs[rows]) and torch.equal(labels, data.labels[rows])
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 8))
    for batches in (loader, rb.BalancedBatches(data.inputs, data.labels, classes=4, per_class=2, generator=torch.Generator())):
        history = rb.train(model, rb.SmoothAPLoss(0.1), batches, torch.optim.Adam(model.parameters()), steps=4, every=4)
        assert history["loss"].between(0, 1).all()


# --- damaged ones ---


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [truncate, lambda path: path.write_bytes(b""), lambda path: path.write_text("no picture")])
@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
def test_a_damaged_picture_is_named_or_left_out(folder, damage, ending):
    data = read(folder)
    bad = next(i for i, name in enumerate(data.table["file"]) if name.endswith(ending))
    name = data.table["file"][bad]
    damage(folder / name)
    with pytest.raises(ValueError, match=rf'the picture .*{name.rpartition("/")[2]} is damaged: .*on_error="skip"'):
        data.inputs[[0, bad]]
    with pytest.warns(UserWarning, match=f"1 of {len(data)} pictures .* left out: {name}") as said:
        left = read(folder, on_error="skip")
    assert said[0].filename == __file__
    assert name not in set(left.table["file"]) and len(left) == len(data) - 1
    assert left.inputs[list(range(len(left)))].isfinite().all()


def test_a_picture_that_went_is_named(folder):
    data = read(folder)
    (folder / data.table["file"][2]).unlink()
    with pytest.raises(ValueError, match=r"the picture .* cannot be read: No such file"):
        data.inputs[2]


def test_nothing_but_damaged_pictures_is_refused(folder):
    for path in folder.rglob("*.*"):
        path.write_text("none")
    with pytest.warns(UserWarning, match="and .* more"), pytest.raises(ValueError, match="root must hold pictures that can be read"):
        read(folder, on_error="skip")


# --- features ---


class Counts:
    seen = 0


class Encoder(nn.Module):
    """Counts what it is asked, not in an attribute: that would make it another one."""

    def __init__(self, weight=1.0, act=torch.relu):
        super().__init__()
        self.weight, self.drop, self.act, self.counts = nn.Parameter(torch.tensor(weight)), nn.Dropout(0.5), act, Counts()

    @property
    def seen(self):
        return self.counts.seen

    def forward(self, x):
        self.counts.seen += len(x)
        return self.drop(self.weight * x.flatten(1)[:, :5])


def test_features_are_those_of_the_encoder_in_evaluation_mode(folder):
    data, encoder = read(folder), Encoder()
    encoder.drop.eval()
    found = rb.datasets.features(encoder, data, chunk_size=5)
    assert torch.equal(found.inputs, data.inputs[:].flatten(1)[:, :5])
    assert torch.equal(found.levels, data.levels) and found.table.equals(data.table)
    assert encoder.training and not encoder.drop.training and not found.inputs.requires_grad
    assert list(folder.parent.iterdir()) == [folder]


def test_what_is_known_is_not_computed_again(folder, tmp_path):
    cache, data = tmp_path / "cache", read(folder)
    n = len({(folder / name).read_bytes() for name in data.table["file"]})

    def asked(encoder, data):
        """How many pictures are computed; the result is what it is without a cache."""
        assert torch.equal(rb.datasets.features(encoder, data, cache=cache).inputs, rb.datasets.features(encoder, data).inputs)
        return encoder.seen - len(data)

    assert asked(Encoder(), data) == n
    assert asked(Encoder(), data) == 0
    assert asked(Encoder(), data[::3]) == 0  # in another order, of another folder
    changed = folder / data.table["file"][4]
    Image.new("RGB", (9, 9), "tan").save(changed)
    assert asked(Encoder(), data) == 1
    changed.rename(changed.with_name("renamed" + changed.suffix))
    assert asked(Encoder(), read(folder)) == 0
    assert asked(Encoder(weight=2.0), read(folder)) == n  # same pictures, other weights
    assert asked(Encoder(), read(folder, size=16)) == n
    assert asked(Encoder(), read(folder, transform=lambda picture: torch.full((9,), 1.0))) == n
    assert asked(Encoder(), read(folder, transform=lambda picture: torch.full((9,), 2.0))) == n
    (tables,) = {tuple(sorted(load_file(path))) for path in cache.glob("*.safetensors")}
    assert tables == ("features", "keys", "sha256") and len(list(cache.glob("*.safetensors"))) == 5


def brighter(by, *, power=1):
    return lambda picture: by * torch.ones(9) ** power


TIMES = 1.0


def times(picture):
    return TIMES * torch.ones(9)


class Scaled:
    """A transform that says nothing of itself."""

    def __init__(self, by):
        self.by = by

    def __call__(self, picture):
        return self.by * torch.ones(9)


def test_an_encoder_of_another_setting_is_another(folder, tmp_path, monkeypatch):
    """Its weights, its structure and its code are the same."""
    data = read(folder)

    def names(encoder, **options):
        """The name of its file, new or not."""
        before = set(tmp_path.iterdir())
        rb.datasets.features(encoder, read(folder, **options), cache=tmp_path)
        return set(tmp_path.iterdir()) - before

    changed = Encoder()
    changed.k = 1
    encoders = [lambda: Encoder(), lambda: Encoder(act=torch.tanh), lambda: changed]
    made = [names(make()) for make in encoders]
    changed.k = 2
    made.append(names(changed))
    transforms = [brighter(1.0), brighter(2.0), partial(brighter(1.0)), Scaled(1.0), Scaled(2.0), times]
    made += [names(Encoder(), transform=transform) for transform in transforms]
    monkeypatch.setitem(globals(), "TIMES", 2.0)
    made.append(names(Encoder(), transform=times))
    assert all(made), made
    again = [names(Encoder(act=torch.tanh)), names(changed), *(names(Encoder(), transform=one) for one in transforms)]
    assert not any(again), again
    assert len(data) == len(read(folder))


def test_tensors_are_cached_too(tmp_path):
    data = rb.datasets.Samples(torch.randn(4, 3, 2, 2), torch.tensor([0, 0, 1, 1]), targets=torch.rand(4))
    encoder = Encoder()
    for _ in range(2):
        found = rb.datasets.features(encoder, data, cache=tmp_path)
        assert torch.equal(found.inputs, data.inputs.flatten(1)[:, :5]) and torch.equal(found.targets, data.targets)
    assert encoder.seen == 4


@pytest.mark.parametrize("place", [3, 0.5, -3])
def test_a_damaged_cache_is_computed_anew(tmp_path, place):
    data = rb.datasets.Samples(torch.randn(4, 3, 2, 2), torch.tensor([0, 0, 1, 1]))
    expected = rb.datasets.features(Encoder(), data, cache=tmp_path).inputs
    (path,) = tmp_path.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if place == 0.5 else place] ^= 4
    path.write_bytes(content)
    encoder = Encoder()
    with pytest.warns(UserWarning, match="is damaged: its checksum does not fit"):
        assert torch.equal(rb.datasets.features(encoder, data, cache=tmp_path).inputs, expected)
    assert encoder.seen == 4
    rb.datasets.features(encoder, data, cache=tmp_path)
    assert encoder.seen == 4


def test_what_another_process_wrote_meanwhile_stays(folder, tmp_path):
    """While it computes, another training writes features of other pictures to the same file."""
    data, cache, late = read(folder, size=4), tmp_path / "cache", nn.Flatten()
    late.register_forward_hook(lambda *_: rb.datasets.features(nn.Flatten(), data[1::2], cache=cache) and None)
    rb.datasets.features(late, data[::2], cache=cache)
    (path,) = cache.glob("*.safetensors")
    assert len(load_file(path)["keys"]) == len({file.read_bytes() for file in folder.rglob("*.*")})


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"encoder": lambda x: x}, TypeError, "encoder must be a Module"),
        ({"data": torch.ones(3, 4)}, TypeError, "data must be a Samples"),
        ({"chunk_size": 0}, ValueError, "chunk_size must be"),
        ({"encoder": nn.Identity()}, ValueError, r"encoder must return features \[b, d\], got \(4, 3, 2, 2\) of 4 inputs; end it with"),
        ({"encoder": nn.LSTM(2, 1)}, (TypeError, ValueError, RuntimeError), "encoder must return a tensor|LSTM"),
    ],
)
def test_bad_arguments_of_features_name_themselves(change, kind, said):
    good = {"encoder": nn.Flatten(), "data": rb.datasets.Samples(torch.randn(4, 3, 2, 2), torch.tensor([0, 0, 1, 1]))}
    with pytest.raises(kind, match=said):
        rb.datasets.features(**good | change)
    with pytest.raises(ValueError, match=r"features must be finite, but features\[1, 0\] is nan.*chunk from row 0"):
        rb.datasets.features(nn.Flatten(), rb.datasets.Samples(torch.tensor([[1.0], [torch.nan]]), torch.tensor([0, 0])))
