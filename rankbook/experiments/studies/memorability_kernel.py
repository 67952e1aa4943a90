"""The sorter ``kernel`` under the protocol of `rankbook.experiments.studies.memorability`, at larger learning rates.

Its validation score hardly depends on the rate, and its best lay at the end of that study's grid. This grid has as many values, and was
placed with the tuning seed on the validation items.
"""

from dataclasses import replace

from rankbook.experiments import score_losses
from rankbook.experiments.studies import memorability

STUDY = replace(
    memorability.STUDY,
    name="memorability_kernel",
    question="Does the sorter of kernels order items better than squared error?",
    contenders={"Spearman, kernel": score_losses.sorter("kernel")},
    grid={"lr": (5e-3, 2e-2, 1e-1, 5e-1, 2.0, 8.0)},
    beside=memorability.STUDY,
    sets={"videomem": memorability.STUDY.sets["videomem"]},
)
