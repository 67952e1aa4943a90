"""A network that predicts polygons: what it sees, what it shares with its judges, that it learns, and what it learns from."""

import math

import numpy as np
import pytest
import torch

from rankbook.experiments.polygon_losses import BoxTerms, MaskOverlap
from rankbook.experiments.studies.polygon_network import STUDY
from rankbook.experiments.tasks import polygon_network, scenes
from rankbook.experiments.tasks.outlines import ellipses
from rankbook.experiments.tasks.polygon_network import PolygonNetwork, PredictedOutlines, along_rays
from rankbook.experiments.tasks.scenes import PARTS, SIZE, emoji_apart, textured_blobs

BLOBS = PredictedOutlines(load=textured_blobs, pictures=4, batch=4)


def test_a_network_begins_with_the_ellipse_and_moves_with_its_box():
    """The same picture, box and polygon elsewhere: the network sees where the box is, not where in the picture that is."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = PolygonNetwork(12, 0.8)
        images = torch.rand(3, 3, SIZE, SIZE)
        boxes = torch.tensor([[8.0, 6.0, 20.0, 24.0], [9.0, 9.0, 19.0, 17.0], [7.0, 10.0, 20.0, 20.0]])
        torch.testing.assert_close(network(images, boxes), ellipses(boxes, 12, 0.8))
        torch.nn.init.normal_(network.moves.weight)
    polygons = network(images, boxes)
    assert polygons.shape == (3, 12, 2) and not torch.allclose(polygons, ellipses(boxes, 12, 0.8), atol=0.1)
    moved = torch.tensor([3.0, 2.0])
    elsewhere = network(images.roll((2, 3), (2, 3)), boxes + moved.repeat(2))
    torch.testing.assert_close(elsewhere, polygons + moved, atol=1e-3, rtol=0)
    assert not torch.allclose(network(1 - images, boxes), polygons)


def test_what_the_network_sees_lies_on_rays_of_its_box():
    """A picture whose colors are the places of its pixels, read off by hand; then the difference to the end of the ray."""
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    images, box = torch.stack([x, y, x])[None], torch.tensor([[10.0, 12.0, 22.0, 20.0]])
    found = along_rays(images, box, 8)[0]
    assert found.shape == (6, 8, 24)
    for ray, radius in ((0, 0), (2, 7), (5, 23)):
        angle, far = 2 * math.pi * ray / 8, 1.5 * (radius + 0.5) / 24
        expected = 16 + 6 * far * math.cos(angle), 16 + 4 * far * math.sin(angle)
        assert found[:2, ray, radius].tolist() == pytest.approx(expected, abs=1e-4)
        assert found[3:5, ray, radius].tolist() == pytest.approx((found[:2, ray, radius] - found[:2, ray, 23]).tolist(), abs=1e-5)


def test_turning_the_picture_turns_the_polygon():
    """By a quarter turn, in a square box: the rays are alike, and the last is next to the first."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network, images = PolygonNetwork(8), torch.rand(1, 3, SIZE, SIZE)
        torch.nn.init.normal_(network.moves.weight)
    box = torch.tensor([[8.0, 8.0, 24.0, 24.0]])
    before, after = network(images, box)[0] - 16, network(images.rot90(-1, (2, 3)), box)[0] - 16
    turned = torch.stack([-before[:, 1], before[:, 0]], 1).roll(2, 0)  # y runs downwards: x -> y, y -> -x
    torch.testing.assert_close(after, turned, atol=1e-4, rtol=0)


def test_the_splits_share_no_emoji_and_no_ground(monkeypatch):
    """Things come from the split's own classes, and grounds from columns of its own, which a photograph that counts them shows."""
    classes = [set(scenes.emoji(part, "texts").table["class"]) for part in PARTS]
    assert not any(classes[i] & classes[j] for i, j in ((0, 1), (0, 2), (1, 2)))
    asked, full = [], np.ones((50, scenes.THING, scenes.THING), bool)

    def cutouts(part):
        asked.append(part)
        return np.zeros((*full.shape, 3)), full

    monkeypatch.setattr(scenes, "_cutouts", cutouts)
    columns = np.broadcast_to(np.arange(160.0)[:, None], (106, 160, 3))
    monkeypatch.setattr(scenes, "_photographs", lambda: [columns])
    seen = []
    for part in PARTS:
        drawn = emoji_apart(part, 5, 50)
        seen.append(set(drawn.images[:, 0][~drawn.masks].int().tolist()))
    assert asked == [*PARTS] and sum(map(len, seen)) > 140
    assert max(seen[0]) < min(seen[1]) and max(seen[1]) < min(seen[2])


