"""Parts in MuJoCo against the formulas and the rays of a pinhole, and a machine that has no MuJoCo."""

import argparse
import re
import sys

import numpy as np
import pytest
import torch

from rankbook.archive import asset
from rankbook.experiments.command import told
from rankbook.experiments.servo_losses import ServoLoss
from rankbook.experiments.tasks import rendered_parts, servo
from rankbook.experiments.tasks.depth_pictures import KNOWN, LOOSE, Parts, draw_offsets, draw_parts, simulated
from rankbook.experiments.tasks.rendered_parts import DISTANCE, LENGTH, STILL, rendered
from rankbook.experiments.tasks.servo import Servo, draw_scenes


@pytest.fixture
def draw():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def engine():
    pytest.importorskip("mujoco", reason="pip install 'mujoco<4' and set MUJOCO_GL=egl")
    try:
        rendered_parts._view(24, DISTANCE)
    except ImportError as error:
        pytest.skip(str(error))


def parts_of(*values):
    return Parts(*torch.tensor(values).T)


#: radius, power, wall, height, turn, peg
DISC = (0.3, 2.0, 0.2, 0.3, 0.0, 0.4)


@pytest.mark.usefixtures("engine")
def test_from_far_away_the_formulas_are_left(draw):
    """Twice as far, half of what perspective moves; at last the edges alone, of which the formulas know the covered share about."""
    parts, offsets = draw_parts(60, draw, **KNOWN), draw_offsets(60, draw)
    formula = simulated(parts, offsets)
    off = [(rendered(parts, offsets, distance=distance) - formula).abs() for distance in (4.0, 8.0, 300.0)]
    assert off[0].mean() > 1.6 * off[1].mean() and off[1].mean() > 4 * off[2].mean()
    assert off[2].mean() < 0.004 and off[2].median() < 1e-3 and off[2].max() < 0.2


@pytest.mark.usefixtures("engine")
def test_a_row_by_the_rays_of_a_pinhole():
    """Along the middle row, through a hole that is off to the right: table, wall, top, hole, peg, hole, wall, top, table."""
    radius, _, wall, height, _, peg = DISC
    size, right = 201, 0.35
    found = rendered(parts_of(DISC), torch.tensor([[right, 0.0]]), size=size)[0, 0, size // 2]
    wanted = torch.ones(size)
    for i, x in enumerate(((torch.arange(size) + 0.5) * 2 / size - 1).tolist()):
        for depth in torch.linspace(peg, 1, 2001).tolist():  # the ray goes down until it meets something
            at = x * (DISTANCE - 1 + depth) / DISTANCE
            in_peg = depth < peg + LENGTH and abs(at) < LOOSE * radius
            if in_peg or (depth > 1 - height and radius < abs(at - right) < radius + wall):
                wanted[i] = depth
                break
    away = (found - wanted).abs()
    assert away.median() < 1e-4 and (away > 0.02).sum() <= 8, "edges alone"
    assert ((wanted > 1 - height + 0.01) & (wanted < 0.99)).sum() > 10, "walls are seen"


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("right", "down"), [(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)])
def test_the_hole_is_where_the_offset_says(right, down):
    """The middle of a small ring, of which the peg hides nothing."""
    small = parts_of((0.15, *DISC[1:-1], 0.45))  # no share of peg and table in a pixel gives the depth of the ring
    found = rendered(small, torch.tensor([[right, down]]), size=48, distance=20.0)[0, 0]
    ring = (found - (1 - DISC[3])).abs() < 1e-4
    place = (torch.arange(48) + 0.5) / 24 - 1
    rows, columns = ring.nonzero().unbind(1)
    middle = [(place[one].max() + place[one].min()).item() / 2 for one in (columns, rows)]
    assert middle == pytest.approx([right, down], abs=0.05)


@pytest.mark.usefixtures("engine")
def test_depth_is_in_the_units_of_the_simulation(draw):
    parts = draw_parts(20, draw, **KNOWN)
    found = rendered(parts, torch.full((20, 2), 0.1))
    assert found.dtype == torch.float32 and found.shape == (20, 1, 24, 24)
    torch.testing.assert_close(found[:, 0, 11, 11], parts.peg, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:, 0, 0, 0], torch.ones(20), atol=1e-5, rtol=0)


