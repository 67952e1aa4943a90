"""Pictures with one thing in a tight box, and the measures of an outline by loops."""

import builtins

import numpy as np
import pytest
import torch

from rankbook.experiments.polygon_losses import BoxTerms
from rankbook.experiments.tasks import scenes
from rankbook.experiments.tasks.outlines import Outlines, boundary_f, ellipses, iou
from rankbook.experiments.tasks.scenes import SIZE, Scenes, pasted_emoji, textured_blobs


@pytest.fixture(params=[pasted_emoji, textured_blobs])
def load(request):
    if request.param is pasted_emoji:
        pytest.importorskip("sklearn", reason="the photographs come with scikit-learn")
    return request.param


def test_the_box_is_tight_and_the_thing_is_one_piece(load):
    found = load("validation", 3, 6)
    assert found.images.shape == (6, 3, SIZE, SIZE) and found.images.min() >= 0 and found.images.max() <= 1
    for mask, box in zip(found.masks, found.boxes.int().tolist(), strict=True):
        rows, columns = mask.nonzero().unbind(1)
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert mask.sum() > 30
    assert torch.equal(found.images, load("validation", 3, 6).images)
    assert not torch.equal(found.images, load("validation", 4, 6).images)


def test_the_parts_differ():
    drawn = [textured_blobs(part, 3, 2).images for part in scenes.PARTS]
    assert not any(torch.equal(drawn[i], drawn[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_emoji_need_the_photographs(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        scenes._photographs.__wrapped__()


def edge_by_loops(mask):
    there = {(i, j) for i in range(len(mask)) for j in range(len(mask)) if mask[i, j]}
    return {(i, j) for i, j in there if not {(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)} <= there}


def test_the_measures_by_loops():
    draw = np.random.default_rng(0)
    one, other = draw.random((2, 3, 9, 9)) < 0.6
    expected_iou, expected_f = [], []
    for a, b in zip(one, other, strict=True):
        both = sum(a[i, j] and b[i, j] for i in range(9) for j in range(9))
        expected_iou.append(both / sum(a[i, j] or b[i, j] for i in range(9) for j in range(9)))
        edges = edge_by_loops(a), edge_by_loops(b)
        shares = []
        for mine, its in (edges, edges[::-1]):
            shares.append(sum(any(abs(i - k) <= 1 and abs(j - m) <= 1 for k, m in its) for i, j in mine) / len(mine))
        expected_f.append(2 * shares[0] * shares[1] / sum(shares))
    assert iou(one, other) == pytest.approx(np.mean(expected_iou))
    assert boundary_f(one, other) == pytest.approx(np.mean(expected_f))
    apart = np.zeros((1, 9, 9), bool), np.zeros((1, 9, 9), bool)
    apart[0][0, :2, :2], apart[1][0, 5:, 5:] = True, True
    assert boundary_f(*apart) == 0 and boundary_f(apart[1], apart[1]) == 1


def disks(part, seed, n):
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    masks = ((x - 16) ** 2 + (y - 16) ** 2 < 64).expand(n, -1, -1)
    return Scenes((0.2 + 0.6 * masks[:, None]).expand(-1, 3, -1, -1), masks, torch.tensor([[8.0, 8.0, 24.0, 24.0]]).expand(n, -1))


def test_what_is_kept_and_what_collapses():
    """The neighbors alone swallow the picture; the ellipse stays with its box; polygons of one split are not judged on another."""
    task = Outlines(load=disks, pictures=2)
    held = task.fit(BoxTerms(start=1.0), steps=3, seed=0)
    found = task.measure(held, "test")
    assert found["kept"] == 1 and found["IoU"] > 0.95 and found["box IoU"] == pytest.approx(disks("", 0, 1).masks.sum().item() / 256)
    swallowed = held.polygons.clone()
    held.polygons = 16 + 3 * (swallowed - 16)
    assert task.measure(held, "test")["kept"] == 0
    held.polygons = 16 + 0.1 * (swallowed - 16)
    assert task.measure(held, "test")["kept"] == 0
    with pytest.raises(ValueError, match="split must be 'test'"):
        task.measure(held, "validation")


def test_a_fit_is_repeatable_and_leaves_the_random_state():
    task, state = Outlines(load=textured_blobs, pictures=2), torch.get_rng_state()
    first, again = (task.fit(BoxTerms(local=1.0, region=2.0), steps=4, seed=100).polygons for _ in range(2))
    assert torch.equal(first, again) and torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, ellipses(textured_blobs("validation", 100, 2).boxes, 16, 0.9))
