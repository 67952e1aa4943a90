"""`organ_matching_libraries` in a world whose score is right: misfit 0. Only libraries that fit outcomes, given the score."""

from rankbook.experiments.studies.organ_matching_libraries import study

STUDY = study("organ_matching_libraries_right", misfit=0.0, arms=("CMF", "myFM", "boosted trees"))
