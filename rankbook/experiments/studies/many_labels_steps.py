"""`rankbook.experiments.studies.many_labels_batch` with batches of 64 and four times the steps: is Smooth-AP only slower?"""

from dataclasses import replace

from rankbook.experiments.studies import many_labels_batch
from rankbook.experiments.tasks.labels import ManyLabels

STUDY = replace(
    many_labels_batch.STUDY,
    name="many_labels_steps",
    question="Does Smooth-AP catch up with the cross-entropy in four times the steps?",
    task=ManyLabels(),
    grid={"lr": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)},
    steps=1200,
)
