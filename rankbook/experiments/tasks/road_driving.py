"""Drive on: plan, go a little, look again, plan anew, with the few agents that a ranker chose each time; all of them judge the drive."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.experiments.tasks.road_scenes import Scenes, drawn, looked_over
from rankbook.road import ASIDE, CHANGE, DESIRED, HORIZON, OFFSETS, PROGRESS, STEP, nearness, plans, total_costs

#: Seconds of a drive, and between two plans.
SECONDS, AGAIN = 6.0, 0.6
#: Half the length and width of the car, in m: a collision is an agent's center within these and its radius.
BODY = (2.25, 0.9)
#: How many drives a split has: its first scenes.
DRIVES = 200
KEPT = (1, 2, 3, 5)


class Drives(NamedTuple):
    """What each drive costs ``[s]``, and whether it met an agent ``[s]``."""

    cost: Tensor
    collided: Tensor


def drive(now: Scenes, choose: Callable[[Scenes], Tensor], draw: torch.Generator) -> Drives:
    r"""Ten plans in a row, each of those agents that ``choose`` keeps, a mask ``[s, 16]``; each is followed for 0.6 s.

    As `rankbook.road` counts, but over the way that was driven: 12 times the lost progress as a share of 50 m, 0.1 for each m/s of
    change, the mean distance to the middle of the own lane in lanes, and for each agent, kept or not, the worst moment.
    """
    worst = torch.zeros_like(now.costs[:, 0])
    collided, changes, beside = torch.zeros(len(now.speed), dtype=torch.bool), torch.zeros(len(now.speed)), torch.zeros(len(now.speed))
    moments, count = round(AGAIN / STEP), round(SECONDS / AGAIN)
    times = torch.arange(1, moments + 1) * STEP
    for _ in range(count):
        plan = total_costs(now.base, now.costs, choose(now)).argmin(1)
        x, y, vx, vy = (one[torch.arange(len(plan)), plan, :moments] for one in plans(now.speed, *now.car[:, 1:].unbind(1)))
        at_x, at_y, to_x, to_y, radius = (one[..., None] for one in now.agents.unbind(2))
        far_x, far_y = at_x + to_x * times - x[:, None], at_y + to_y * times - y[:, None]
        worst = torch.maximum(worst, nearness(far_x, far_y, radius).amax(2))
        met = (far_x.abs() < BODY[0] + radius) & (far_y.abs() < BODY[1] + radius) & now.there[..., None]
        collided |= met.flatten(1).any(1)
        changes += (vx[:, -1] - now.speed).abs()
        beside += (now.car[:, 1:2] + y).abs().mean(1) / max(OFFSETS) / count
        gone = torch.stack([x[:, -1], y[:, -1]], dim=1)
        agents = now.agents.clone()
        agents[..., :2] += agents[..., 2:4] * AGAIN - gone[:, None]
        car = torch.cat([now.car[:, :2] + gone, vy[:, -1:]], dim=1)
        now = looked_over(vx[:, -1], now.road, car, agents, now.kind, now.there, draw)
    lost = (now.car[:, 0] - DESIRED * SECONDS).abs() / (DESIRED * HORIZON)
    return Drives(PROGRESS * lost + CHANGE * changes + ASIDE * beside + (worst * now.there).sum(1), collided)


def driven(rank: Callable[[Scenes], Tensor], seed: int, split: str, count: int) -> dict[str, float]:
    """Of the drives of a seed and split by the scores ``[s, 16]`` of ``rank``, for K of 1, 2, 3 and 5 agents at each plan:

    ``driven@K``: the share of the regret of drives that know no agent which is avoided, the regret being what they cost more than drives
    that know all; ``safe@K``: the share of drives without a collision.
    """
    without, whole = bounds(seed, split, count)
    found = {k: _of(seed, split, count, lambda now, k=k: first(rank(now), now.there, k)) for k in KEPT}
    regret = (without.cost - whole.cost).mean()
    avoided = {f"driven@{k}": ((without.cost - one.cost).mean() / regret).item() for k, one in found.items()}
    return avoided | {f"safe@{k}": 1 - one.collided.float().mean().item() for k, one in found.items()}


@lru_cache(maxsize=16)
def bounds(seed: int, split: str, count: int) -> tuple[Drives, Drives]:
    """The drives that know no agent, and those that know all."""
    none, whole = (_of(seed, split, count, choose) for choose in (lambda now: torch.zeros_like(now.there), lambda now: now.there))
    return none, whole


def _of(seed: int, split: str, count: int, choose: Callable[[Scenes], Tensor]) -> Drives:
    """The drives from the first scenes of a split; the noise on the way is the same whoever chooses."""
    some = Scenes(*(part[:DRIVES] for part in drawn(seed, split, count)))
    return drive(some, choose, torch.Generator().manual_seed(10**6 + 3 * seed + (split == "test")))


def first(scores: Tensor, there: Tensor, k: int) -> Tensor:
    """The k agents with the highest scores, a mask ``[s, 16]``; of equal ones those that come first in the list."""
    order = scores.masked_fill(~there, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    return there & torch.zeros_like(there).scatter(1, order[:, :k], True)
