"""The losses that studies compare, each with the grid of its own knobs; shared, so that two studies tune a loss alike."""

from __future__ import annotations

from torch import nn

from rankbook.experiments.baselines import HardTripletLoss, SemiHardTripletLoss, TripletLoss, multi_similarity, pair_margins
from rankbook.experiments.class_vectors import CrossEntropy, NormalizedSoftmax, WithClasses
from rankbook.experiments.parts import Contender
from rankbook.losses import (
    BlackBoxAPLoss,
    CalibrationLoss,
    FastAPLoss,
    RecallAtKLoss,
    ROADMAPLoss,
    SmoothAPLoss,
    SmoothNDCGLoss,
    SoftBinAPLoss,
    SupAPLoss,
    SupConLoss,
    SupHAPLoss,
)


def scaled_sup_ap(tau: float) -> SupAPLoss:
    """The published shape (tau = 0.01, rho = 100, delta = 0.05), stretched to temperature ``tau``: to the spread of the scores."""
    return SupAPLoss(tau=tau, rho=1 / tau, delta=5 * tau)


def scaled_sup_hap(tau: float) -> SupHAPLoss:
    """`scaled_sup_ap` on a label tree."""
    return SupHAPLoss(tau=tau, rho=1 / tau, delta=5 * tau)


def scaled_roadmap(tau: float, calibration_weight: float = 0.1) -> ROADMAPLoss:
    """`scaled_sup_ap` and the calibration, which counts the pairs that violate a margin, as its authors' code does."""
    return ROADMAPLoss(calibration_weight=calibration_weight, tau=tau, rho=1 / tau, delta=5 * tau, violations_only=True)


def calibration(margins: tuple[float, float]) -> CalibrationLoss:
    """The calibration alone, as in `scaled_roadmap`; ``margins`` are those of the positives and of the negatives."""
    return CalibrationLoss(*margins, violations_only=True)


def sup_ap_with_classes(tau: float, weight: float = 0.1) -> nn.Module:
    """`scaled_sup_ap` with SupRank's cluster loss."""
    return WithClasses(scaled_sup_ap(tau), weight)


def smoothed_with_decay(weight_decay: float) -> CrossEntropy:
    """Both at once, as cross-entropy is trained for retrieval in 2003.08983, whose code smooths by 0.1."""
    return CrossEntropy(weight_decay=weight_decay, smoothing=0.1)


TRIPLET_ALL = Contender(TripletLoss, {"margin": (0.05, 0.1, 0.2, 0.4)})
TRIPLET_SEMI_HARD = Contender(SemiHardTripletLoss, {"margin": (0.05, 0.1, 0.2, 0.4)})
TRIPLET_HARD = Contender(HardTripletLoss, {"margin": (0.2, 0.4, 0.8, 1.6)})
SUP_CON = Contender(SupConLoss, {"temperature": (0.03, 0.05, 0.1, 0.2)})
MULTI_SIMILARITY = Contender(multi_similarity, {"beta": (15.0, 50.0, 150.0, 500.0)})
SMOOTH_AP = Contender(SmoothAPLoss, {"tau": (0.01, 0.03, 0.1, 0.3)})
SMOOTH_NDCG = Contender(SmoothNDCGLoss, {"tau": (0.01, 0.03, 0.1, 0.3)})
SUP_AP = Contender(scaled_sup_ap, {"tau": (0.01, 0.03, 0.1, 0.3)})

# Three values where the learning rate has a wider grid.
SUP_CON_3 = Contender(SupConLoss, {"temperature": (0.05, 0.1, 0.2)})
SMOOTH_AP_3 = Contender(SmoothAPLoss, {"tau": (0.03, 0.1, 0.3)})
SMOOTH_NDCG_3 = Contender(SmoothNDCGLoss, {"tau": (0.03, 0.1, 0.3)})
SUP_HAP_3 = Contender(scaled_sup_hap, {"tau": (0.01, 0.03, 0.1)})
TRIPLET_SEMI_HARD_3 = Contender(SemiHardTripletLoss, {"margin": (0.1, 0.2, 0.4)})
SUP_AP_3 = Contender(scaled_sup_ap, {"tau": (0.03, 0.1, 0.3)})
ROADMAP_3 = Contender(scaled_roadmap, {"tau": (0.1,), "calibration_weight": (0.1, 0.3, 0.5)})

# Three values each, for studies on several sets, whose learning rates spread wider.
PAIR_MARGINS = Contender(pair_margins, {"neg_margin": (1.0, 1.2, 1.4)})
TRIPLET_HARD_3 = Contender(HardTripletLoss, {"margin": (0.2, 0.4, 0.8)})
MULTI_SIMILARITY_3 = Contender(multi_similarity, {"beta": (15.0, 50.0, 150.0)})
NORMALIZED_SOFTMAX = Contender(NormalizedSoftmax, {"temperature": (0.05, 0.1, 0.2)})
FAST_AP = Contender(FastAPLoss, {"bins": (5, 10, 20)})
SOFT_BIN = Contender(SoftBinAPLoss, {"bins": (10, 20, 40)})
BLACK_BOX = Contender(BlackBoxAPLoss, {"margin": (0.02, 0.1, 0.2)})
RECALL_AT_K = Contender(RecallAtKLoss, {"tau_score": (0.01, 0.03, 0.1)})
SMOOTH_AP_LOW = Contender(SmoothAPLoss, {"tau": (0.01, 0.03, 0.1)})
SUP_AP_LOW = Contender(scaled_sup_ap, {"tau": (0.01, 0.03, 0.1)})
CALIBRATION = Contender(calibration, {"margins": ((0.9, 0.6), (0.6, 0.3), (0.6, 0.1))})
ROADMAP = Contender(scaled_roadmap, {"tau": (0.01, 0.03, 0.1)})
SUP_AP_CLASSES = Contender(sup_ap_with_classes, {"tau": (0.01, 0.03, 0.1)})
CROSS_ENTROPY = Contender(CrossEntropy, {"speed": (3.0, 10.0, 30.0)})
CROSS_ENTROPY_SMOOTHING = Contender(CrossEntropy, {"smoothing": (0.05, 0.1, 0.2)})
CROSS_ENTROPY_DECAY = Contender(CrossEntropy, {"weight_decay": (1e-5, 1e-4, 1e-3)})
CROSS_ENTROPY_BOTH = Contender(smoothed_with_decay, {"weight_decay": (1e-5, 1e-4, 1e-3)})
