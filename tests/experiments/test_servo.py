"""Depth pictures by loops, batches in the proportion that a loss asks for, and rides to the hole."""

import math

import pytest
import torch

from rankbook.experiments.servo_losses import ServoLoss, apart, natural, real_alone, squared_distance
from rankbook.experiments.tasks import servo
from rankbook.experiments.tasks.depth_pictures import KNOWN, LOOSE, Camera, Parts, draw_cameras, draw_offsets, draw_parts, seen, simulated
from rankbook.experiments.tasks.servo import DOCKED, Policy, Servo, draw_scenes, ride


@pytest.fixture
def draw():
    return torch.Generator().manual_seed(5)


def covered(x, y, center, radius, power, turn, pixel):
    right, down = x - center[0], y - center[1]
    along = abs(math.cos(turn) * right + math.sin(turn) * down)
    across = abs(math.cos(turn) * down - math.sin(turn) * right)
    return min(max(0.5 - ((along**power + across**power) ** (1 / power) - radius) / pixel, 0), 1)


def test_the_simulation_by_loops(draw):
    size, parts, offsets = 12, draw_parts(3, draw, **KNOWN), draw_offsets(3, draw)
    found = simulated(parts, offsets, size=size)
    assert found.shape == (3, 1, size, size)
    for i, (radius, power, wall, height, turn, top) in enumerate(zip(*(one.tolist() for one in parts), strict=True)):
        for row in range(size):
            for column in range(size):
                x, y, pixel = (column + 0.5) * 2 / size - 1, (row + 0.5) * 2 / size - 1, 2 / size
                outer, hole = (covered(x, y, offsets[i].tolist(), one, power, turn, pixel) for one in (radius + wall, radius))
                peg = covered(x, y, (0, 0), LOOSE * radius, power, turn, pixel)
                depth = (1 - height * outer * (1 - hole)) * (1 - peg) + top * peg
                assert found[i, 0, row, column].item() == pytest.approx(depth, abs=1e-4)


def test_a_camera_is_off_and_blind_on_one_side(draw):
    """Its tilt is a slope, its gain a factor; missing depth is 0, to the right of what stands out."""
    clean = torch.ones(400, 1, 9, 9)
    clean[:, :, :, 3:5] = 0.5
    none = torch.zeros(400)
    found = seen(clean, Camera(none + 1.1, none + 0.2, torch.tensor([[0.1, -0.3]]).expand(400, 2)), draw)[:, 0]
    missing = (found == 0).float().mean((0, 1))
    assert missing[5] > 0.4 and missing[torch.arange(9) != 5].max() < 0.05
    kept = torch.where(found > 0, found, torch.nan).nanmean(0)
    assert kept[4, 8].item() == pytest.approx(1.1 + 0.2 + 0.1 * 8 / 9, abs=0.02)
    assert (kept[8, 0] - kept[0, 0]).item() == pytest.approx(-0.3 * 16 / 9, abs=0.02)
    assert kept[4, 2].item() == pytest.approx(1.1 * (0.75 + 0.25 * 0.5) + 0.2 - 0.1 * 4 / 9, abs=0.02), "the edge is blurred"


def batch(loss, task):
    pictures, offsets = task.draw(3)
    labeled, targets = next(task.batches(loss, pictures, offsets, torch.Generator().manual_seed(1)))
    real = {tuple(one.flatten().tolist()) for one in pictures[task.pictures :]}
    return [tuple(one.flatten().tolist()) in real for one in labeled], targets


def test_batches_have_the_share_of_real_pictures_that_the_loss_asks_for():
    task = Servo(pairs=100, pictures=300, batch=400)
    for loss, share in ((ServoLoss(1e-3), 0), (real_alone(1e-3), 1), (natural(1e-3), 0.25), (ServoLoss(1e-3, real=0.5), 0.5)):
        real, targets = batch(loss, task)
        assert len(real) == len(targets) == 400 and sum(real) / 400 == pytest.approx(share, abs=0.08)
    real, targets = batch(ServoLoss(1e-3, weight=2.0), task)
    assert len(targets) == 400 and real == [False] * 600 + [True] * 200


def test_pairs_are_twins_and_fewer_are_some_of_more():
    task = Servo(pairs=6, pictures=10)
    pictures, offsets = task.draw(3)
    assert torch.equal(offsets[10:], offsets[:6])
    distance = (pictures[10:, None] - pictures[None, :6]).abs().flatten(2).median(2).values
    assert torch.equal(distance.argmin(1), torch.arange(6)), "the twin is the nearest"
    assert torch.equal(Servo(pairs=2, pictures=10).draw(3)[0], pictures[:12])
    assert not torch.equal(task.draw(4)[0], pictures)


