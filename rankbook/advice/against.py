"""How a loss stood against one rival in the studies, set by set: what is said of a loss that is not on the leaderboard."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from rankbook.advice.board import SETS, listed, shown

#: Where the name of a set alone would mislead: (study, set) -> name.
PLACES = {
    ("many_labels", "flickr8k"): "photographs",
    ("many_labels", "voc2012"): "VOC",
    ("label_surrogates", "flickr8k"): "photographs",
    ("many_views_four", "emoji"): "emoji in four views",
    ("many_views_lost", "simulated"): "a lost view",
    ("calibrated_ranking", "simulated"): "simulated clicks",
    ("road_agents", "simulated"): "simulated scenes",
}


class Against(NamedTuple):
    """A question to the table of evidence.

    metric, loss, rival: as a sentence names them.
    lines: (study, loss, rival) as the table has them; it may have a pair the other way around.
    """

    metric: str
    loss: str
    rival: str
    lines: tuple[tuple[str, str, str], ...]


_BOTH_TREES = ("hierarchies", "hierarchical_retrieval")
_LABELS, _ROAD = ("many_labels",), ("road_agents",)


def _in(studies: tuple[str, ...], metric: str, loss: str, rival: str, as_stored: str = "") -> Against:
    """Names as stored, but the rival's, which may be known to a reader by another one."""
    return Against(metric, loss, rival, tuple((study, loss, as_stored or rival) for study in studies))


#: A public loss, what the studies asked of it: beside the reference of the study, by the metric that chose its settings.
AGAINST: dict[str, tuple[Against, ...]] = {
    "SmoothNDCGLoss": (
        _in(("hierarchies",), "H-AP", "smooth NDCG", "Smooth-AP"),
        _in(("smooth_ap",), "mAP@R", "smooth NDCG", "Smooth-AP"),
    ),
    "SupNDCGLoss": (_in(("hierarchical_retrieval",), "H-AP", "SupNDCG", "Smooth-AP"),),
    "SupHAPLoss": (_in(_BOTH_TREES, "H-AP", "SupH-AP", "Smooth-AP"),),
    "SpearmanLoss": (_in(("memorability",), "Spearman", "Spearman, sigmoid", "squared error", "MSE"),),
    "MeanRankLoss": (_in(_LABELS, "mAP", "mean rank", "cross-entropy"),),
    "HardNegativeRankLoss": (_in(("images_texts",), "mean R", "rank triplet", "InfoNCE"),),
    "RankNetLoss": (
        _in(_LABELS, "mAP", "RankNet", "cross-entropy"),
        _in(("memorability",), "Spearman", "RankNet", "squared error", "MSE"),
        _in(("calibrated_ranking",), "GAUC", "point + RankNet", "cross-entropy alone", "point"),
        _in(_ROAD, "NDCG@5", "numbers, RankNet", "squared error", "numbers, points"),
    ),
    "LambdaLoss": (_in(_ROAD, "NDCG@5", "numbers, LambdaLoss", "squared error", "numbers, points"),),
    "SimilarityMixup": (_in(("large_batches",), "mAP@R", "RS@k + mixup, 512", "RS@k alone", "RS@k, 512"),),
    "MultiLabelRankingLoss": (_in(("label_surrogates",), "pairs right", "u3", "pa"),),
    "MultiMarginalMatchingGap": (
        _in(("many_views", "many_views_four", "many_views_lost"), "AP", "M3G", "InfoNCE of the pairs", "InfoNCE, pairs"),
    ),
    "SelfBoostedLoss": (_in(("calibrated_ranking",), "GAUC", "point + self-boosted", "cross-entropy alone", "point"),),
    "PairwiseHashLoss": (_in(("codes",), "mAP", "margin 2, 48 bits", "the signs of SupCon", "SupCon, 48 bits"),),
}

#: AP of lists of scores.
LISTS_AP = (_in(_LABELS, "mAP", "Smooth-AP", "cross-entropy"),)


def on_trees(metric: str) -> tuple[Against, ...]:
    """What a loss on the tree wins by a metric of the tree, and pays in AP on the class: alone, and as one half beside Smooth-AP."""
    halves = (("class_to_tree", "0.5", "0"), ("hierarchical_retrieval_width", "half and half, tau 0.1", "Smooth-AP"))
    return tuple(
        one
        for by in (metric, "AP")
        for one in (_in(_BOTH_TREES, by, "SupH-AP", "Smooth-AP"), Against(by, "half and half", "Smooth-AP", halves))
    )


def turned(evidence: pd.DataFrame, loss: str, rival: str) -> pd.DataFrame:
    """The lines of loss minus rival, whichever way around the table has them."""
    theirs = evidence[(evidence["loss"] == rival) & (evidence["rival"] == loss)]
    back = theirs.assign(loss=loss, rival=rival, mean=-theirs["mean"], low=-theirs["high"], high=-theirs["low"])
    return pd.concat([evidence[(evidence["loss"] == loss) & (evidence["rival"] == rival)], back])


def verdicts(evidence: pd.DataFrame, question: Against) -> dict[str, list[str]]:
    """ "ahead", "tied" (the interval holds 0) and "behind", each with the sets where the loss was.

    Raises:
        KeyError: a pair that no study has by this metric.
    """
    found: dict[str, list[str]] = {}
    for study, loss, rival in question.lines:
        lines = turned(evidence[(evidence["study"] == study) & (evidence["metric"] == question.metric)], loss, rival)
        if lines.empty:
            raise KeyError(f"no evidence for {loss} against {rival} by {question.metric} in {study}")
        for line in lines.to_dict("records"):
            verdict = "ahead" if line["low"] > 0 else "behind" if line["high"] < 0 else "tied"
            found.setdefault(verdict, []).append(PLACES.get((study, line["data"])) or SETS.get(line["data"], line["data"]))
    return {verdict: found[verdict] for verdict in ("ahead", "tied", "behind") if verdict in found}


def compared(evidence: pd.DataFrame, question: Against) -> str:
    """`verdicts` in a cell of a table, whose row names the loss.

    >>> from rankbook.advice.against import AGAINST, compared
    >>> from rankbook.experiments.tables import stored_table
    >>> compared(stored_table("evidence"), AGAINST["SupNDCGLoss"][0])
    'H-AP against Smooth-AP: ahead on groceries, behind on birds'
    """
    return f"{shown(question.metric)} against {question.rival}: {_told(evidence, question)}"


def sentence(evidence: pd.DataFrame, question: Against) -> str:
    """`verdicts` with the name of the loss.

    >>> from rankbook.advice.against import AGAINST, sentence
    >>> from rankbook.experiments.tables import stored_table
    >>> sentence(stored_table("evidence"), AGAINST["SupNDCGLoss"][0])
    'SupNDCG against Smooth-AP by H-AP: ahead on groceries, behind on birds.'
    """
    told = f"{question.loss} against {question.rival} by {shown(question.metric)}: {_told(evidence, question)}."
    return told[0].upper() + told[1:]


def _told(evidence: pd.DataFrame, question: Against) -> str:
    return ", ".join(f"{verdict} on {listed(sets)}" for verdict, sets in verdicts(evidence, question).items())
