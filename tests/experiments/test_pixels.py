"""The small network that learns from the pixels, and its task on pictures in memory."""

import numpy as np
import pytest
import torch
from PIL import Image

import rankbook as rb
from rankbook.datasets import Samples, emoji, image_folder
from rankbook.experiments.parts import signature
from rankbook.experiments.tasks.pixels import PixelRetrieval, bird_photographs, drawings, in_memory
from rankbook.experiments.train.networks import Patches


def few(split: str) -> Samples:
    """Every twentieth class of a split."""
    data = drawings(split)
    return data[torch.isin(data.labels, data.labels.unique()[::20])]


def test_the_patches_do_not_overlap_and_are_seen_alike():
    """The first layer is one matrix for each patch of 6 x 6 pixels."""
    torch.manual_seed(0)
    network = Patches(24)
    images = torch.randint(0, 256, (2, 3, 24, 24), dtype=torch.uint8)
    weights = network.blocks[0][0].weight.flatten(1)
    found = network.blocks[0][0](images / 255)
    for row in range(4):
        for column in range(4):
            patch = images[:, :, 6 * row : 6 * row + 6, 6 * column : 6 * column + 6].flatten(1) / 255
            torch.testing.assert_close(found[:, :, row, column], patch @ weights.T, atol=1e-5, rtol=1e-5)


def test_bytes_and_floats_are_the_same_picture_on_the_unit_sphere():
    network = Patches(48, outputs=7)
    images = emoji("validation", "images").inputs[:3]
    found = network(images)
    assert found.shape == (3, 7)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(found, network(images.float() / 255))


def test_a_size_that_patches_do_not_fill_is_refused():
    with pytest.raises(ValueError, match="size must be a multiple of 12, as the patches are, got 50"):
        Patches(50)


def test_it_learns_and_the_same_call_gives_the_same_network():
    task = PixelRetrieval(load=few, classes=16, outputs=16)
    fits = [task.fit(rb.SupConLoss(0.1), lr=3e-3, steps=steps, seed=0) for steps in (20, 20, 1)]
    one, two, start = (task.measure(model, "validation")["mAP@R"] for model in fits)
    assert one == two > start + 0.05
    assert signature(task) == "PixelRetrieval(load=few, classes=16, outputs=16)" and signature(PixelRetrieval()) == "PixelRetrieval()"


@pytest.fixture
def birds(tmp_path):
    g = np.random.default_rng(0)
    for number in (1, 5, 6, 101):
        (tmp_path / f"images/{number:03}.Bird").mkdir(parents=True)
        for item in range(2):
            Image.fromarray(g.integers(0, 256, (60, 70, 3), dtype=np.uint8)).save(tmp_path / f"images/{number:03}.Bird/{item}.png")
    return tmp_path


def test_pictures_are_read_once_as_bytes(birds):
    lazy = image_folder(birds / "images", size=48)
    data = in_memory(lazy)
    assert data.inputs.dtype == torch.uint8 and data.inputs.shape == (8, 3, 48, 48)
    assert torch.equal(data.inputs.float() / 255, lazy.inputs[torch.arange(8)])


def test_species_train_choose_or_are_judged(birds):
    labels = {split: sorted(set(bird_photographs(split, birds).labels.tolist())) for split in ("train", "validation", "test")}
    assert labels == {"train": [0, 5], "validation": [4], "test": [100]}
