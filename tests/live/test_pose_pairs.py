"""Pairs in a plane of two features: what the weight draws together, how a smaller size pays, and what is refused."""

import base64

import pytest
import torch

from rankbook.experiments.tasks.depth_pictures import KNOWN, draw_cameras, draw_offsets, draw_parts, seen, simulated
from rankbook.live import PosePairs
from rankbook.live.pose_pairs import COUNT, LEVELS, SIDE, inputs, learned
from rankbook.live.pose_pictures import PICTURES, POSES


def test_its_pictures_are_those_of_the_study():
    draw = torch.Generator().manual_seed(2)
    parts, offsets, cameras = draw_parts(2 * COUNT, draw, **KNOWN), draw_offsets(2 * COUNT, draw), draw_cameras(2 * COUNT, draw)
    clean = simulated(parts, offsets, size=SIDE)
    both = torch.cat([clean[:COUNT], seen(clean, cameras, draw)])
    stored = torch.tensor(list(base64.b64decode(PICTURES))).view(both.shape)
    assert (stored - LEVELS * both).abs().max() < 0.51
    torch.testing.assert_close(torch.tensor(POSES).view(-1, 2), offsets, atol=6e-4, rtol=0)


def test_the_map_is_the_best_one():
    """The objective of the docstring has no slope there."""
    x, poses = inputs(PICTURES), torch.tensor(POSES, dtype=torch.float64).view(2, COUNT, 2)[0]
    features, middle = learned(x, poses, 0.3, 1.0)
    x = x - x[:COUNT].mean(0)
    found = torch.linalg.lstsq(x, features).solution.requires_grad_()
    assert (x @ found - features).abs().max() < 1e-9
    known, twins = (x @ found).split(COUNT)[:2]
    loss = (known + middle - poses).square().sum(1).mean() + 0.3 * (known - twins).square().sum(1).mean() + 1e-4 * found.square().sum()
    assert torch.autograd.grad(loss, found)[0].abs().max() < 1e-9


def test_a_constant_is_what_the_pairs_like_best():
    """Some weight helps on new real pictures; too much gives the error of a constant, and without poses nothing else is left."""
    few, some, much = (PosePairs(weight=weight).readout() for weight in (0.03, 3.0, 1000.0))
    assert few["apart"] > some["apart"] > much["apart"] and few["error_simulated"] < some["error_simulated"] < much["error_simulated"]
    assert some["error_new"] < 0.6 * few["error_new"] and some["error_new"] < 0.8 * much["error_new"]
    alone = PosePairs(task="pairs").readout()
    assert alone["apart"] == 0 and alone["share"] is None and set(alone["simulated"]) == {0.0}
    assert much["error_new"] == pytest.approx(alone["error_new"], abs=0.02)


def test_a_smaller_size_pays_for_the_pairs_and_changes_nothing():
    whole, small = (PosePairs(weight=0.1, size=size).readout() for size in (1.0, 0.1))
    assert small["apart"] == pytest.approx(0.01 * whole["apart"])
    for same in ("share", "error_simulated", "error_new"):
        assert small[same] == pytest.approx(whole[same])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pictures": "AAAA"}, "pictures must be base64 of 36 x 15 x 15 bytes"),
        ({"pictures": 3}, "pictures must be base64"),
        ({"poses": [0.1] * 24}, "poses must hold 48 to 48 numbers"),
        ({"weight": 0.0}, "weight"),
        ({"task": "none"}, "task"),
    ],
)
def test_what_it_refuses(wrong, message):
    with pytest.raises(ValueError, match=message):
        PosePairs(**wrong)
