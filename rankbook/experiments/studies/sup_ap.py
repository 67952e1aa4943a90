"""SupAP under the protocol of `rankbook.experiments.studies.smooth_ap`; its lines can be compared with those seed by seed."""

from dataclasses import replace

from rankbook.experiments import contenders
from rankbook.experiments.studies import smooth_ap

STUDY = replace(
    smooth_ap.STUDY,
    name="sup_ap",
    question="Does an upper bound train better than Smooth-AP?",
    contenders={"SupAP": contenders.SUP_AP},
    beside=smooth_ap.STUDY,
    chapter="upper_bounds",
)