@pytest.mark.usefixtures("engine")
def test_what_is_near_looks_larger():
    """By as much as the camera is nearer to it: the top of the peg, by its area."""
    size, larger = 96, DISTANCE / (DISTANCE - 1 + DISC[5])
    covered = (rendered(parts_of(DISC), torch.zeros(1, 2), size=size) < 0.55).double().sum() * (2 / size) ** 2
    assert covered.item() == pytest.approx(torch.pi * (LOOSE * DISC[0] * larger) ** 2, rel=0.02)


@pytest.mark.usefixtures("engine")
def test_a_picture_does_not_depend_on_those_before_it(draw):
    parts, offsets = draw_parts(6, draw, **KNOWN), draw_offsets(6, draw)
    found, back = rendered(parts, offsets), torch.arange(5, -1, -1)
    assert torch.equal(found, rendered(Parts(*(one[back] for one in parts)), offsets[back])[back])
    rendered(parts, offsets, size=12, distance=3.0)
    assert torch.equal(found, rendered(parts, offsets)), "of another camera neither"
    assert rendered(Parts(*(one[:0] for one in parts)), offsets[:0]).shape == (0, 1, 24, 24)


@pytest.mark.usefixtures("engine")
def test_the_still_picture_is_rendered_again():
    scene = draw_scenes(1, torch.Generator().manual_seed(STILL), KNOWN)
    still = np.loadtxt(asset("rendered_parts/still.csv"), delimiter=",")
    np.testing.assert_allclose(rendered(scene.parts, scene.offsets)[0, 0], still, atol=1e-3)


@pytest.mark.usefixtures("engine")
def test_a_training_for_the_rendered_world(monkeypatch):
    """Simulated pictures are as ever, their twins are rendered, and so is what a ride sees after each move."""
    monkeypatch.setattr(servo, "TRIALS", 40)
    servo._judges.cache_clear()
    task, formulas = Servo(pairs=20, pictures=200, reality=rendered, moves=2, gain=0.5), Servo(pairs=20, pictures=200)
    pictures, offsets = task.draw(3)
    assert torch.equal(pictures[:200], formulas.draw(3)[0][:200]) and torch.equal(offsets, formulas.draw(3)[1])
    assert torch.equal(Servo(pairs=5, pictures=200, reality=rendered).draw(3)[0], pictures[:205])
    nearness = [(one.draw(3)[0][200:] - pictures[200:]).abs().mean() for one in (formulas, task)]
    assert nearness[0] > 0.02 and nearness[1] == 0
    policy = task.fit(ServoLoss(3e-3, real=0.5), steps=20, seed=100)
    found = task.measure(policy, "validation")
    assert found["error"] != formulas.measure(policy, "validation")["error"]
    scenes, _, _, draw = servo._judges("validation", rendered)
    again = torch.Generator().set_state(draw)
    with torch.no_grad():
        left = scenes.offsets - 0.5 * policy.offsets(servo.seen(rendered(scenes.parts, scenes.offsets), scenes.cameras, again))
        left = left - 0.5 * policy.offsets(servo.seen(rendered(scenes.parts, left), scenes.cameras, again))
    assert found["docked"] == pytest.approx((left.norm(dim=1) < servo.DOCKED).double().mean().item())
    servo._judges.cache_clear()


@pytest.mark.usefixtures("engine")
def test_a_camera_among_the_parts_is_refused():
    with pytest.raises(ValueError, match=r"distance must be .*above 1, got 0\.5"):
        rendered(parts_of(DISC), torch.zeros(1, 2), distance=0.5)


def test_without_mujoco_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    rendered_parts._view.cache_clear()
    with pytest.raises(SystemExit, match="2"), told(argparse.ArgumentParser("it")):
        rendered(parts_of(DISC), torch.zeros(1, 2))
    assert re.search(r"it: error: .*pip install 'mujoco<4'.*MUJOCO_GL=egl", capsys.readouterr().err)
