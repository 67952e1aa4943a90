"""Plain cross-entropy, with and without weight decay and label smoothing, beside the losses of `retrieval` and as they were run.

The class vectors are of any length and begin at 0. Without decay the own knob is how fast they grow, which is how sharp the
probabilities become; where decay and smoothing meet, the smoothing is its authors' 0.1.
"""

from rankbook.experiments import contenders
from rankbook.experiments.studies import retrieval
from rankbook.experiments.study import Study

STUDY = Study(
    name="cross_entropy",
    question="Does plain cross-entropy retrieve as well as losses of pairs, and what must be tuned for it?",
    task=retrieval.STUDY.task,
    contenders={
        "cross-entropy": contenders.CROSS_ENTROPY,
        "cross-entropy, smoothing": contenders.CROSS_ENTROPY_SMOOTHING,
        "cross-entropy, decay": contenders.CROSS_ENTROPY_DECAY,
        "cross-entropy, decay, smoothing": contenders.CROSS_ENTROPY_BOTH,
    },
    grid=retrieval.STUDY.grid,
    steps=retrieval.STUDY.steps,
    choose_by=retrieval.STUDY.choose_by,
    reference="multi-similarity",
    tuning_seeds=retrieval.STUDY.tuning_seeds,
    test_seeds=retrieval.STUDY.test_seeds,
    beside=retrieval.STUDY,
    sets={data: retrieval.STUDY.sets[data] for data in ("cub", "grocery")},
    chapter="cross_entropy",
)
