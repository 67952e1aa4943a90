"""The contenders of the studies of batch sizes: a loss in batches of one size, at the study's steps or at more of them.

Temperatures are fixed, the learning rate is tuned for each. On the validation classes of the emoji, with one seed, 0.03 was the best
temperature of RS@k in batches of 128 (of 0.03, 0.1 and 0.2), of 512 (also 0.01) and of 3,288 (of 0.01, 0.03 and 0.1), and of Smooth-AP in
the first two; 0.1 was that of SupCon (of 0.05 and 0.1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from rankbook.experiments.parts import Contender
from rankbook.experiments.tasks.batch_sizes import InBatches
from rankbook.losses import RecallAtKLoss, SimilarityMixup, SmoothAPLoss, SupConLoss


def rs_at_k() -> nn.Module:
    return RecallAtKLoss(tau_score=0.03)


def mixed() -> nn.Module:
    """Random numbers from torch's global state, which a training seeds and restores."""
    return SimilarityMixup(rs_at_k())


def smooth_ap() -> nn.Module:
    return SmoothAPLoss(tau=0.03)


def sup_con() -> nn.Module:
    return SupConLoss(temperature=0.1)


def in_batches(lr: float, *, make: Callable[[], nn.Module], classes: int, share: float) -> InBatches:
    return InBatches(make(), classes, share, lr)


def contender(make: Callable[[], nn.Module], classes: int, rates: tuple[float, ...], share: float = 1.0) -> Contender:
    """A loss in batches of so many classes; its knob is the learning rate, since longer trainings want a smaller one."""
    return Contender(partial(in_batches, make=make, classes=classes, share=share), {"lr": rates})
