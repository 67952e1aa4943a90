"""The reader of Fashion-MNIST: tiny idx files, packed or not, with the damage that real copies show."""

import gzip
import struct

import numpy as np
import pytest
import torch

import rankbook as rb

PICTURES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
LABELS = np.array([9, 0, 3, 3, 1], np.uint8)


def idx(values):
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write(root, *, name="t10k", pictures=None, labels=None, packed=True):
    """Two files; bytes stand as they are."""
    for kind, values in (
        ("images-idx3", PICTURES if pictures is None else pictures),
        ("labels-idx1", LABELS if labels is None else labels),
    ):
        content = values if isinstance(values, bytes) else gzip.compress(idx(values)) if packed else idx(values)
        (root / f"{name}-{kind}-ubyte{'.gz' if packed else ''}").write_bytes(content)
    return root


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("split", "name"), [("train", "train"), ("test", "t10k")])
def test_pictures_labels_and_names(tmp_path, split, name, packed):
    data = rb.datasets.fashion_mnist(write(tmp_path, name=name, packed=packed), split)
    assert data.inputs.shape == (5, 3, 28, 28) and data.inputs.dtype == torch.uint8
    for channel in range(3):
        assert np.array_equal(data.inputs[:, channel].numpy(), PICTURES)
    assert data.labels.tolist() == LABELS.tolist() and data.labels.dtype == torch.int64
    assert data.table["kind"].tolist() == ["boot", "t-shirt", "dress", "dress", "trousers"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": gzip.compress(idx(PICTURES))[:-20]}, "images-idx3-ubyte.gz is damaged"),
        ({"pictures": b"<html>not found</html>"}, "images-idx3-ubyte.gz is damaged"),
        ({"pictures": gzip.compress(idx(PICTURES)[:-1])}, "images-idx3-ubyte.gz is damaged.*3935 bytes"),
        ({"pictures": PICTURES[:, :27]}, "images-idx3-ubyte.gz is damaged or no idx file of this set"),
        ({"pictures": gzip.compress(b"")}, "images-idx3-ubyte.gz is damaged"),
        ({"labels": PICTURES}, "labels-idx1-ubyte.gz is damaged"),
        ({"labels": LABELS[:0], "pictures": PICTURES[:0]}, "images-idx3-ubyte.gz is damaged"),
        ({"labels": LABELS[:4]}, "5 pictures and .* 4 labels"),
        ({"labels": LABELS + 1}, "labels must be from 0 to 9, got 10"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=f"(?s){message}.*fetch .* anew: Fashion-MNIST is the Debian package"):
        rb.datasets.fashion_mnist(write(tmp_path, **change), "test")


def test_a_bad_root_or_split_is_named(tmp_path):
    with pytest.raises(NotADirectoryError, match="root must be a folder, such as 'fashion-mnist'"):
        rb.datasets.fashion_mnist(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"root must hold train-images-idx3-ubyte\.gz"):
        rb.datasets.fashion_mnist(write(tmp_path))
    with pytest.raises(ValueError, match='split must be "train" or "test"'):
        rb.datasets.fashion_mnist(tmp_path, "validation")


def test_all_real_pictures_are_there_if_the_debian_package_is():
    root = "/usr/share/datasets/fashion-mnist"
    try:
        train, test = (rb.datasets.fashion_mnist(root, split) for split in ("train", "test"))
    except NotADirectoryError:
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    assert train.labels.bincount().tolist() == [6000] * 10 and test.labels.bincount().tolist() == [1000] * 10
