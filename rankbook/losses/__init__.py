"""Losses: 1 - metric of differentiable ranks, batch losses built on them, and the pairwise baselines."""

from rankbook.losses.batch_loss import BatchRankLoss
from rankbook.losses.binned import FastAPLoss, SoftBinAPLoss
from rankbook.losses.blackbox import BlackBoxAPLoss
from rankbook.losses.calibration import CalibrationLoss
from rankbook.losses.cluster import ClusterLoss
from rankbook.losses.composition import RankLoss, as_loss
from rankbook.losses.cross_entropy import cross_entropy_bound, pairwise_cross_entropy
from rankbook.losses.hap import SupHAPLoss
from rankbook.losses.hard_negatives import HardNegativeRankLoss
from rankbook.losses.hashing import PairwiseHashLoss
from rankbook.losses.listwise import ListMLELoss, ListNetLoss
from rankbook.losses.matching_gap import MultiMarginalMatchingGap
from rankbook.losses.mixup import SimilarityMixup
from rankbook.losses.multi_label import MultiLabelRankingLoss
from rankbook.losses.ndcg import SmoothNDCGLoss, SupNDCGLoss
from rankbook.losses.pairwise import LambdaLoss, RankNetLoss
from rankbook.losses.recall import RecallAtKLoss, SupRecallLoss
from rankbook.losses.roadmap import ROADMAPLoss
from rankbook.losses.self_boosted import SelfBoostedLoss
from rankbook.losses.smooth_ap import SmoothAPLoss
from rankbook.losses.sodeep import MeanRankLoss, SpearmanLoss
from rankbook.losses.sup_ap import SupAPLoss
from rankbook.losses.supcon import SupConLoss

__all__ = [
    "BatchRankLoss",
    "BlackBoxAPLoss",
    "CalibrationLoss",
    "ClusterLoss",
    "FastAPLoss",
    "HardNegativeRankLoss",
    "LambdaLoss",
    "ListMLELoss",
    "ListNetLoss",
    "MeanRankLoss",
    "MultiLabelRankingLoss",
    "MultiMarginalMatchingGap",
    "PairwiseHashLoss",
    "ROADMAPLoss",
    "RankLoss",
    "RankNetLoss",
    "RecallAtKLoss",
    "SelfBoostedLoss",
    "SimilarityMixup",
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
    "cross_entropy_bound",
    "pairwise_cross_entropy",
]
