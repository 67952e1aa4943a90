"""The published temperature of Smooth-AP against wider ones, each with its own best learning rate, under the protocol of
`rankbook.experiments.studies.smooth_ap`: what leaving `SmoothAPLoss` at its default costs."""

from dataclasses import replace
from functools import partial

from rankbook.experiments.parts import Contender
from rankbook.experiments.studies import smooth_ap
from rankbook.losses import SmoothAPLoss

STUDY = replace(
    smooth_ap.STUDY,
    name="smooth_ap_tau",
    question="Does Smooth-AP train better at its published temperature, 0.01, or at a wider one?",
    contenders={f"Smooth-AP, tau {tau}": Contender(partial(SmoothAPLoss, tau=tau)) for tau in (0.01, 0.03, 0.1)},
    reference="Smooth-AP, tau 0.01",
    budgets=(),
    chapter="which_loss",
)
