"""The slow sorters, and one that goes on learning, under the protocol of `rankbook.experiments.studies.memorability`."""

from dataclasses import replace

from rankbook.experiments import score_losses
from rankbook.experiments.studies import memorability

STUDY = replace(
    memorability.STUDY,
    name="memorability_sorters",
    question="Does a larger sorter, or one that learns along, order items better than squared error?",
    contenders={
        "Spearman, set-transformer": score_losses.sorter("set-transformer"),
        "Spearman, lstm updated": score_losses.sorter("lstm", updated=True),
        "Spearman, gru": score_losses.sorter("gru"),
    },
    beside=memorability.STUDY,
    sets={"videomem": memorability.STUDY.sets["videomem"]},
)
