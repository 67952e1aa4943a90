"""The road planner by a loop over plans and times; importance is never negative, and a plan needs every agent that has some."""

import math

import pytest
import torch
from torch.testing import assert_close

from rankbook.road import OFFSETS, SPEEDS, agent_costs, importance, nearness, needed_order, plan_costs, plans, total_costs


def scene(seed, scenes=(), n=6):
    """A car among agents that stand close enough to matter."""
    draw = torch.Generator().manual_seed(seed)
    speed = 4 + 10 * torch.rand(scenes, generator=draw, dtype=torch.float64)
    low, high = torch.tensor([[-10.0, -6, -8, -3, 0.3], [45, 6, 12, 3, 1.8]], dtype=torch.float64)
    return speed, low + (high - low) * torch.rand(*scenes, n, 5, generator=draw, dtype=torch.float64)


def loop(speed, agents):
    """(b [21], c [21][n]) as the docstrings say, one number at a time; the way by summing the speed in small steps."""
    base, costs = [], []
    for target in SPEEDS:
        for offset in OFFSETS:
            ways, x, small = [], 0.0, 1e-3
            for step in range(1, 4001):
                x += small * (speed + (target - speed) * min(1.0, (step - 0.5) * small / 2))
                if step % 200 == 0:
                    ways.append(x)
            part = [min(1.0, 0.2 * t / 2) for t in range(1, 21)]
            sides = [offset * p * p * (3 - 2 * p) for p in part]
            base.append(12 * abs(ways[-1] - 50) / 50 + 0.1 * abs(target - speed) + (offset != 0))
            row = []
            for at_x, at_y, vx, vy, r in agents:
                worst = 0.0
                for t, (x, y) in enumerate(zip(ways, sides, strict=True), 1):
                    d = math.hypot((x - at_x - 0.2 * t * vx) / (6 + r), (y - at_y - 0.2 * t * vy) / (1.8 + r))
                    worst = max(worst, 60 * max(0.0, 1 - d) ** 2)
                row.append(worst)
            costs.append(row)
    return base, costs


def test_costs_are_those_of_a_loop_and_importance_is_an_ablation():
    touched = 0
    for seed in range(3):
        speed, agents = scene(seed)
        base, costs = loop(speed.item(), agents.tolist())
        assert_close(plan_costs(speed), torch.tensor(base, dtype=torch.float64), atol=1e-5, rtol=1e-6)
        assert_close(agent_costs(speed, agents), torch.tensor(costs, dtype=torch.float64), atol=1e-4, rtol=1e-5)
        there = [True] * 5 + [False]

        def best(known, base=base, costs=costs):
            return min(b + sum(c for c, one in zip(row, known, strict=True) if one) for b, row in zip(base, costs, strict=True))

        own = []
        for a in range(6):
            with_it, without = ([one if i != a else value for i, one in enumerate(there)] for value in (True, False))
            own.append(best(with_it) - best(without))
        found = importance(plan_costs(speed), agent_costs(speed, agents), torch.tensor(there))
        assert_close(found, torch.tensor(own, dtype=torch.float64), atol=2e-4, rtol=1e-4)
        touched += sum(one > 0 for one in own)
    assert touched > 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_agent_makes_a_plan_cheaper_and_a_plan_needs_all_that_matter(dtype):
    speed, agents = (x.to(dtype) for x in scene(7, (500,), 9))
    base, costs = plan_costs(speed), agent_costs(speed, agents)
    there = torch.rand(500, 9, generator=torch.Generator().manual_seed(0)) < 0.8
    matters, place = importance(base, costs, there), needed_order(base, costs, there)
    assert (matters >= 0).all() and (matters[there] > 0).float().mean() > 0.1
    assert ((place > 0)[there & (matters > 0)]).all() and not place[~there].any()
    needed = total_costs(base, costs, place > 0)
    assert torch.equal(needed.amin(1), total_costs(base, costs, there).amin(1)), "those that it needs are enough"
    assert ((place > 0) & (matters == 0)).any(), "and some of them have importance 0"
    assert (place.amax(1) == (place > 0).sum(1)).all(), "1, 2, ... without a gap"


def test_of_two_agents_that_block_the_same_lane_neither_matters():
    speed = torch.tensor(10.0)
    one, both = [[26.0, 0.0, 0.0, 0.0, 1.0]], [[26.0, 0.0, 0.0, 0.0, 1.0], [30.0, 0.0, 0.0, 0.0, 1.0]]
    alone, pair = (
        importance(plan_costs(speed), agent_costs(speed, torch.tensor(agents)), torch.ones(len(agents), dtype=torch.bool))
        for agents in (one, both)
    )
    assert alone.item() > 0.5 and pair.tolist() == [0, 0]


