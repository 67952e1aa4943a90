"""Two losses that see the class, two that see class, subgroup and group; all tuned by H-AP on the validation classes."""

from rankbook.experiments import contenders
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.hierarchical import HierarchicalRetrieval

STUDY = Study(
    name="hierarchies",
    question="Does a loss that knows the label tree make milder mistakes than one that knows the class alone?",
    task=HierarchicalRetrieval(),
    contenders={
        "SupCon": contenders.SUP_CON_3,
        "Smooth-AP": contenders.SMOOTH_AP_3,
        "smooth NDCG": contenders.SMOOTH_NDCG_3,
        "SupH-AP": contenders.SUP_HAP_3,
    },
    grid={"lr": (3e-4, 1e-3, 3e-3, 1e-2)},
    steps=200,
    choose_by="H-AP",
    reference="Smooth-AP",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    chapter="hierarchies",
)
