"""`rankbook.experiments.studies.label_surrogates` with every fourth label: does what separates the losses grow with their number?"""

from dataclasses import replace

from rankbook.experiments.studies import label_surrogates
from rankbook.experiments.tasks.instance_labels import InstanceLabels, every_fourth_keyword, every_fourth_noun

STUDY = replace(
    label_surrogates.STUDY,
    name="label_surrogates_fourth",
    question="Do losses of single labels fall behind those of pairs as the labels become more?",
    task=InstanceLabels(load=every_fourth_keyword),
    sets={"flickr8k": InstanceLabels(load=every_fourth_noun)},
)
