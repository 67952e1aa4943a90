"""H-AP to train: average precision for labels ``[b, levels]``, in which a near miss counts for what it shares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from rankbook.checks import check_choice, check_number
from rankbook.losses.batch_loss import BatchRankLoss
from rankbook.metrics import hierarchical_ap
from rankbook.ranks.exact import exact_ranks
from rankbook.ranks.suprank import SupStep
from rankbook.relevance import check_level_weights, hierarchical_relevance, level_weights, shares_of_levels
from rankbook.retrieval.blocks import in_blocks
from rankbook.retrieval.counts import MetricHead, RankLoss
from rankbook.retrieval.gradients import Losses, Scale
from rankbook.retrieval.positives import Positives
from rankbook.types import RankFn, Reduction


class SupHAPLoss(BatchRankLoss):
    r"""SupH-AP: an upper bound of 1 - H-AP, by SupRank.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{1}{\sum_k \mathrm{rel}(k)} \sum_{k \in P_q}
        \frac{\mathcal{H}\text{-rank}(k)}{\mathrm{rank}_\text{sup}(k)}

    The numerator is exact, without a gradient. HAPPIER's paper smooths what the *more* relevant items add to it, too; every shipped
    configuration of its code turns that off (``with_hrank: False``), and what is left is this loss. Equal to
    ``as_loss(hierarchical_ap, partial(sup_ranks, ...))`` on the score matrix and ``hierarchical_relevance(shared_levels(labels))``.

    Args:
        tau, rho, delta: as `SupAPLoss`.
        order: who may stand above whom among the positives. ``"relevance"``: the more relevant, as in the formula of the metric,
            so that the loss bounds 1 - H-AP. ``"levels"``: who shares more levels, as in the papers' code. The two differ
            between classes of unequal size: an item of a large class can weigh less than one of the coarser, small rest.
        alpha: larger gives coarse matches less weight (see `hierarchical_relevance`).
        weights: in the place of ``alpha``, a number for each column of the labels, from fine to coarse: the loss is then that of
            the weighted mean of the AP at each level. None: ``alpha``.
        include_query, reduction: as every batch loss (``rankbook.losses.batch_loss``).

    With ``relevance`` in the place of labels the loss is that of `hierarchical_ap` for it, as given.

    Cost: as `SmoothNDCGLoss`. Source: HAPPIER (ECCV 2022) and SupRank (TPAMI); ``order="levels", include_query=True`` is their code.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SupHAPLoss()(embeddings, torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0]]))
    tensor(0.)
    """

    graded = True

    def __init__(
        self,
        tau: float = 0.01,
        rho: float = 100.0,
        delta: float = 0.05,
        *,
        order: Literal["relevance", "levels"] = "relevance",
        alpha: float = 1.0,
        weights: Sequence[float] | None = None,
        include_query: bool = False,
        reduction: Reduction = "mean",
    ):
        order = check_choice("order", order, ("relevance", "levels"))
        alpha = check_number("alpha", alpha)
        weights = None if weights is None else check_level_weights(weights, alpha)
        metric = partial(level_ap, order=order, alpha=alpha, weights=weights)
        super().__init__(metric, SupStep(tau, rho, delta), include_query=include_query, reduction=reduction)
        self.tau, self.rho, self.delta, self.order, self.alpha, self.weights = tau, rho, delta, order, alpha, weights

    def compute(self, positives: Positives, scale: Scale, wanted: bool) -> Losses:
        labels = positives.batch.labels
        if labels is not None:
            depth = labels.shape[1]
            if self.weights is not None and len(self.weights) != depth:
                raise ValueError(f"labels must have a column for each of the {len(self.weights)} weights of the loss, got {depth}")
            metric = partial(level_ap, order=self.order, alpha=self.alpha, weights=self.weights, depth=depth)
        elif self.weights is not None:
            raise ValueError("relevance has no levels to weigh: make the loss without weights, or give labels [b, levels] in its place")
        elif self.order == "levels":
            raise ValueError('relevance has no levels: make the loss with order="relevance", or give labels [b, levels] in its place')
        else:
            metric = hierarchical_ap
        return in_blocks(RankLoss(self.step, MetricHead(metric, self.step.ranks)), positives, scale, wanted)


def level_ap(
    scores: Tensor,
    levels: Tensor,
    *,
    order: Literal["relevance", "levels"] = "relevance",
    alpha: float = 1.0,
    weights: Sequence[float] | None = None,
    depth: int | None = None,
    rank_fn: RankFn = exact_ranks,
    where: Tensor | None = None,
    item_weights: Tensor | None = None,
    query_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """H-AP of shared levels, weighed as `hierarchical_relevance` does; ``order``, ``alpha``, ``weights`` as in `SupHAPLoss`. The number of
    levels, ``depth``, need not be looked for if it is known."""
    if depth is None:
        relevance = hierarchical_relevance(levels, alpha=alpha, weights=weights, where=where, dtype=scores.dtype)
    elif weights is not None:
        relevance = shares_of_levels(levels, weights, where, scores.dtype)
    else:
        relevance = level_weights(levels, depth, alpha, where, scores.dtype)

    def by_levels(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        ranks_of_list = relevance is not None and relevance.dtype != torch.bool  # not those among items that count as equal
        return rank_fn(scores, levels if ranks_of_list else relevance, where=where)

    ranker = by_levels if order == "levels" else rank_fn
    weights = {"item_weights": item_weights, "query_weights": query_weights}
    return hierarchical_ap(scores, relevance, rank_fn=ranker, where=where, reduction=reduction, **weights)
