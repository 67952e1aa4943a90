"""Road agents: scenes are what they claim, a ranker sees no truth, metrics are their definitions, training helps and repeats."""

import math

import pytest
import torch

from rankbook.experiments.parts import signature
from rankbook.experiments.road_losses import PAIRS, POINTS, AgentLoss
from rankbook.experiments.studies.road_agents import STUDY
from rankbook.experiments.tasks import road_driving, road_scenes
from rankbook.experiments.tasks.road_agents import RoadAgents, judged, regret
from rankbook.experiments.tasks.road_rankers import Trees, looked_at
from rankbook.experiments.tasks.road_scenes import LARGE, cells, drawn, numbers, pictures
from rankbook.losses import RankNetLoss

TASK = RoadAgents(scenes=60)


@pytest.fixture(scope="module")
def scenes():
    return drawn(101, "train", 300)


def test_scenes_are_sound(scenes):
    count = scenes.there.sum(1)
    assert count.min() >= 8 and count.max() <= 16 and len(count.unique()) == 9
    assert not scenes.level[~scenes.there].any() and set(scenes.level.unique().tolist()) == {0, 1, 2}
    relevant = scenes.importance[scenes.level > 0]
    assert 0.4 < (relevant >= LARGE).float().mean() < 0.6, "about half of the relevant agents are very relevant"
    assert 0.8 < (scenes.level == 0)[scenes.there].float().mean() < 0.9
    error = (scenes.seen - scenes.agents)[scenes.there].std(0)
    assert error[:4].tolist() == pytest.approx([0.3, 0.3, 1.0, 1.0], rel=0.1) and error[4] == 0
    same, other, split = (drawn(seed, name, 300).agents for seed, name in ((101, "train"), (102, "train"), (101, "test")))
    assert torch.equal(same, scenes.agents) and not torch.equal(other, same) and not torch.equal(split, same)


def test_a_ranker_sees_no_truth_and_nothing_of_the_planner(scenes):
    """Whoever changes the truth alone changes nothing that is looked at."""
    hidden = {name: torch.full_like(getattr(scenes, name), 7) for name in ("agents", "base", "costs", "importance", "level")}
    before, after = (looked_at(one, "both") for one in (scenes, scenes._replace(**hidden)))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_numbers_and_pictures_of_a_scene_by_hand(scenes):
    seen = torch.zeros(1, 16, 5)
    seen[0, 0] = torch.tensor([20.0, 0.0, 4.0, 0.0, 1.0])
    cars, there = torch.zeros(1, 16, dtype=torch.long), torch.arange(16)[None] < 1
    one = scenes._replace(speed=torch.tensor([9.0]), road=torch.tensor([0]), car=torch.zeros(1, 3), seen=seen, kind=cars, there=there)
    assert road_scenes.seconds_to_meet(one)[0, 0] == pytest.approx(20 / 5)
    row, column = cells(one)
    assert (row[0, 0], column[0, 0]) == (20, 23)
    picture = pictures(one)[0]
    for layer, past in ((1, 0.0), (4, 1.5)):  # it comes from behind, and so did the car
        at = picture[layer].argmax().item()
        assert divmod(at, 40)[1] == int((20 - 4 * past + 15) / 1.5)
        assert divmod(picture[layer].argmin().item(), 40)[1] in {int((15 - 9 * past) / 1.5), int((15 - 9 * past) / 1.5) - 1}
    assert numbers(one)[0, 0, 0] == pytest.approx(20 / 30)
    beside = one._replace(car=torch.tensor([[12.0, 3.0, -1.0]]))
    assert torch.equal(pictures(beside)[0, 0, :-2], picture[0, 2:]), "3 m to the left: the lanes lie two cells further right"
    assert numbers(beside)[0, 0, 4] == numbers(one)[0, 0, 4] == 0, "the velocity of the agent stays"
    assert numbers(beside)[0, 0, 13] == pytest.approx(4 / 10, abs=0.05), "but 4 s at 1 m/s pass to the side of the car"


