"""`organ_matching` in a world whose score and misfit count alike: misfit 1. Only models with weights and what they are compared with."""

from rankbook.experiments.studies.organ_matching import study

STUDY = study(
    "organ_matching_half",
    misfit=1.0,
    open_ended=("covariates",),
    arms=("covariates", "covariates, adaptive", "both", "both, unweighted", "both, static", "both, adaptive"),
)