def test_the_loss_by_loops(draw):
    predicted, offsets, twins = (torch.randn(*shape, generator=draw) for shape in ((5, 2), (5, 2), (2, 3, 4)))
    error = sum(math.dist(a, b) ** 2 for a, b in zip(predicted.tolist(), offsets.tolist(), strict=True)) / 5
    pairs = sum(math.dist(a, b) ** 2 for a, b in zip(*twins.tolist(), strict=True)) / 3
    assert ServoLoss(1e-3)(predicted, offsets, twins).item() == pytest.approx(error, rel=1e-5)
    assert ServoLoss(1e-3, weight=0.3)(predicted, offsets, twins).item() == pytest.approx(error + 0.3 * pairs, rel=1e-5)


def test_features_that_shrink_pay_less_and_are_as_far_apart(draw):
    twins = torch.randn(2, 50, 4, generator=draw)
    assert squared_distance(*(0.1 * twins)).item() == pytest.approx(0.01 * squared_distance(*twins).item(), rel=1e-5)
    assert apart(0.1 * twins) == pytest.approx(apart(twins), rel=1e-5)
    everyone = [math.dist(a, b) ** 2 for a in twins[0].tolist() for b in twins[0].tolist()]
    assert apart(twins) == pytest.approx(squared_distance(*twins).item() / (sum(everyone) / 2500), rel=1e-4)
    assert math.isnan(apart(torch.ones(2, 5, 4)))


def test_a_step_gives_the_loss_offsets_of_labeled_pictures_and_features_of_pairs(draw):
    features, offsets, policy = torch.rand(9, 48, generator=draw), torch.rand(3, 2, generator=draw), Policy()
    predicted, wanted, twins = servo._called(lambda *given: given, policy, features, offsets)
    assert torch.equal(predicted, policy.readout(features[:3])) and torch.equal(wanted, offsets)
    assert torch.equal(twins[0], features[3:6]) and torch.equal(twins[1], features[6:]), "simulated, then real"


class Known(Policy):
    """Knows the truth, and is wrong by as much as it is told; keeps what it was shown."""

    def __init__(self, scenes, wrong):
        super().__init__()
        self.left, self.wrong, self.shown = scenes.offsets.clone(), wrong, []

    def offsets(self, pictures):
        self.shown.append(pictures)
        told = self.left + self.wrong
        self.left = self.left - told
        return told


def test_a_ride_ends_where_the_policy_errs(draw):
    scenes = draw_scenes(20, draw, KNOWN)
    assert ride(Known(scenes, 0.0), scenes, draw).norm(dim=1).max() < 1e-6
    left = ride(Known(scenes, 0.2), scenes, draw)
    torch.testing.assert_close(left, torch.full((20, 2), -0.2))
    assert torch.equal(ride(Known(scenes, 0.0), scenes, draw, moves=0), scenes.offsets)


def test_a_ride_looks_again_from_where_it_is(draw):
    """By the same camera, with new noise."""
    scenes, again = draw_scenes(20, draw, KNOWN), torch.Generator().set_state(draw.get_state())
    policy = Known(scenes, 0.2)
    ride(policy, scenes, draw, moves=3)
    for shown, offsets in zip(policy.shown, (scenes.offsets, torch.full((20, 2), -0.2), torch.full((20, 2), -0.2)), strict=True):
        torch.testing.assert_close(shown, seen(simulated(scenes.parts, offsets), scenes.cameras, again), atol=1e-5, rtol=0)
    assert not torch.equal(policy.shown[1], policy.shown[2])


def test_a_short_training_learns_and_is_repeatable():
    task, state = Servo(pairs=30, pictures=300), torch.get_rng_state()
    first, again = (task.fit(ServoLoss(3e-3, real=0.5, weight=0.1), steps=60, seed=100) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    found, untrained = task.measure(first, "validation"), task.measure(Policy(), "validation")
    assert found["error"] < 0.8 * untrained["error"]
    assert found == task.measure(first, "validation") != task.measure(first, "test")
    scenes, _, real, _ = servo._judges("validation", simulated)
    errors = [math.dist(a, b) for a, b in zip(first.offsets(real).tolist(), scenes.offsets.tolist(), strict=True)]
    assert found["error"] == pytest.approx(sum(errors) / len(errors), rel=1e-5)
    left = ride(first, scenes, torch.Generator().set_state(servo._judges("validation", simulated)[3]))
    assert found["docked"] == pytest.approx(sum(math.hypot(*one) < DOCKED for one in left.tolist()) / len(left))


def test_cameras_and_parts_are_drawn_within_their_bounds(draw):
    parts, cameras = draw_parts(2000, draw, **KNOWN), draw_cameras(2000, draw)
    assert isinstance(parts, Parts) and KNOWN["radius"][0] <= parts.radius.min() < 0.26 and 0.44 < parts.radius.max() <= KNOWN["radius"][1]
    assert cameras.tilt.shape == (2000, 2) and cameras.tilt.abs().max() <= 0.1
