"""Ranking metrics as formulas of ranks. The ranker is an argument: exact to measure, differentiable to train.

Every metric takes ``(scores, relevance, *, rank_fn=exact_ranks, where=None, reduction="mean")``: the last axis is the list,
leading axes are a batch of lists, ``where`` marks the items that are present, and 1 is perfect. A list without a positive has
no value: it is not in the mean, and reads 0 under ``reduction="none"``.
"""

from rankbook.metrics.correlation import kendall, spearman
from rankbook.metrics.cutoff import capped_recall, hit_at_k, ndcg, precision_at_k, recall_at_k, within_top_k
from rankbook.metrics.precision import average_precision, hierarchical_ap, map_at_r, reciprocal_rank
from rankbook.metrics.reduction import reduce_lists

__all__ = [
    "average_precision",
    "capped_recall",
    "hierarchical_ap",
    "hit_at_k",
    "kendall",
    "map_at_r",
    "ndcg",
    "precision_at_k",
    "recall_at_k",
    "reciprocal_rank",
    "reduce_lists",
    "spearman",
    "within_top_k",
]
