"""The bundled emoji set: what the archive holds, and that the loader gives exactly that or says why not."""

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

import rankbook.datasets as datasets
from rankbook.archive import Archive

DATA = Path(__file__).parents[1] / "data" / "emoji"
SPLITS = ("train", "validation", "test")
CLASSES, DRAWINGS = 1644, 8807
LICENSES = {
    "noto": "Apache-2.0",
    "twemoji": "CC-BY-4.0",
    "openmoji": "CC-BY-SA-4.0",
    "fluent-flat": "MIT",
    "emojitwo": "CC-BY-4.0",
    "noto-v1": "Apache-2.0",
}


@pytest.fixture(scope="module")
def features():
    return {split: datasets.emoji(split) for split in (*SPLITS, "all")}


@pytest.fixture(scope="module")
def images():
    return datasets.emoji(what="images")


@pytest.fixture(scope="module")
def texts():
    return datasets.emoji(what="texts")


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(DATA, tmp_path / "emoji", ignore=shutil.ignore_patterns("__pycache__"))


def nearest(queries, gallery):
    return (queries @ gallery.T).argmax(1)


# --- what it holds ---


def test_shapes_and_types(features, images, texts):
    data = features["all"]
    assert data.inputs.shape == (DRAWINGS, 512) and data.inputs.dtype == torch.float32
    assert images.inputs.shape == (DRAWINGS, 3, 48, 48) and images.inputs.dtype == torch.uint8
    assert texts.inputs.shape == (CLASSES, 384) and texts.inputs.dtype == torch.float32
    for one in (data, images, texts):
        assert len(one) == len(one.inputs) == len(one.labels) == len(one.levels) == len(one.table)
        assert one.labels.dtype == one.levels.dtype == torch.int64
        assert one.table.index.equals(pd.RangeIndex(len(one)))
        assert not one.table.isna().any(axis=None)


def test_features_and_texts_have_length_one(features, texts):
    for inputs in (features["all"].inputs, texts.inputs):
        torch.testing.assert_close(inputs.norm(dim=1), torch.ones(len(inputs)), atol=1e-3, rtol=0)


def test_splits_partition_the_drawings(features):
    images = [set(features[split].table["image"]) for split in SPLITS]
    assert sum(map(len, images)) == DRAWINGS and set.union(*images) == set(range(DRAWINGS))


@pytest.mark.parametrize("level", ["class", "family"])
def test_splits_share_no_class_and_no_family(features, level):
    members = [set(features[split].table[level]) for split in SPLITS]
    assert sum(map(len, members)) == len(set.union(*members))


def test_splits_are_stratified_by_group(texts):
    shares = pd.crosstab(texts.table["group"], texts.table["split"], normalize="index")
    wanted = pd.Series({"train": 0.50, "validation": 0.15, "test": 0.35})
    assert shares.sub(wanted).abs().max(axis=None) < 0.01


def test_every_query_has_a_positive(features):
    for data in features.values():
        assert data.labels.unique(return_counts=True)[1].min() >= 3


def test_a_style_draws_a_class_once(features):
    assert not features["all"].table.duplicated(["class", "style"]).any()


def test_labels_are_contiguous_and_keep_their_meaning_in_every_split(features, texts):
    assert texts.labels.tolist() == list(range(CLASSES))
    names = dict(zip(texts.labels.tolist(), texts.table["name"], strict=True))
    for data in features.values():
        assert data.table["class"].tolist() == data.labels.tolist() == data.levels[:, 0].tolist()
        assert data.table["name"].tolist() == [names[label] for label in data.labels.tolist()]


def test_levels_nest_and_are_those_of_the_table(features):
    data = features["all"]
    assert [len(data.levels[:, i].unique()) for i in range(3)] == [CLASSES, 95, 8]
    for i, column in enumerate(("class", "subgroup", "group")):
        assert data.levels[:, i].max() + 1 == len(data.levels[:, i].unique())
        pairs = set(zip(data.levels[:, i].tolist(), data.table[column], strict=True))
        assert len(pairs) == data.table[column].nunique()  # an index has one name, a name one index
    for fine, coarse in ((0, 1), (1, 2)):
        parents = {tuple(pair) for pair in data.levels[:, [fine, coarse]].tolist()}
        assert len(parents) == len(data.levels[:, fine].unique())  # one parent each
    for split in SPLITS:
        rows = torch.tensor(features[split].table["image"])
        assert torch.equal(features[split].levels, data.levels[rows])


def test_each_style_has_its_license(features):
    found = features["all"].table.groupby("style")["license"].agg(set)
    assert found.to_dict() == {style: {spdx} for style, spdx in LICENSES.items()}


# --- that rows belong together ---


def test_features_of_a_drawing_find_another_drawing_of_its_class(features):
    data = features["test"]
    similarity = (data.inputs @ data.inputs.T).fill_diagonal_(-torch.inf)
    found = (data.labels[similarity.argmax(1)] == data.labels).double().mean()
    assert found > 0.3  # chance is 0.002


def test_identical_pictures_have_identical_features(features, images):
    # Some designers draw two emoji alike. A shift of one row would pair the features of other pictures.
    table, data = images.table, features["all"]
    assert table.equals(data.table)
    groups = table.groupby([images_of.numpy().tobytes() for images_of in images.inputs]).indices.values()
    pairs = torch.tensor([(rows[0], other) for rows in groups for other in rows[1:]])
    assert len(pairs) > 30
    first, second = data.inputs[pairs].unbind(1)
    assert ((first * second).sum(1) > 0.98).all()


