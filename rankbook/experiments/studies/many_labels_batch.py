"""`rankbook.experiments.studies.many_labels` with batches eight times as large: do few positives hold Smooth-AP back?

Each loss keeps one value of its own knob; the learning rate is tuned anew.
"""

from dataclasses import replace

from rankbook.experiments.label_losses import CrossEntropy, smooth_ap
from rankbook.experiments.parts import Contender
from rankbook.experiments.studies import many_labels
from rankbook.experiments.tasks.labels import ManyLabels

STUDY = replace(
    many_labels.STUDY,
    name="many_labels_batch",
    question="Does Smooth-AP catch up with the cross-entropy in batches that hold several positives of each label?",
    task=ManyLabels(batch=512),
    contenders={"cross-entropy": Contender(CrossEntropy, {"pos_weight": (3.0,)}), "Smooth-AP": Contender(smooth_ap, {"tau": (1.0,)})},
    grid={"lr": (3e-4, 1e-3, 3e-3, 1e-2)},
    sets={},
)
