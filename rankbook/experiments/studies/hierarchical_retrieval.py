"""Losses on the class against losses on the tree, on trees of photographs; all tuned by H-AP on validation data.

Groceries: product, coarse product, kind; the same products in all splits, new photographs. Birds: species and family, new species in
the test. Trials on validation data placed the learning rates. The tree of the bundled emoji is that of the study `class_to_tree`.
"""

from rankbook.experiments import tree_losses
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.sets import birds, groceries
from rankbook.experiments.tasks.tree import TreeRetrieval

STUDY = Study(
    name="hierarchical_retrieval",
    question="What does a loss that knows the label tree gain on the coarse levels of photographs, and what does it cost on the class?",
    data="grocery",
    task=TreeRetrieval(load=groceries, gallery="train"),
    contenders={
        "SupCon": tree_losses.SUP_CON,
        "Smooth-AP": tree_losses.SMOOTH_AP,
        "SupCon on each level": tree_losses.LEVEL_SUP_CON,
        "half and half": tree_losses.HALVES,
        "SupH-AP": tree_losses.SUP_HAP,
        "SupH-AP + class vectors": tree_losses.SUP_HAP_CLASSES,
        "SupNDCG": tree_losses.SUP_NDCG,
    },
    grid={"lr": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)},
    steps=200,
    choose_by="H-AP",
    reference="Smooth-AP",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    sets={"cub": TreeRetrieval(load=birds)},
    chapter="hierarchical_retrieval",
)
