"""Simulation to reality: what few pairs of a simulated and a real picture are worth, and whether a term of pairs makes more of them.

A reconstruction: pictures, network and numbers of pairs are ours. The grids were placed on the tuning seeds with 50 and 1000 pairs. At
weights of 0.03 and 0.3 the term alone draws less than at 3, from 40 it docks less, at 100 all features become equal. With 50 pairs four
times the steps serve balanced batches and the term no better.
"""

from rankbook.experiments.parts import Contender
from rankbook.experiments.servo_losses import ServoLoss, balanced_pairs, natural, real_alone
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.servo import Servo

LRS = (5e-4, 1e-3, 2e-3, 3e-3, 4e-3, 6e-3, 8e-3, 1.2e-2, 1.6e-2)
FEW = (3e-3, 6e-3, 1e-2)

STUDY = Study(
    name="sim_to_real",
    question="Does drawing the features of pairs together beat training on their labels?",
    task=Servo(),
    contenders={
        "simulation": Contender(ServoLoss, {"lr": LRS}),
        "real pairs": Contender(real_alone, {"lr": LRS}),
        "one heap": Contender(natural, {"lr": LRS}),
        "balanced": Contender(ServoLoss, {"lr": FEW, "real": (0.5, 0.75, 0.9)}),
        "pair term": Contender(ServoLoss, {"lr": (2e-3, 3e-3, 6e-3), "weight": (3.0, 10.0, 20.0)}),
        "balanced + term": Contender(balanced_pairs, {"lr": FEW, "weight": (0.3, 1.0, 3.0)}),
    },
    grid={},
    steps=300,
    choose_by="docked",
    reference="balanced",
    tuning_seeds=(100, 101),
    test_seeds=tuple(range(5)),
    data="50-pairs",
    sets={f"{pairs}-pairs": Servo(pairs=pairs) for pairs in (20, 200, 1000)},
    chapter="sim_to_real",
)
