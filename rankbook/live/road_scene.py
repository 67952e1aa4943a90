"""A road scene from above: take agents away, and see what the plan of the car costs without them."""

from __future__ import annotations

from typing import Any

import torch
import traitlets

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import as_many, labels, number, numbers
from rankbook.road import OFFSETS, SPEEDS, agent_costs, importance, plan_costs, total_costs

AGENTS = 7
# Two cyclists side by side in the left lane, a slow car ahead, a parked one; oncoming, a pedestrian, and a car behind.
_X, _Y = [22, 23, 30, 27, 60, 14, -24], [2.7, 4.1, 0, -3.2, 7.4, 9.5, 0]
_VX, _VY, _RADIUS = [3, 3, 4, 0, -10, 0.3, 9], [0, 0, 0, 0, 0, -0.4, 0], [0.5, 0.5, 1, 1, 1, 0.3, 1]


class RoadScene(LiveFigure, module="road_scene"):
    """Click an agent to take it away: its importance is what the best plan costs with it, less what it costs without it.

    Traits:
        x, y, vx, vy, radius: of seven agents, in m and m/s; the car is at the origin and drives along x.
        here: 1 for an agent that is there, 0 for one that is taken away.
        speed: of the car now, from 6 to 14 m/s.
    """

    x = numbers(_X, AGENTS, AGENTS, -30, 75)
    y = numbers(_Y, AGENTS, AGENTS, -5, 10)
    vx = numbers(_VX, AGENTS, AGENTS, -15, 15)
    vy = numbers(_VY, AGENTS, AGENTS, -15, 15)
    radius = numbers(_RADIUS, AGENTS, AGENTS, 0.1, 3)
    here = labels([1] * AGENTS, AGENTS)
    speed = number(12.0, 6, 14)

    @traitlets.validate("x", "here")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "x", "here")

    def readout(self) -> dict[str, Any]:
        speed = torch.tensor(self.speed, dtype=torch.float64)
        agents = torch.tensor([self.x, self.y, self.vx, self.vy, self.radius], dtype=torch.float64).T
        base, costs, here = plan_costs(speed), agent_costs(speed, agents), torch.tensor(self.here, dtype=torch.bool)
        totals = total_costs(base, costs, here).tolist()
        return self.figure_state() | {
            "cost": min(totals),
            "plan": totals.index(min(totals)),
            "importance": importance(base, costs, here).tolist(),
        }

    def describe(self) -> str:
        now = self.readout()
        to = {-1: "to the right", 0: "in its lane", 1: "to the left"}[round(OFFSETS[now["plan"] % 3] / 3)]
        each = ", ".join(f"{chr(65 + i)} {value:.1f}" for i, value in enumerate(now["importance"]))
        return (
            f"A car at {self.speed:g} m/s among {sum(self.here)} of {AGENTS} agents. The best plan goes {SPEEDS[now['plan'] // 3]:g} m/s "
            f"{to} and costs {now['cost']:.2f}. Importance of the agents: {each}."
        )