def test_the_metrics_are_those_of_loops(scenes):
    scores = torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
    found, total, none, recalls = judged(scores, scenes), 0.0, 0.0, []
    for s in range(300):
        there = [a for a in range(16) if scenes.there[s, a]]
        order = sorted(there, key=lambda a, s=s: -scores[s, a])

        def plan(known, s=s):
            costs = scenes.base[s].double() + scenes.costs[s][:, known].double().sum(1)
            return int(costs.argmin()), costs

        _, true = plan(there)
        total += float(true[plan(order[:3])[0]] - true.min())
        none += float(true[plan([])[0]] - true.min())
        if large := {a for a in there if scenes.level[s, a] == 2}:
            recalls.append(len(large & set(order[:3])) / len(large))
    assert found["avoided@3"] == pytest.approx(1 - total / none, abs=1e-4)
    assert found["recall@3"] == pytest.approx(sum(recalls) / len(recalls), abs=1e-5)
    assert judged(scenes.importance, scenes)["NDCG@5"] == 1
    assert not regret(scenes, scenes.there).any()


def order(model):
    """NDCG on the test scenes; nobody drives."""
    scenes = TASK.drawn(0, "test")
    with torch.no_grad():
        return judged(model(looked_at(scenes, model.inputs)), scenes)["NDCG@5"]


@pytest.mark.parametrize("inputs", ["numbers", "picture", "both"])
def test_training_is_the_same_again_and_helps(inputs):
    loss = AgentLoss(inputs, RankNetLoss())
    steps = 40 if inputs == "numbers" else 10
    first_time, again = (order(TASK.fit(loss, lr=0.01, steps=steps, seed=0)) for _ in range(2))
    untrained = order(TASK.fit(loss, lr=1e-9, steps=1, seed=0))
    assert first_time == again and first_time > untrained + 0.03


def test_it_is_measured_by_order_plans_and_drives(monkeypatch):
    monkeypatch.setattr(road_driving, "DRIVES", 10)
    road_driving.bounds.cache_clear()
    found = TASK.measure(TASK.fit(PAIRS.make(), lr=0.01, steps=5, seed=0), "test")
    assert tuple(found) == TASK.metrics and all(math.isfinite(value) for value in found.values())
    road_driving.bounds.cache_clear()


@pytest.mark.parametrize("loss", ["trees, RankNet", "trees on both, RankNet"])
def test_trees_learn_by_pairs_and_repeat(loss):
    made, both = STUDY.contenders[loss].make(), loss == "trees on both, RankNet"
    trees, again = (TASK.fit(made, lr=0.02, steps=10 if both else 30, seed=0) for _ in range(2))
    assert len(trees.trees) == (2 if both else 6) and (trees.picture is not None) == both
    assert order(trees) == order(again) > (0.3 if both else 0.4)


def test_trees_of_squared_errors_are_those_of_the_library(scenes):
    """Boosting by the gradient of a loss, where the library has the loss too: the same scores, up to their size and a constant."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    seen, there, count = looked_at(scenes, "numbers"), scenes.there, 8
    trees, loss = Trees(None, 0), POINTS.make()
    trees.grow(seen, there, lambda scores: loss(scores, scenes.level, there), rate=0.3, count=count)
    rows, labels = seen.numbers[there].numpy(), scenes.level[there].float()
    size = labels.square().mean().sqrt()
    whole = HistGradientBoostingRegressor(learning_rate=0.3, max_iter=1, max_leaf_nodes=15, early_stopping=False, random_state=0)
    left = labels - torch.from_numpy(whole.fit(rows, labels.numpy()).predict(rows))
    ours = size * torch.from_numpy(trees.trees[0].predict(rows))
    assert torch.allclose((labels - ours).float(), left.float(), atol=1e-4)
    with torch.no_grad():
        error = [loss(size * trees(seen), scenes.level, there).item()]
        del trees.trees[count // 2 :]
        error.append(loss(size * trees(seen), scenes.level, there).item())
    assert error[0] < error[1] < labels.var()


def test_labels_of_a_set(scenes):
    task = RoadAgents(labels="set")
    taught = task.taught(scenes)
    assert set(taught.unique().tolist()) == {0, 1, 2, 3, 4} and ((taught == 4).sum(1) <= 1).all()
    assert (taught[scenes.level > 0] > 0).all() and (taught > 0).sum() > 1.2 * (scenes.level > 0).sum()
    assert signature(task) == "RoadAgents(labels='set')"
    assert judged(taught.float(), scenes)["avoided@3"] > judged(scenes.level.float(), scenes)["avoided@3"] + 0.2
    assert PAIRS.make().inputs == POINTS.make().inputs == "numbers"
