"""The mixture of `rankbook.experiments.studies.class_to_tree` on the trees of photographs: Smooth-AP in it has tau = 0.1, as alone there.

In `hierarchical_retrieval` the halves choose their tau by H-AP, and on groceries H-AP took the one that is worse for the class.
"""

from dataclasses import replace

from rankbook.experiments.parts import Contender
from rankbook.experiments.studies import hierarchical_retrieval
from rankbook.experiments.tree_losses import class_to_tree

STUDY = replace(
    hierarchical_retrieval.STUDY,
    name="hierarchical_retrieval_width",
    question="What does half a loss on the tree cost the class, if the loss on the class keeps its width?",
    contenders={"half and half, tau 0.1": Contender(class_to_tree, {"weight": (0.25, 0.5)})},
    beside=hierarchical_retrieval.STUDY,
)
