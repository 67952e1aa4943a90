"""Road agents ranked by what the plan would save without them: trees and networks, points and pairs, numbers, a picture, and both.

A look at one validation seed: rates below 0.003 were too low, and 600 steps lifted the NDCG of networks on numbers by 0.01 to 0.03; we
kept 300, as the picture is slow. At 0.3 the network on the picture died; that rate is left out. Trees on points chose the lowest rate.
"""

from rankbook.experiments import road_losses
from rankbook.experiments.parts import SIMULATED
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.road_agents import RoadAgents

STUDY = Study(
    name="road_agents",
    question="Do pairs order the agents of a road scene better than points, and do a picture and numbers together beat either?",
    task=RoadAgents(),
    contenders={
        "trees, points": road_losses.TREES_POINTS,
        "trees, RankNet": road_losses.TREES_PAIRS,
        "trees on both, RankNet": road_losses.TREES_BOTH_PAIRS,
        "numbers, points": road_losses.POINTS,
        "numbers, RankNet": road_losses.PAIRS,
        "numbers, LambdaLoss": road_losses.LAMBDAS,
        "picture, RankNet": road_losses.PICTURE_PAIRS,
        "both, RankNet": road_losses.BOTH_PAIRS,
    },
    grid={"lr": (0.003, 0.01, 0.03, 0.1)},
    steps=300,
    choose_by="NDCG@5",
    reference="numbers, points",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    open_ended={SIMULATED: ("trees, points",)},
    data=SIMULATED,
    chapter="road_agents",
)
