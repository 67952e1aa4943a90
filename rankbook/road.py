r"""A small planner for a car among other road agents, and how much each agent matters to its plan.

The car drives along x, in meters, and looks ``HORIZON`` seconds ahead. A plan is one of seven speeds and one of three lanes. Agents
keep their velocity. A plan pays for itself and for each agent that comes near, and the cheapest plan wins:

.. math::
    J(A) = \min_p \Big( b_p + \sum_{a \in A} c_{p a} \Big), \qquad I(a) = J(A) - J(A \setminus a) \ge 0

The importance I is an ablation: what would be saved if the agent were not there. It is never negative, as no agent makes a plan cheaper.

The live figure draws this planner and the studies of road agents are judged by it: neither may import the other, so it stands here.

Sources: the ablation follows Agent Prioritization for Autonomous Navigation (IROS 2019), whose planner and code are not public; this one
is ours.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.checks import check_device, check_finite, check_floating, check_not_negative, check_tensor

#: Seconds that a plan looks ahead, and between two looks at the agents.
HORIZON, STEP = 4.0, 0.2
#: Speeds in m/s and lanes, in m to the left of the car's own, that a plan may take: 21 plans, the lanes of a speed side by side.
SPEEDS = (0.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0)
OFFSETS = (-3.0, 0.0, 3.0)
#: The speed that the car would like, in m/s; what it costs to be at the side; to change the speed by 1 m/s; to give up all progress.
DESIRED, ASIDE, CHANGE, PROGRESS = 12.5, 1.0, 0.1, 12.0
#: Half the length and width in m of the space that the car keeps free, besides the agent's own radius; what it costs to be at its center.
LENGTH, WIDTH, NEAR = 6.0, 1.8, 60.0
#: Seconds until a plan has its speed, and its lane.
TURN = 2.0


class Plans(NamedTuple):
    """Of each plan at 0.2, 0.4, ... 4 seconds, ``[..., 21, 20]`` each: place in m, seen from where the car is now, and velocity in m/s."""

    x: Tensor
    y: Tensor
    vx: Tensor
    vy: Tensor


def plans(speed: Tensor, aside: Tensor | None = None, across: Tensor | None = None) -> Plans:
    r"""Where each plan takes the car. Plans are ordered by speed, then lane.

    The speed changes evenly over two seconds. To the side the car takes the cubic that starts with its velocity and ends at rest in the
    lane: with :math:`\tau = \min(t / 2, 1)`, from the place o to the lane g,

    .. math::
        y(t) = (g - o) (3 \tau^2 - 2 \tau^3) + 2 v (\tau^3 - 2 \tau^2 + \tau)

    Args:
        speed: of the car now, along the road, ``[...]``, in m/s.
        aside: o, how far to the left of the middle of its own lane it is, ``[...]``, in m; None: 0.
        across: v, its velocity to the left, ``[...]``, in m/s; None: 0.

    Raises:
        ValueError, TypeError: inputs that are not finite, or not floating tensors of one shape.

    Cost: 21 by 20 numbers for each car, four times.

    >>> from rankbook.road import plans
    >>> way = plans(torch.tensor(10.0))
    >>> way.x.shape, way.y[:3, -1]  # the first three plans stop, in three lanes
    (torch.Size([21, 20]), tensor([-3.,  0.,  3.]))
    """
    speed, *side = _cars(speed, aside, across)
    times = torch.arange(1, round(HORIZON / STEP) + 1, dtype=speed.dtype, device=speed.device) * STEP
    target = speed.new_tensor(SPEEDS).repeat_interleave(len(OFFSETS))[:, None]
    lane = speed.new_tensor(OFFSETS).repeat(len(SPEEDS))[:, None]
    now, start, drift = (one[..., None, None] for one in (speed, *side))
    part = (times / TURN).clamp(max=1.0)
    gained = torch.where(times < TURN, times * part / 2, times - TURN / 2)  # the integral of `part`
    y = (lane - start) * part**2 * (3 - 2 * part) + drift * TURN * part * (1 - part) ** 2
    vy = (lane - start) * 6 * part * (1 - part) / TURN + drift * (1 - part) * (1 - 3 * part)
    return Plans(now * times + (target - now) * gained, y, now + (target - now) * part, vy)


def plan_costs(speed: Tensor) -> Tensor:
    """What each plan costs on an empty road, ``b``: ``[..., 21]`` for the speeds ``[...]``, in m/s.

    Lost progress, as a share of the way at the desired speed, times 12; 0.1 for each m/s of change; 1 for a lane beside its own.

    Raises:
        ValueError, TypeError: a speed that is not finite, or no floating tensor.

    >>> from rankbook.road import plan_costs
    >>> plan_costs(torch.tensor(12.5))[-6:]  # on at 12.5 m/s: right, own, left; then at 15 m/s
    tensor([1.0000, 0.0000, 1.0000, 3.0500, 2.0500, 3.0500])
    """
    way = DESIRED * HORIZON
    x = plans(speed).x[..., -1]
    speed = check_floating("speed", speed)
    change = (speed.new_tensor(SPEEDS).repeat_interleave(len(OFFSETS)) - speed[..., None]).abs()
    beside = speed.new_tensor(OFFSETS).repeat(len(SPEEDS)) != 0
    return PROGRESS * (x - way).abs() / way + CHANGE * change + ASIDE * beside


def nearness(far_x: Tensor, far_y: Tensor, radius: Tensor) -> Tensor:
    r"""What it costs to be ``far_x`` and ``far_y`` meters from an agent of a radius in m, at one moment: 60 at its center, 0 far away.

    .. math::
        60 \, \max(0, 1 - d)^2, \qquad d^2 = (\Delta x / (6 + r))^2 + (\Delta y / (1.8 + r))^2
    """
    far_x, far_y = far_x / (LENGTH + radius), far_y / (WIDTH + radius)
    close = (1 - (far_x * far_x + far_y * far_y).sqrt()).clamp(min=0)
    return NEAR * close * close


def agent_costs(speed: Tensor, agents: Tensor, *, aside: Tensor | None = None, across: Tensor | None = None) -> Tensor:
    """What each agent adds to each plan, ``c``: ``[..., 21, n]``, its ``nearness`` at the worst of the 20 moments.

    Args:
        speed, aside, across: of the car, as `plans`.
        agents: ``[..., n, 5]``: x, y, their velocities, and a radius r >= 0, in meters and seconds; the car is at the origin.

    Raises:
        ValueError, TypeError: inputs that are not finite, or not floating tensors of these shapes; a negative radius.

    Cost: 21 plans by 20 times by n agents, in time and memory.

    >>> from rankbook.road import agent_costs
    >>> ahead = torch.tensor([[20.0, 0.0, 0.0, 0.0, 1.0]])
    >>> agent_costs(torch.tensor(10.0), ahead).squeeze(1)[[13, 12]]  # straight on at 10 m/s, or past it on the right
    tensor([60.,  0.])
    """
    way = plans(speed, aside, across)
    speed, agents = check_floating("speed", speed), check_floating("agents", agents)
    if agents.ndim != speed.ndim + 2 or agents.shape[-1] != 5 or agents.shape[:-2] != speed.shape:
        raise ValueError(f"agents must be [..., n, 5] for a speed [...], got {tuple(agents.shape)} for {tuple(speed.shape)}")
    check_device("agents", agents, "speed", speed)
    check_finite("agents", agents)
    check_not_negative("agents", agents[..., 4:], "their radius")
    times = torch.arange(1, way.x.shape[-1] + 1, dtype=speed.dtype, device=speed.device) * STEP
    at_x, at_y, vx, vy, radius = (agents[..., None, :, None, i] for i in range(5))
    return nearness(way.x[..., :, None, :] - at_x - vx * times, way.y[..., :, None, :] - at_y - vy * times, radius).amax(-1)


def total_costs(base: Tensor, costs: Tensor, seen: Tensor) -> Tensor:
    """The cost of each plan ``[..., 21]`` with the agents of a mask.

    Args:
        base: ``[..., p]`` of `plan_costs`.
        costs: ``[..., p, n]`` of `agent_costs`, none negative.
        seen: which agents there are, a mask ``[..., n]`` of dtype bool.

    Raises:
        ValueError, TypeError: inputs of other shapes or dtypes, not finite, or a negative cost.

    >>> from rankbook.road import total_costs
    >>> total_costs(torch.tensor([1.0, 4.0]), torch.tensor([[2.0, 10.0], [0.0, 0.0]]), torch.tensor([True, False]))
    tensor([3., 4.])
    """
    return _totals(*_checked(base, costs, "seen", seen))


def importance(base: Tensor, costs: Tensor, seen: Tensor) -> Tensor:
    """I of each agent ``[..., n]``: what the best plan costs with it, less what it costs without it, the others of ``seen`` as they are.

    Never negative, to the last bit: both sums add the same numbers in the same order, one of them 0 in the second.

    Args:
        base, costs, seen: as `total_costs`, which says what is refused. Of an agent that is not in ``seen``: what it would add.

    Cost: n by p by n numbers, twice.

    >>> from rankbook.road import agent_costs, importance, plan_costs
    >>> speed = torch.tensor(10.0)
    >>> parked = torch.tensor([[25.0, 0.0, 0.0, 0.0, 1.0], [30.0, 9.0, 0.0, 0.0, 1.0]])
    >>> importance(plan_costs(speed), agent_costs(speed, parked), torch.tensor([True, True])) > 0
    tensor([ True, False])
    """
    base, costs, seen = _checked(base, costs, "seen", seen)
    one = torch.eye(costs.shape[-1], dtype=torch.bool, device=costs.device)
    seen = seen.unsqueeze(-2)
    with_it, without = (_totals(base.unsqueeze(-2), costs.unsqueeze(-3), mask).amin(-1) for mask in (seen | one, seen & ~one))
    return with_it - without


def needed_order(base: Tensor, costs: Tensor, there: Tensor) -> Tensor:
    """The order in which a plan needs the agents ``[..., n]``: 1, 2, ...; 0 for those that it does not need.

    Start with the best plan of an empty road. Take in the agent that would cost this plan most, plan anew, and so on, until the plan
    costs nothing beyond the agents it knows. Then it is the best plan of all, so an agent with I > 0 is always among them.

    Args:
        base, costs: as `total_costs`, which says what is refused.
        there: which agents there are, a mask ``[..., n]`` of dtype bool.

    Cost: n plans, in sequence.

    >>> from rankbook.road import agent_costs, importance, needed_order, plan_costs
    >>> speed = torch.tensor(10.0)
    >>> parked = torch.tensor([[26.0, 0.0, 0.0, 0.0, 1.0], [30.0, 0.0, 0.0, 0.0, 1.0]])  # two in the lane, one behind the other
    >>> base, costs, there = plan_costs(speed), agent_costs(speed, parked), torch.tensor([True, True])
    >>> importance(base, costs, there), needed_order(base, costs, there)
    (tensor([0., 0.]), tensor([0, 1]))
    """
    base, costs, there = _checked(base, costs, "there", there)
    known, place = torch.zeros_like(there), torch.zeros(there.shape, dtype=torch.long, device=there.device)
    for turn in range(1, there.shape[-1] + 1):
        plan = _totals(base, costs, known).argmin(-1)
        hit = costs.gather(-2, plan[..., None, None].expand(*plan.shape, 1, costs.shape[-1])).squeeze(-2)
        worst = (hit * (there & ~known)).max(-1, keepdim=True)
        new = torch.zeros_like(there).scatter(-1, worst.indices, worst.values > 0)
        known, place = known | new, torch.where(new, turn, place)
    return place


def _totals(base: Tensor, costs: Tensor, seen: Tensor) -> Tensor:
    return base + (costs * seen[..., None, :]).sum(-1)


def _cars(speed: Tensor, aside: Tensor | None, across: Tensor | None) -> list[Tensor]:
    """The three as floating tensors of one shape and device."""
    speed = check_floating("speed", speed)
    check_finite("speed", speed)
    cars = [speed]
    for name, value in (("aside", aside), ("across", across)):
        value = torch.zeros_like(speed) if value is None else check_floating(name, value)
        if value.shape != speed.shape:
            raise ValueError(f"{name} must have the shape of speed, {tuple(speed.shape)}, got {tuple(value.shape)}")
        check_device(name, value, "speed", speed)
        check_finite(name, value)
        cars.append(value)
    return cars


def _checked(base: Tensor, costs: Tensor, name: str, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What plans and agents cost, and a mask of agents called ``name``: of shapes that fit, and no agent makes a plan cheaper."""
    base, costs, mask = check_floating("base", base), check_floating("costs", costs), check_tensor(name, mask)
    if mask.dtype != torch.bool:
        raise TypeError(f"{name} must be a mask of dtype bool, got {mask.dtype}; try {name}.bool()")
    if base.ndim == 0 or costs.shape[:-1] != base.shape or mask.shape != (*base.shape[:-1], *costs.shape[-1:]):
        shapes = f"{tuple(base.shape)}, {tuple(costs.shape)}, {tuple(mask.shape)}"
        raise ValueError(f"base, costs and {name} must be [..., p], [..., p, n] and [..., n], got {shapes}")
    check_device("costs", costs, "base", base)
    check_device(name, mask, "base", base)
    check_finite("base", base)
    check_finite("costs", costs)
    check_not_negative("costs", costs, "no agent makes a plan cheaper")
    return base, costs, mask