def test_pictures_are_those_of_the_table(images):
    colors = images.inputs.double().mean((2, 3))
    for name, channel in (("red square", 0), ("green square", 1), ("blue square", 2)):
        rows = torch.tensor(images.table.index[images.table["name"] == name])
        assert len(rows) >= 3
        assert (colors[rows].argmax(1) == channel).all()


def test_pictures_of_a_class_look_alike_across_styles(images):
    # Raw pixels of the Noto and Twemoji drawings of one class correlate far above chance in the order of the table.
    small = torch.nn.functional.avg_pool2d(images.inputs.float(), 4).flatten(1)
    small = torch.nn.functional.normalize(small - small.mean(0), dim=1)
    noto, twemoji = (torch.tensor(images.table.index[images.table["style"] == style]) for style in ("noto", "twemoji"))
    found = images.labels[twemoji][nearest(small[noto], small[twemoji])] == images.labels[noto]
    assert found.double().mean() > 0.15  # chance is 0.0006


def test_texts_are_aligned_with_the_table(texts):
    # A class and its nearest text share over a third of their keywords; a shift of one row halves that.
    keywords = [set(words.split(", ")) for words in texts.table["keywords"]]
    neighbors = (texts.inputs @ texts.inputs.T).fill_diagonal_(-torch.inf).argmax(1).tolist()
    shared = [len(keywords[i] & keywords[j]) / len(keywords[i] | keywords[j]) for i, j in enumerate(neighbors)]
    assert sum(shared) / len(shared) > 0.33


def test_loads_in_two_seconds():
    for what in ("features", "images", "texts"):
        start = time.process_time()  # of this process alone: what else the machine does must not decide
        datasets.emoji("test", what)
        assert time.process_time() - start < 2.0


def test_import_stays_light():
    code = "import sys, rankbook.datasets; print({'pandas', 'PIL', 'safetensors', 'torch._dynamo'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("what", "file"),
    [("features", "table.csv"), ("features", "features.safetensors"), ("images", "openmoji.webp"), ("texts", "texts.safetensors")],
)
def test_damaged_file_is_named_with_both_checksums_and_the_remedy(copy, what, file):
    content = bytearray((copy / file).read_bytes())
    expected = hashlib.sha256(content).hexdigest()
    content[len(content) // 2] ^= 1
    (copy / file).write_bytes(content)
    found = hashlib.sha256(content).hexdigest()
    with pytest.raises(ValueError, match="damaged") as error:
        datasets.emoji(what=what, folder=copy)
    for part in (str(copy / file), expected, found, "python data/emoji/prepare.py"):
        assert part in str(error.value)


def test_missing_file_is_named_with_the_remedy(copy):
    (copy / "features.safetensors").unlink()
    with pytest.raises(FileNotFoundError) as error:
        datasets.emoji(folder=copy)
    for part in (str(copy / "features.safetensors"), "python data/emoji/prepare.py"):
        assert part in str(error.value)
    assert len(datasets.emoji(what="texts", folder=copy)) == CLASSES  # what needs it not still loads


@pytest.mark.parametrize("arguments", [{"split": "dev"}, {"what": "pixels"}])
def test_unknown_argument_is_named_with_the_choices(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"{name} must be .*, .* or .*, got '{value}'"):
        datasets.emoji(**arguments)


# --- the committed files ---


def test_registry_and_readme_have_the_checksums_of_the_files():
    registry = Archive("emoji", Path(datasets.__file__).with_name("emoji_sha256.txt"), rebuild="").registry
    readme = (DATA / "README.md").read_text("utf-8")
    recorded = dict(re.findall(r"^\| `([\w.-]+)` \| [\d,]+ \| `(\w{64})` \|$", readme, re.MULTILINE))
    actual = {file: hashlib.sha256((DATA / file).read_bytes()).hexdigest() for file in registry}
    assert registry == {file: f"sha256:{digest}" for file, digest in actual.items()}
    assert recorded == actual
    stray = {path.name for path in DATA.iterdir() if path.suffix in {".csv", ".webp", ".safetensors"}} - set(registry)
    assert not stray


def test_the_archive_stays_small():
    assert sum(path.stat().st_size for path in DATA.rglob("*") if "__pycache__" not in path.parts) < 15e6


def test_prepare_names_the_styles_and_versions_of_the_documents(features):
    spec = importlib.util.spec_from_file_location("emoji_sources", DATA / "sources.py")
    sources = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = sources  # dataclasses look their module up
    spec.loader.exec_module(sources)
    assert {style.name: style.license for style in sources.STYLES} == LICENSES
    readme, licenses = ((DATA / name).read_text("utf-8") for name in ("README.md", "LICENSES.md"))
    packages = [style.package for style in sources.STYLES] + [sources.EMOJIBASE, sources.IMAGE_ENCODER, sources.TEXT_ENCODER]
    for package in packages:
        assert re.fullmatch(r"(@[\w-]+/)?[\w-]+(@|==)\d+\.\d+\.\d+", package)
        assert package in readme
    for style in sources.STYLES:
        assert len(style.integrity) == len("sha512-") + 88
        assert f"`{style.name}.webp`" in licenses and style.license in licenses
    for line in (DATA / "requirements-prepare.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[\w-]+==[\d.]+", line)
