"""Road agents ranked by the order in which a plan needs them: labels of a set, in place of one agent at a time.

At rates from 0.1 on the points died, and chose the lowest rate of `road_agents`; so the grid moved down by one; they chose the
lowest again.
"""

from rankbook.experiments import road_losses
from rankbook.experiments.parts import SIMULATED
from rankbook.experiments.studies import road_agents
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.road_agents import RoadAgents

STUDY = Study(
    name="road_agents_set",
    question="Do rankers that learn the order in which a plan needs the agents keep it safer with few of them?",
    task=RoadAgents(labels="set"),
    contenders={
        "numbers, points, set": road_losses.POINTS,
        "numbers, RankNet, set": road_losses.PAIRS,
    },
    grid={"lr": (0.001, 0.003, 0.01, 0.03)},
    steps=300,
    choose_by="avoided@3",
    reference="numbers, points, set",
    tuning_seeds=(100,),
    test_seeds=road_agents.STUDY.test_seeds,
    open_ended={SIMULATED: ("numbers, points, set",)},
    data=SIMULATED,
    chapter="road_agents",
)