def test_training_and_judging_draw_other_pictures():
    calls = []

    def load(part, seed, n):
        calls.append((part, seed, n))
        return textured_blobs(part, seed, n)

    task = PredictedOutlines(load=load, pictures=3, batch=2)
    network = task.fit(BoxTerms(), steps=2, seed=101)
    task.measure(network, "validation")
    assert calls == [("train", 10_100_000, 2), ("train", 10_100_001, 2), ("validation", 101, 3), ("validation", 101, 3)]
    with pytest.raises(ValueError, match="split must be 'validation'"):
        task.measure(network, "test")


@pytest.mark.parametrize("loss", [BoxTerms(local=0.3, region=10.0, tau=0.15, sigma=0.05), MaskOverlap()])
def test_a_few_steps_reduce_the_loss_on_new_pictures(loss):
    judges = textured_blobs("test", 0, 24)

    def value(network):
        with torch.no_grad():
            return loss(network(judges.images, judges.boxes), getattr(judges, loss.sees), judges.boxes).item()

    task = PredictedOutlines(load=textured_blobs, batch=16)
    first, last = (value(task.fit(loss, steps=steps, seed=0)) for steps in (0, 25))
    assert last < 0.98 * first


def test_box_losses_see_no_mask():
    def blind(part, seed, n):
        drawn = textured_blobs(part, seed, n)
        return drawn._replace(masks=~drawn.masks)

    def weights(load, loss):
        return torch.cat([x.flatten() for x in PredictedOutlines(load=load, batch=4).fit(loss, steps=2, seed=0).parameters()])

    box, mask = BoxTerms(local=1.0), MaskOverlap()
    assert torch.equal(weights(blind, box), weights(textured_blobs, box))
    assert not torch.equal(weights(blind, mask), weights(textured_blobs, mask))


def test_a_training_is_repeatable_and_leaves_the_random_state():
    state = torch.get_rng_state()
    first, again, other = (BLOBS.fit(BoxTerms(local=1.0), steps=3, seed=seed) for seed in (100, 100, 101))
    found = [BLOBS.measure(network, "validation") for network in (first, again, other)]
    assert found[0] == found[1] != found[2] and torch.equal(torch.get_rng_state(), state)
    assert {*BLOBS.metrics, "box IoU", "ellipse IoU", "fit IoU", "fit boundary F", "ellipse kept"} < set(found[0])


def test_the_mask_loss_by_hand():
    square = torch.tensor([[[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]]])
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[:, 2:6, 2:6] = True
    sharp = MaskOverlap(tau=1e-4)
    assert sharp(square, masks, None).item() == pytest.approx(0, abs=1e-6)
    assert sharp(square + 2, masks, None).item() == pytest.approx(1 - 4 / 28, abs=1e-5)
    assert sharp(square.repeat(3, 1, 1), masks.repeat(3, 1, 1), None).item() == pytest.approx(0, abs=1e-6)


def test_the_fit_beside_it_is_that_of_the_study_of_polygons():
    from rankbook.experiments.studies.polygons import STUDY as fits

    assert {"steps": fits.steps, "lr": fits.task.lr} == polygon_network.FIT and fits.task.corners == STUDY.task.corners


@pytest.mark.parametrize("loss", ["u + lp + gp", "masks"])
def test_a_loss_that_the_study_does_not_know_is_named(loss):
    line = STUDY._config(loss, STUDY.settings(loss)[0], 0, 2, "test")
    assert STUDY.setting(line) == STUDY.settings(loss)[0]
    with pytest.raises(KeyError, match="polygon transformer"):
        STUDY.run(line | {"loss": "polygon transformer"})
