"""`organ_matching` in a world whose score is right: misfit 0. There is nothing that weights could mend."""

from rankbook.experiments.studies.organ_matching import study

STUDY = study("organ_matching_right", misfit=0.0, open_ended=("factors", "both, BPR"))
