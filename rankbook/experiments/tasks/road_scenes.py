"""Drawn road scenes: 8 to 16 agents on a straight road, a crossing or a merge, what the planner says of each, and what a ranker sees."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.road import agent_costs, importance, plan_costs

MOST = 16
ROADS = ("straight", "crossing", "merge")
KINDS = ("car", "truck", "cyclist", "pedestrian")
_RADIUS = (1.0, 1.8, 0.5, 0.3)
#: Importance from which an agent is very relevant, level 2: about half of the relevant agents of the scenes that tune.
LARGE = 1.75
#: Deviation of what the ranker sees from the truth, in m and m/s; the labels know the truth.
PLACE_NOISE, SPEED_NOISE = 0.3, 1.0

# What an agent does: ranges of x, of the distance to the side, of vx and of the speed across; the side; its kind; whether across means
# towards the middle. Meters, and meters a second.
_ROLES = (
    ((12, 45), (-0.3, 0.3), (0, 13), (0, 0), 1, 0),  # ahead in the lane
    ((-25, 45), (3.0, 3.6), (3, 15), (0, 0), 1, 0),  # in the lane to the left
    ((5, 50), (2.8, 3.8), (0, 0), (0, 0), -1, 0),  # parked at the right
    ((10, 90), (6.4, 7.2), (-14, -6), (0, 0), 1, 0),  # oncoming
    ((21, 29), (5, 35), (0, 0), (4, 12), 0, 0),  # on the crossing road
    ((8, 40), (2, 8), (0, 0), (0.5, 1.8), 0, 3),  # pedestrian who crosses
    ((-20, 35), (3, 9), (5, 14), (0.3, 1.5), -1, 0),  # on the ramp
    ((0, 35), (1.3, 2.3), (2, 6), (0, 0), -1, 2),  # cyclist at the right
    ((-30, 80), (10, 30), (-3, 3), (-1, 1), 0, 3),  # far from the road
)
_SHARES = (  # of the roles, on each kind of road
    (0.15, 0.20, 0.20, 0.15, 0.00, 0.08, 0.00, 0.10, 0.12),
    (0.10, 0.08, 0.10, 0.05, 0.30, 0.17, 0.00, 0.05, 0.15),
    (0.15, 0.20, 0.05, 0.00, 0.00, 0.05, 0.35, 0.05, 0.15),
)


class Scenes(NamedTuple):
    """s scenes of up to 16 agents, in meters and seconds, seen from the car, which is at the origin and drives along x.

    speed ``[s]``, road ``[s]``: of the car, and which of `ROADS`
    car ``[s, 3]``: how far it is along the road and to the left of its lane, and its velocity to the left; 0 in a drawn scene
    agents ``[s, 16, 5]``: x, y, vx, vy, radius as they are; seen ``[s, 16, 5]``: as the ranker sees them, with noise
    kind ``[s, 16]``: which of `KINDS`; there ``[s, 16]``: which places of the list hold an agent
    base ``[s, 21]``, costs ``[s, 21, 16]``: of the planner, see `rankbook.road`
    importance, level ``[s, 16]``: I, and 0 (not relevant, I = 0), 1 or 2
    """

    speed: Tensor
    road: Tensor
    car: Tensor
    agents: Tensor
    seen: Tensor
    kind: Tensor
    there: Tensor
    base: Tensor
    costs: Tensor
    importance: Tensor
    level: Tensor


@lru_cache(maxsize=16)
def drawn(seed: int, split: str, count: int) -> Scenes:
    """The scenes of a seed and split, "train", "validation" or "test"; no two share a draw."""
    draw = torch.Generator().manual_seed(3 * seed + ("train", "validation", "test").index(split))

    def uniform(low: Tensor | float, high: Tensor | float) -> Tensor:
        return low + (high - low) * torch.rand(count, MOST, generator=draw)

    road = torch.randint(len(ROADS), (count,), generator=draw)
    speed = 5 + 8 * torch.rand(count, generator=draw)
    role = torch.multinomial(torch.tensor(_SHARES)[road], MOST, replacement=True, generator=draw)
    ranges = torch.tensor([role[:4] for role in _ROLES], dtype=torch.float32)[role]  # [s, 16, 4, 2]
    x, aside, vx, across = (uniform(*one.unbind(-1)) for one in ranges.unbind(2))
    side = torch.tensor([role[4] for role in _ROLES])[role]
    side = torch.where(side == 0, 2 * torch.randint(2, side.shape, generator=draw) - 1, side)
    x = torch.where((x.abs() < 9) & (aside < 2.5), x + 18, x)  # nobody stands where the car is
    kind = torch.tensor([role[5] for role in _ROLES])[role]
    kind = torch.where((kind == 0) & (uniform(0.0, 1.0) < 0.1), 1, kind)
    agents = torch.stack([x, side * aside, vx, -side * across, torch.tensor(_RADIUS)[kind]], dim=2)
    there = torch.arange(MOST) < torch.randint(8, MOST + 1, (count, 1), generator=draw)
    return looked_over(speed, road, torch.zeros(count, 3), agents, kind, there, draw)


def looked_over(speed: Tensor, road: Tensor, car: Tensor, agents: Tensor, kind: Tensor, there: Tensor, draw: torch.Generator) -> Scenes:
    """The scenes of these agents, with what the planner says of each, and what a ranker sees through new noise."""
    noise = torch.tensor([PLACE_NOISE, PLACE_NOISE, SPEED_NOISE, SPEED_NOISE, 0.0])
    seen = agents + noise * torch.randn(agents.shape, generator=draw)
    base, costs = plan_costs(speed), agent_costs(speed, agents, aside=car[:, 1], across=car[:, 2])
    matters = importance(base, costs, there) * there
    return Scenes(speed, road, car, agents, seen, kind, there, base, costs, matters, (matters > 0).long() + (matters >= LARGE))


def numbers(scenes: Scenes) -> Tensor:
    """What an engineer would compute of each agent, from what is seen: ``[s, 16, 21]``, each about of size one."""
    x, y, vx, vy, radius = scenes.seen.unbind(2)
    speed = scenes.speed[:, None]
    distance = torch.hypot(x, y)
    closer_x, closer_y = vx - speed, vy - scenes.car[:, 2:]  # the velocity that the car sees
    closing = -(x * closer_x + y * closer_y) / distance
    until = (-(x * closer_x + y * closer_y) / (closer_x**2 + closer_y**2).clamp(min=0.1)).clamp(0, 4)  # of the closest approach
    apart_x, apart_y = x + until * closer_x, y + until * closer_y
    apart = torch.hypot(apart_x, apart_y)
    nearer = (distance[:, None, :] < distance[:, :, None]) & scenes.there[:, None, :]
    order = (apart[:, None, :] < apart[:, :, None]) & scenes.there[:, None, :]
    parts = [x / 30, y / 10, y.abs() / 10, vx / 10, vy / 5, radius, speed.expand_as(x) / 10, distance / 30, closing / 10]
    parts += [1 / seconds_to_meet(scenes).clamp(0.5, 20), until / 4, apart / 10, apart_x / 10, apart_y / 10]
    parts += [nearer.sum(2) / 8, order.sum(2) / 8]
    one_hot = torch.nn.functional.one_hot
    kinds = one_hot(scenes.kind, len(KINDS))[..., 1:]
    roads = one_hot(scenes.road, len(ROADS))[:, None, 1:].expand(-1, MOST, -1)
    return torch.cat([torch.stack(parts, dim=2), kinds, roads], dim=2)


def seconds_to_meet(scenes: Scenes) -> Tensor:
    """Time to collision ``[s, 16]``: distance over the speed at which it shrinks, in s; 100 where it does not."""
    x, y, vx, vy, _ = scenes.seen.unbind(2)
    distance = torch.hypot(x, y)
    closing = -(x * (vx - scenes.speed[:, None]) + y * (vy - scenes.car[:, 2:])) / distance
    return torch.where(closing > 0.1, distance / closing.clamp(min=0.1), 100.0).clamp(max=100)


CELLS, CELL, BEHIND = 40, 1.5, 15.0
_PAST = (0.0, 0.5, 1.0, 1.5)


def cells(scenes: Scenes) -> tuple[Tensor, Tensor]:
    """Row (y) and column (x) of the cell where each agent is seen, ``[s, 16]`` each; those beyond the picture are at its edge."""
    x, y = scenes.seen[..., 0], scenes.seen[..., 1]
    row = (y / CELL + CELLS / 2).floor().long().clamp(0, CELLS - 1)
    return row, ((x + BEHIND) / CELL).floor().long().clamp(0, CELLS - 1)


def pictures(scenes: Scenes) -> Tensor:
    """The scene from above, ``[s, 5, 40, 40]``: 60 m by 60 m, cells of 1.5 m, 15 m of them behind the car.

    The lanes; then the agents where they are seen, and where they were half a second, one and one and a half seconds before, by their
    seen velocity. The car is in these four too, with the other sign: so its own speed shows.
    """
    x = torch.arange(CELLS) * CELL - BEHIND + CELL / 2
    y = (torch.arange(CELLS) - CELLS / 2 + 0.5) * CELL
    layers = [_lanes(scenes, x, y)]
    for past in _PAST:
        at = scenes.seen[..., :2] - past * scenes.seen[..., 2:4]
        spread = scenes.seen[..., 4:5] + 0.5
        across = torch.exp(-(((y - at[..., 1:2]) / spread) ** 2) / 2) * scenes.there[..., None]
        along = torch.exp(-(((x - at[..., :1]) / spread) ** 2) / 2)
        own_x, own_y = -past * scenes.speed[:, None], -past * scenes.car[:, 2:]
        own = torch.exp(-(((y - own_y) / 1.5) ** 2) / 2)[:, :, None] * torch.exp(-(((x - own_x) / 1.5) ** 2) / 2)[:, None]
        layers.append(across.transpose(1, 2) @ along - own)
    return torch.stack(layers, dim=1)


def _lanes(scenes: Scenes, x: Tensor, y: Tensor) -> Tensor:
    """1 on a lane, 0 beside it: ``[s, 40, 40]``, at these places as the car sees them."""
    x, y = (x + scenes.car[:, :1])[:, None, :], (y + scenes.car[:, 1:2])[:, :, None]
    road = scenes.road[:, None, None]
    straight = (y > -5) & (y < 8.5)
    crossing = straight | ((x > 20) & (x < 30))
    merge = ((y > -2) & (y < 5)) | ((y < 0) & (y > -10) & (y > -10 + (x + BEHIND) / 8))
    return torch.where(road == 0, straight, torch.where(road == 1, crossing, merge)).float()
