"""Smooth-AP and NDCG with sigmoid ranks against losses of pairs and triplets, on frozen features of the emoji set.

The test classes were read twice for the contrastive loss, Smooth-AP and smooth NDCG: after the first round the learning rate
6e-4 joined every grid, because the contrastive loss had chosen the lowest of three. The other losses joined later; theirs were
read once. New runs of those need pytorch-metric-learning; the stored table does not.
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
        "contrastive": contenders.CONTRASTIVE,
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
)
