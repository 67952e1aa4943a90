"""Ranking metrics as formulas of ranks. The ranker is an argument: exact to measure, differentiable to train.

Every metric takes ``(scores, relevance, *, rank_fn=..., where=None, item_weights=None, query_weights=None, reduction="mean")``: the
last axis is the list, leading axes are a batch of lists, ``where`` marks the items that are present, and 1 is perfect (`dcg` alone
has another best value). A list without a positive has no value: it is not in the mean, and reads 0 under ``reduction="none"``.

Weights: ``item_weights[..., n]`` >= 0 say what a positive counts for. A mean over the positives (AP, recall) becomes the weighted
mean, a gain (NDCG) is multiplied, the best find (hit, RR) is measured by the largest weight. Ranks count items, not weights, so
this goes with every ranker; an item of weight 0 still takes its place. Only ratios within a list matter, but to `dcg`.
``query_weights[...]`` >= 0 make the mean over the lists a weighted mean (see `reduce_lists`). Both are constants to the gradient.

Ties: by default a metric is worth its *worst order* of the tied items, the less relevant first (``exact_ranks(ties="worst")``).
Three measure as their well-known oracles do: `average_precision` and `hierarchical_ap` with ``ties="max"`` (scikit-learn),
`spearman` with ``ties="average"`` (scipy).

Range: whatever ranks the ranker says, the value lies in [0, 1] (a correlation in [-1, 1], DCG within its ideal). Soft and learned
ranks may leave [1, n], and their shares 1, by their error; the value is cut off there, the gradient is not.

Errors name the argument: scores or relevance that are not finite, negative relevance, shapes or devices that differ, a knob that
is no number, a ranker that returns anything but one finite rank for each score.
"""

from rankbook.metrics.correlation import kendall, spearman
from rankbook.metrics.cutoff import capped_recall, hit_at_k, precision_at_k, r_precision, recall_at_k, within_top_k
from rankbook.metrics.gains import dcg, ndcg
from rankbook.metrics.hierarchy import hierarchical_ap
from rankbook.metrics.intersection import asi
from rankbook.metrics.precision import average_precision, map_at_r, reciprocal_rank
from rankbook.metrics.reduction import reduce_lists

__all__ = [
    "asi",
    "average_precision",
    "capped_recall",
    "dcg",
    "hierarchical_ap",
    "hit_at_k",
    "kendall",
    "map_at_r",
    "ndcg",
    "precision_at_k",
    "r_precision",
    "recall_at_k",
    "reciprocal_rank",
    "reduce_lists",
    "spearman",
    "within_top_k",
]
