"""Losses that match images and texts: SoDeep's triplet of ranks with two margins and a learned ranker, against what is used instead.

575 test emoji, drawings against one text each. Everything but the two linear heads is frozen and shared; see
`rankbook.experiments.tasks.cross_modal`. A batch holds 64 pairs.
"""

from rankbook.experiments.matching import CONTENDERS
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.cross_modal import CrossModal, flickr8k_pairs

STUDY = Study(
    name="images_texts",
    question="Do losses on ranks match images and texts better than InfoNCE and the hard triplet?",
    task=CrossModal(),
    contenders=CONTENDERS,
    grid={"lr": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)},
    steps=300,
    choose_by="mean R",
    reference="InfoNCE",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    sets={"flickr8k": CrossModal(load=flickr8k_pairs)},
    chapter="images_texts",
)
