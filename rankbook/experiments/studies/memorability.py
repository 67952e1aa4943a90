"""Losses that see a score's value against losses that see its order alone; SoDeep's loss with the shipped sorters.

The bundled set has no score of people, so its score is measured on the drawings: see `rankbook.experiments.tasks.rated.warm_emoji`.
The learning rates and the settings of the losses were placed with one seed on the validation items. The temperatures of the projection were
moved up by then: at 0.01 and 0.03 it hardly learned.

The sorter ``kernel`` chose the largest rates of this grid; it has one of its own in `rankbook.experiments.studies.memorability_kernel`.
"""

from rankbook.experiments import score_losses
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.rated import remembered_captions, remembered_objects, remembered_photographs
from rankbook.experiments.tasks.score import ScoreRanking

SORTERS = ("knots", "knots-320", "set-transformer-small", "lstm", "mlp", "cnn")

STUDY = Study(
    name="memorability",
    question="Does a loss on ranks order items by a score better than squared error?",
    task=ScoreRanking(),
    contenders={
        "MSE": score_losses.MSE,
        "L1": score_losses.L1,
        "RankNet": score_losses.RANKNET,
        "Spearman, sigmoid": score_losses.SIGMOID,
        "Spearman, box": score_losses.BOX,
        "Spearman, projection": score_losses.PROJECTION,
        **{f"Spearman, {name}": score_losses.sorter(name) for name in SORTERS},
    },
    grid={"lr": (1e-4, 1e-3, 5e-3, 2e-2, 1e-1, 5e-1)},
    steps=200,
    choose_by="Spearman",
    reference="MSE",
    tuning_seeds=(100,),
    test_seeds=tuple(range(10)),
    sets={
        "videomem": ScoreRanking(load=remembered_captions),
        "videomem_objects": ScoreRanking(load=remembered_objects),
        "lnsim": ScoreRanking(load=remembered_photographs),
    },
    overlap=1 / 3,  # a test item for three that train
    chapter="memorability",
)
