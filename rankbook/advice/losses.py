"""One line a loss: what it optimizes, its knobs and how to set them, what it holds in memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from rankbook.advice.against import AGAINST, compared
from rankbook.advice.board import short


class Facts(NamedTuple):
    """What the documentation of a loss says, in a line each, and its name on the leaderboard, if it is there."""

    optimizes: str
    knobs: str
    holds: str
    board: str = ""


_BLOCKS, _ALL = "blocks of rows", "all scores"
_SUP = "tau to the spread of the scores, rho = 1/tau, delta = 5 tau"

LOSSES: dict[str, Facts] = {
    "SmoothAPLoss": Facts("AP, no bound", "tau 0.1 on unit vectors; the default 0.01 is the paper's", _BLOCKS, "Smooth-AP"),
    "SupAPLoss": Facts("AP, bound on 1 − AP", _SUP, _BLOCKS, "SupAP"),
    "ROADMAPLoss": Facts(
        "AP (SupAP) and one scale for all batches", "calibration_weight; margins between the two kinds of pairs", _ALL, "ROADMAP"
    ),
    "FastAPLoss": Facts("binned AP on distances", "bins: more are closer to AP, and reach less far", _BLOCKS, "FastAP"),
    "SoftBinAPLoss": Facts("binned AP on similarities", "bins: as FastAPLoss", _BLOCKS, "SoftBin-AP"),
    "BlackBoxAPLoss": Facts(
        "AP of exact ranks, an interpolated gradient", "strength: how far it looks; margin above 0", _BLOCKS, "BlackBox-AP"
    ),
    "RecallAtKLoss": Facts("recall@k, no bound", "k: yours; tau_rank in places, tau_score in similarity", _BLOCKS, "RS@k"),
    "SupRecallLoss": Facts("recall@k on SupRank's bound of the ranks", "as RecallAtKLoss and SupAPLoss", _BLOCKS),
    "SmoothNDCGLoss": Facts("NDCG, graded or not, no bound", "tau as SmoothAPLoss", _BLOCKS),
    "SupNDCGLoss": Facts("NDCG, bound on 1 − NDCG", _SUP, _BLOCKS),
    "SupHAPLoss": Facts("H-AP on a label tree, bound on 1 − H-AP", _SUP, _BLOCKS),
    "SupConLoss": Facts("softmax of pairs, no ranks", "temperature 0.1 on unit vectors", _BLOCKS, "SupCon"),
    "CalibrationLoss": Facts("thresholds on pairs, no ranks", "pos_margin above neg_margin, both similarities", _ALL, "calibration"),
    "ClusterLoss": Facts(
        "softmax over learned class vectors, no ranks",
        "temperature; give its parameters to the optimizer",
        "a vector a class",
        "normalized softmax",
    ),
    "SpearmanLoss": Facts("Spearman of scores", "ranker: tau at half the deviation of the scores", "the ranker's"),
    "MeanRankLoss": Facts("mean rank of the relevant: AUC, not AP", "ranker", "the ranker's"),
    "HardNegativeRankLoss": Facts(
        "the worst rank of a pair against its hardest rival", "ranker; margin in places, 1 by default", "the ranker's"
    ),
    "RankNetLoss": Facts("pairs of scores in the right order: AUC when binary", "sigma: one over the spread of the scores", _BLOCKS),
    "LambdaLoss": Facts("any metric of scores, by what each swap changes", "metric and its knobs; sigma as RankNetLoss", _BLOCKS),
    "ListNetLoss": Facts("cross-entropy of scores and grades, no ranks", "none; scale the grades", "the list"),
    "ListMLELoss": Facts("likelihood of the right order of scores", "none", "the list"),
    "SimilarityMixup": Facts("any batch loss, with virtual items", "as_queries", "2.5 times the loss at 4 a class"),
    "MultiLabelRankingLoss": Facts("pairs of the labels of an instance, or each label reweighted", "weighting: u3 first", "the list"),
    "cross_entropy_bound": Facts(
        "pairs below cross-entropy with weight decay, no ranks", "weight_decay: that of the class vectors", "a vector a class"
    ),
    "pairwise_cross_entropy": Facts("pairs that cross-entropy pulls and pushes, no ranks", "weight_decay", "a vector a class"),
    "MultiMarginalMatchingGap": Facts(
        "the matching of k views, all tuples at once", "epsilon 0.1; smaller looks at the best tuples", "n^(k-1) numbers"
    ),
    "SelfBoostedLoss": Facts("pairs with the logged scores of a sample's list", "its weight beside the loss of clicks", "the logged lists"),
    "PairwiseHashLoss": Facts("pairs of codes that are cut to bits", "margin 2, half of the bits; quantization", _ALL),
    "as_loss": Facts("any metric with any ranker", "metric, ranker and their own knobs", "the ranker's"),
    "RankLoss": Facts("as as_loss; a module that owns a sorter", "metric, ranker and their own knobs", "the ranker's"),
    "BatchRankLoss": Facts("any metric with a sigmoid or SupRank step, on a batch", "metric, step", _BLOCKS),
}


def rows(book: dict[str, Any], evidence: pd.DataFrame, board: pd.DataFrame, *, batch: int = 4096) -> list[list[str]]:
    """A row a loss: its facts, time and memory at ``batch`` where they were measured (else what it holds), and where it stands.

    The last cell says on how many sets it was best or tied with the best by mAP@R, and how it stood against one rival in other studies.

    Args:
        book: of `pack`, for the costs.
        evidence, board: the tables ``evidence`` and ``leaderboard``.
        batch: a size of the table of costs.
    """
    found = []
    for name, facts in LOSSES.items():
        cost = next(
            (f"{ms:.1f} ms, {mb:.0f} MB" for size, ms, mb in book["costs"].get(name, []) if size == batch),
            f"not timed; holds {facts.holds}",
        )
        stood = [short(board, facts.board), *(compared(evidence, one) for one in AGAINST.get(name, ()))]
        found.append([name, facts.optimizes, facts.knobs, cost, "; ".join(filter(None, stood)) or "not measured"])
    return found
