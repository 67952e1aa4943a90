"""From a loss on the class to a loss on the tree in steps: both terms as tuned alone, the learning rate tuned for each mixture."""

from rankbook.experiments.parts import Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.tree import TreeRetrieval
from rankbook.experiments.tree_losses import class_to_tree

#: Of the term on the tree.
WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0)

STUDY = Study(
    name="class_to_tree",
    question="How much of the class does a mixture of Smooth-AP and SupH-AP give up for how much of the tree?",
    task=TreeRetrieval(),
    contenders={f"{weight:g}": Contender(class_to_tree, {"weight": (weight,)}) for weight in WEIGHTS},
    grid={"lr": (3e-4, 1e-3, 3e-3, 1e-2)},
    steps=200,
    choose_by="H-AP",
    reference="0",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    chapter="hierarchical_retrieval",
)
