"""Losses: 1 - metric of differentiable ranks, batch losses built on them, and the pairwise baselines."""

from rankbook.losses.binned import FastAPLoss, SoftBinAPLoss
from rankbook.losses.blackbox import BlackBoxAPLoss
from rankbook.losses.composition import RankLoss, as_loss
from rankbook.losses.decomposable import CalibrationLoss, ClusterLoss, ROADMAPLoss
from rankbook.losses.graded import SmoothNDCGLoss, SupHAPLoss, SupNDCGLoss
from rankbook.losses.pairwise import SupConLoss
from rankbook.losses.retrieval import BatchRankLoss, RecallAtKLoss, SmoothAPLoss, SupAPLoss, SupRecallLoss
from rankbook.losses.sodeep import HardNegativeRankLoss, MeanRankLoss, SpearmanLoss

__all__ = [
    "BatchRankLoss",
    "BlackBoxAPLoss",
    "CalibrationLoss",
    "ClusterLoss",
    "FastAPLoss",
    "HardNegativeRankLoss",
    "MeanRankLoss",
    "ROADMAPLoss",
    "RankLoss",
    "RecallAtKLoss",
    "SmoothAPLoss",
    "SmoothNDCGLoss",
    "SoftBinAPLoss",
    "SpearmanLoss",
    "SupAPLoss",
    "SupConLoss",
    "SupHAPLoss",
    "SupNDCGLoss",
    "SupRecallLoss",
    "as_loss",
]
