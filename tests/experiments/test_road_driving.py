"""Drives by a loop over scenes, plans and moments; knowing all agents costs least, K counts, and every ranker meets the same noise."""

import math

import pytest
import torch

from rankbook.experiments.tasks import road_driving
from rankbook.experiments.tasks.road_driving import drive, driven, first
from rankbook.experiments.tasks.road_scenes import drawn


def some(count):
    return type(scenes := drawn(101, "train", 300))(*(part[:count] for part in scenes))


def nearest(scenes):
    return -torch.hypot(scenes.seen[..., 0], scenes.seen[..., 1])


def loop(scenes, s, keep):
    """(cost, collided) of one drive in the frame of the road, all agents and the car moved by formulas of the time."""
    agents = [scenes.agents[s, a].tolist() for a in range(16) if scenes.there[s, a]]
    x, y, v, drift = 0.0, 0.0, scenes.speed[s].item(), 0.0
    worst, collided, changes, beside = [0.0] * len(agents), False, 0.0, 0.0

    def way(target, lane, t):
        """Place after t seconds of a plan, by summing small steps of its velocity."""
        part = min(1.0, t / 2)
        along = v * t + (target - v) * (t * t / 4 if t < 2 else t - 1)
        side = (lane - y) * part * part * (3 - 2 * part) + 2 * drift * part * (1 - part) ** 2
        return x + along, y + side

    def near(place, agent, t):
        dx, dy = agent[0] + agent[2] * t - place[0], agent[1] + agent[3] * t - place[1]
        return 60 * max(0.0, 1 - math.hypot(dx / (6 + agent[4]), dy / (1.8 + agent[4]))) ** 2, dx, dy

    for turn in range(10):
        now = 0.6 * turn
        best, chosen = math.inf, None
        for target in (0, 2.5, 5, 7.5, 10, 12.5, 15):
            for lane in (-3, 0, 3):
                ways = [way(target, lane, 0.2 * t) for t in range(1, 21)]
                cost = 12 * abs(ways[-1][0] - x - 50) / 50 + 0.1 * abs(target - v) + (lane != 0)
                known = [agents[a] for a in keep]
                cost += sum(max(near(ways[t - 1], agent, now + 0.2 * t)[0] for t in range(1, 21)) for agent in known)
                if cost < best - 1e-5:
                    best, chosen = cost, (target, lane)
        target, lane = chosen
        driven_way = [way(target, lane, 0.2 * t) for t in (1, 2, 3)]
        for t, place in enumerate(driven_way, 1):
            beside += abs(place[1]) / 3 / 30
            for a, agent in enumerate(agents):
                cost, dx, dy = near(place, agent, now + 0.2 * t)
                worst[a] = max(worst[a], cost)
                collided |= abs(dx) < 2.25 + agent[4] and abs(dy) < 0.9 + agent[4]
        changes += abs((target - v) * 0.3)
        x, y, v, drift = *driven_way[-1], v + (target - v) * 0.3, (lane - y) * 6 * 0.3 * 0.7 / 2 + drift * 0.7 * 0.1
    return 12 * abs(x - 75) / 50 + 0.1 * changes + beside + sum(worst), collided


@pytest.mark.parametrize("keep", [(), (0, 1, 2), tuple(range(8))])
def test_a_drive_is_that_of_a_loop(keep):
    scenes = some(6)
    mask = torch.zeros(16, dtype=torch.bool)
    mask[list(keep)] = True
    found = drive(scenes, lambda now: mask & now.there, torch.Generator().manual_seed(0))
    for s in range(6):
        cost, collided = loop(scenes, s, keep)
        assert found.cost[s].item() == pytest.approx(cost, abs=0.02, rel=1e-3)
        assert found.collided[s].item() == collided
    assert torch.equal(scenes.agents, some(6).agents), "the scenes stay what they are"


def test_those_who_know_more_drive_better_and_k_counts(monkeypatch):
    monkeypatch.setattr(road_driving, "DRIVES", 60)
    road_driving.bounds.cache_clear()
    asked = []

    def rank(scenes):
        asked.append((scenes.seen - scenes.agents)[:, :3, :4])
        return nearest(scenes)

    found = driven(rank, 101, "train", 300)
    none, whole = road_driving.bounds(101, "train", 300)
    assert whole.cost.mean() < none.cost.mean() / 3 and whole.collided.sum() < none.collided.sum() / 2
    assert 0 < found["driven@1"] < found["driven@3"] < found["driven@5"] < 1
    assert found["safe@1"] < found["safe@5"] <= 1
    one = drive(some(60), lambda now: first(nearest(now), now.there, 2), torch.Generator().manual_seed(10**6 + 303))
    assert found["driven@2"] == pytest.approx(((none.cost - one.cost).mean() / (none.cost - whole.cost).mean()).item(), abs=1e-5)
    assert len(asked) == 40, "ten plans for each K"
    for plan in range(10):
        torch.testing.assert_close(asked[plan], asked[10 + plan], atol=1e-4, rtol=0, msg="the noise is the same for each K")
        assert plan == 0 or (asked[plan] - asked[plan - 1]).abs().mean() > 0.1, "and new at each plan"
    road_driving.bounds.cache_clear()


def test_all_agents_kept_leave_no_regret(monkeypatch):
    monkeypatch.setattr(road_driving, "DRIVES", 20)
    monkeypatch.setattr(road_driving, "KEPT", (16,))
    road_driving.bounds.cache_clear()
    assert driven(nearest, 101, "train", 300)["driven@16"] == 1
    road_driving.bounds.cache_clear()


def test_of_equal_scores_the_first_count():
    there = torch.tensor([[True, False, True, True]])
    assert first(torch.zeros(1, 4), there, 2).tolist() == [[True, False, True, False]]
    assert first(torch.tensor([[0.0, 9.0, 1.0, 2.0]]), there, 8).tolist() == there.tolist()
