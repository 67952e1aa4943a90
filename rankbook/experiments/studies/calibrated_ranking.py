"""One logit that ranks and is read as a probability: cross-entropy alone, and with pairs of the list, in the batch or logged.

The simulated world was made hard on purpose, on tuning seeds: a narrow layer, and most of what moves clicks belongs to the query, so
that cross-entropy spends the layer on what no order needs. With a smoother level a look at two worlds showed no clear lead in GAUC.

The weights were placed on two tuning seeds of that smoother world, where 16 was no better than 4. A first pass of the films tried 16
too, for RankNet: it was behind at every learning rate from 0.01 on, and its lines are not kept.
"""

from rankbook.experiments import click_losses
from rankbook.experiments.parts import SIMULATED
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.click_logs import rated_films
from rankbook.experiments.tasks.clicks import Clicks

STUDY = Study(
    name="calibrated_ranking",
    question="Do pairs make a logit rank better, what does it cost in calibration, and does an increasing map pay that back?",
    task=Clicks(),
    contenders={
        "point": click_losses.POINT,
        "point + RankNet": click_losses.LIST_PAIRS,
        "point + self-boosted": click_losses.LOGGED_PAIRS,
    },
    grid={"lr": (0.003, 0.01, 0.03, 0.1)},
    steps=200,
    choose_by="GAUC",
    reference="point",
    tuning_seeds=(100, 101),
    test_seeds=tuple(range(5)),
    data=SIMULATED,
    sets={"movielens": Clicks(load=rated_films)},
    chapter="calibrated_ranking",
)
