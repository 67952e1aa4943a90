"""Smooth-AP and NDCG with sigmoid ranks against losses of pairs and triplets, on frozen features of the emoji set.

The test classes were read twice for SupCon, Smooth-AP and smooth NDCG: a first pass had the learning rates 3e-4,
1e-3 and 3e-3. It left SupCon at the lower edge on the validation classes, so 6e-4 was added for every loss, and the
choices and their lines were made anew. The triplet and multi-similarity losses joined later, with the same learning rates and steps;
their test classes were read once. Their grids were placed with a few runs of one other seed on the validation classes; two of them
then moved up by one step, because the best value was the largest: the margin of the hard triplets (0.1 left, 1.6 came) and the beta of
multi-similarity (5 left, 500 came). New runs of these losses need pytorch-metric-learning; the stored table does not.
"""

from rankbook.experiments import contenders
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.retrieval import Retrieval

STUDY = Study(
    name="smooth_ap",
    question="Does Smooth-AP beat losses of pairs and triplets on the metrics that retrieval papers print?",
    task=Retrieval(),
    contenders={
        "triplet (all)": contenders.TRIPLET_ALL,
        "triplet (semi-hard)": contenders.TRIPLET_SEMI_HARD,
        "triplet (hard)": contenders.TRIPLET_HARD,
        "SupCon": contenders.SUP_CON,
        "multi-similarity": contenders.MULTI_SIMILARITY,
        "Smooth-AP": contenders.SMOOTH_AP,
        "smooth NDCG": contenders.SMOOTH_NDCG,
    },
    grid={"lr": (3e-4, 6e-4, 1e-3, 3e-3)},
    steps=800,
    choose_by="mAP@R",
    reference="Smooth-AP",
    tuning_seeds=(100, 101),
    test_seeds=tuple(range(10)),
    budgets=(0.5, 2),
    chapter="smooth_ranks",
)