def test_a_car_beside_its_lane_ends_in_one_and_its_velocity_is_the_change_of_its_place():
    """Continuous in place and velocity, so a plan made on the way goes on from where the car is."""
    speed, aside, across = (torch.tensor([value], dtype=torch.float64) for value in (7.0, 1.4, -0.9))
    way = plans(speed, aside, across)
    assert_close(way.y[0, :, -1] + 1.4, torch.tensor([-3.0, 0.0, 3.0], dtype=torch.float64).repeat(7))
    assert not way.vy[..., 9:].any() and (way.vx[0, :, -1] - torch.tensor([0, 2.5, 5, 7.5, 10, 12.5, 15]).repeat_interleave(3) == 0).all()
    for place, velocity, start in ((way.x, way.vx, 7.0), (way.y, way.vy, -0.9)):
        before = torch.cat([torch.full_like(velocity[..., :1], start), velocity[..., :-1]], -1)
        middle = (place[..., 2:] - place[..., :-2]) / 0.4  # of a cubic, off by its third derivative times 0.2**2 / 6
        assert (middle - velocity[..., 1:-1])[..., :8].abs().max() < 0.09  # until the turn ends, with a jump of the acceleration
        first = place[..., 0] - 0.2 * (before[..., 0] + velocity[..., 0]) / 2
        assert first.abs().max() < 0.01
    agents = torch.tensor([[[20.0, 1.6, 0.0, 0.0, 1.0]]], dtype=torch.float64)
    moved = agent_costs(speed, agents, aside=aside, across=torch.zeros_like(across))
    assert moved[0, 14, 0] > moved[0, 13, 0], "1.6 m to the left of a car that is 1.4 m to the left: the left lane"


def test_a_plan_costs_what_it_says_at_the_edges_of_the_space():
    """60 at the center, 0 at half a length, nothing negative beyond."""
    zero = torch.zeros(1)
    assert nearness(zero, zero, zero) == 60 and nearness(torch.tensor([3.0]), zero, zero) == 15
    assert nearness(torch.tensor([7.0]), zero, zero + 1) == 0 == nearness(torch.tensor([30.0]), zero, zero)


def test_a_batch_is_its_scenes_and_nothing_is_changed():
    speed, agents = scene(3, (2, 3), 4)
    before = speed.clone(), agents.clone()
    costs, there = agent_costs(speed, agents), torch.ones(2, 3, 4, dtype=torch.bool)
    order = needed_order(plan_costs(speed), costs, there)
    assert costs.shape == (2, 3, 21, 4) and order.shape == (2, 3, 4)
    alone = agent_costs(speed[1, 2], agents[1, 2])
    assert torch.equal(costs[1, 2], alone) and torch.equal(order[1, 2], needed_order(plan_costs(speed[1, 2]), alone, there[0, 0]))
    assert torch.equal(speed, before[0]) and torch.equal(agents, before[1])
    x, y, *_ = plans(torch.tensor(10.0))
    assert x.shape == y.shape == (21, 20) and torch.equal(x[12], x[14]) and torch.equal(y[12], -y[14])
    assert agent_costs(speed.half(), agents.half()).dtype == torch.float32


ONE, AGENT = torch.tensor(1.0), torch.zeros(1, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: agent_costs(torch.tensor(10), AGENT), "speed must be floating"),
        (lambda: agent_costs(1.0, AGENT), "speed must be a torch.Tensor"),
        (lambda: agent_costs(ONE, torch.zeros(5)), r"agents must be \[..., n, 5\]"),
        (lambda: agent_costs(torch.ones(2), AGENT), "agents must be"),
        (lambda: agent_costs(ONE, torch.full((1, 5), math.nan)), "agents must be finite"),
        (lambda: agent_costs(torch.tensor(math.inf), AGENT), "speed must be finite"),
        (lambda: agent_costs(ONE, AGENT - 1), "agents must be >= 0 .their radius"),
        (lambda: agent_costs(ONE, AGENT.to("meta")), "agents must be on the device of speed"),
        (lambda: agent_costs(ONE, AGENT, aside=torch.zeros(2)), "aside must have the shape of speed"),
        (lambda: plans(ONE, ONE, ONE / 0), "across must be finite"),
        (lambda: plan_costs(torch.tensor([math.nan])), "speed must be finite"),
    ],
)
def test_what_a_plan_refuses(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


@pytest.mark.parametrize("function", [total_costs, importance, needed_order])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base": torch.zeros(3)}, "base, costs and .* must be"),
        ({"costs": torch.zeros(2)}, "base, costs and .* must be"),
        ({"mask": torch.ones(2, dtype=torch.bool)}, "base, costs and .* must be"),
        ({"mask": torch.ones(3)}, "(seen|there) must be a mask of dtype bool"),
        ({"base": torch.tensor([0.0, math.nan])}, "base must be finite"),
        ({"costs": torch.full((2, 3), math.inf)}, "costs must be finite"),
        ({"costs": torch.full((2, 3), -1.0)}, "costs must be >= 0"),
        ({"costs": torch.zeros(2, 3, device="meta")}, "costs must be on the device of base"),
        ({"costs": torch.zeros(2, 3, dtype=torch.long)}, "costs must be floating"),
    ],
)
def test_what_an_ablation_refuses(function, change, message):
    good = {"base": torch.zeros(2), "costs": torch.zeros(2, 3), "mask": torch.ones(3, dtype=torch.bool)}
    function(*good.values())
    with pytest.raises((TypeError, ValueError), match=message):
        function(*(good | change).values())


def test_no_agents_is_an_empty_road():
    base, costs, none = torch.tensor([1.0, 4.0]), torch.zeros(2, 0), torch.zeros(0, dtype=torch.bool)
    assert torch.equal(total_costs(base, costs, none), base)
    assert importance(base, costs, none).shape == needed_order(base, costs, none).shape == (0,)
