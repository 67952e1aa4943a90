"""The losses that studies compare, each with the grid of its own knobs; shared, so that two studies tune a loss alike."""

from __future__ import annotations

from rankbook.experiments.baselines import HardTripletLoss, SemiHardTripletLoss, TripletLoss, multi_similarity
from rankbook.experiments.parts import Contender
from rankbook.losses import SmoothAPLoss, SmoothNDCGLoss, SupAPLoss, SupConLoss, SupHAPLoss


def scaled_sup_ap(tau: float) -> SupAPLoss:
    """The published shape (tau = 0.01, rho = 100, delta = 0.05), stretched to temperature ``tau``: to the spread of the scores."""
    return SupAPLoss(tau=tau, rho=1 / tau, delta=5 * tau)


def scaled_sup_hap(tau: float) -> SupHAPLoss:
    """`scaled_sup_ap` on a label tree."""
    return SupHAPLoss(tau=tau, rho=1 / tau, delta=5 * tau)


TRIPLET_ALL = Contender(TripletLoss, {"margin": (0.05, 0.1, 0.2, 0.4)})
TRIPLET_SEMI_HARD = Contender(SemiHardTripletLoss, {"margin": (0.05, 0.1, 0.2, 0.4)})
TRIPLET_HARD = Contender(HardTripletLoss, {"margin": (0.2, 0.4, 0.8, 1.6)})
CONTRASTIVE = Contender(SupConLoss, {"temperature": (0.03, 0.05, 0.1, 0.2)})
MULTI_SIMILARITY = Contender(multi_similarity, {"beta": (15.0, 50.0, 150.0, 500.0)})
SMOOTH_AP = Contender(SmoothAPLoss, {"tau": (0.01, 0.03, 0.1, 0.3)})
SMOOTH_NDCG = Contender(SmoothNDCGLoss, {"tau": (0.01, 0.03, 0.1, 0.3)})
SUP_AP = Contender(scaled_sup_ap, {"tau": (0.01, 0.03, 0.1, 0.3)})

# Three values where the learning rate has a wider grid.
CONTRASTIVE_3 = Contender(SupConLoss, {"temperature": (0.05, 0.1, 0.2)})
SMOOTH_AP_3 = Contender(SmoothAPLoss, {"tau": (0.03, 0.1, 0.3)})
SMOOTH_NDCG_3 = Contender(SmoothNDCGLoss, {"tau": (0.03, 0.1, 0.3)})
SUP_HAP_3 = Contender(scaled_sup_hap, {"tau": (0.01, 0.03, 0.1)})
