"""Losses of the labels of a picture, by pairs or label by label; all tuned on validation pictures by the pairs in the right order.

The task divides and trains as `many_labels` does; here the losses have no knob of their own.
"""

from functools import partial

from rankbook.experiments.parts import Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.instance_labels import InstanceLabels
from rankbook.experiments.tasks.labels import flickr8k_nouns
from rankbook.losses import MultiLabelRankingLoss

STUDY = Study(
    name="label_surrogates",
    question="Do losses of single labels order the labels of a picture as well as losses of pairs do?",
    task=InstanceLabels(),
    contenders={weighting: Contender(partial(MultiLabelRankingLoss, weighting)) for weighting in ("pa", "u1", "u2", "u3", "u4")},
    grid={"lr": (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)},
    steps=300,
    choose_by="pairs right",
    reference="pa",
    tuning_seeds=(100,),
    test_seeds=tuple(range(8)),
    overlap=2 / 3,  # two pictures are judged for three that train
    sets={"flickr8k": InstanceLabels(load=flickr8k_nouns)},
    chapter="label_surrogates",
)
