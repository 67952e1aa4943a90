"""Batch losses for graded relevance: labels ``[b, levels]``, fine to coarse, from the class to the coarsest group.

Called as the losses of `rankbook.losses.retrieval`. Items are relevant if they share the coarsest level. With labels of one level,
`SmoothNDCGLoss` and `SupNDCGLoss` are NDCG for binary relevance, and `SupHAPLoss` is `SupAPLoss`.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from rankbook.checks import check_positive
from rankbook.losses.fused import MetricHead
from rankbook.losses.retrieval import BatchRankLoss, sup_step
from rankbook.losses.steps import SigmoidStep
from rankbook.metrics import hierarchical_ap, ndcg
from rankbook.ranks import sigmoid_ranks, sup_ranks
from rankbook.relevance import hierarchical_relevance
from rankbook.types import RankFn, Reduction


class SmoothNDCGLoss(BatchRankLoss):
    r"""1 - NDCG with sigmoid ranks; the relevance of an item is the number of levels that it shares with the query.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{\sum_i (2^{l_i} - 1) / \log_2(1 + \tilde r_i)}{\mathrm{ideal}_q}

    Equal to ``as_loss(ndcg, partial(sigmoid_ranks, tau=tau))`` on the score matrix and ``shared_levels(labels)``.

    Args:
        tau: temperature in units of the similarity (see `sigmoid_ranks`).
        include_query: leave each query in its own gallery.

    Cost: as `SmoothAPLoss`, with :math:`R` the items that share any level.

    Source: the template of SupRank (TPAMI) with the sigmoid in the place of its bound.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SmoothNDCGLoss(tau=0.1)(embeddings, torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0]]))
    tensor(0.0059)
    """

    graded = True

    def __init__(self, tau: float = 0.01, *, include_query: bool = False):
        step = SigmoidStep(check_positive("tau", tau))
        super().__init__(step, MetricHead(ndcg, partial(sigmoid_ranks, tau=tau)), include_query=include_query)
        self.tau = tau

    def extra_repr(self) -> str:
        return f"tau={self.tau}, include_query={self.include_query}"


class SupNDCGLoss(BatchRankLoss):
    r"""SupNDCG: an upper bound of 1 - NDCG, by SupRank.

    Less relevant items count by :math:`H^-`, items at least as relevant by the exact step (see `sup_ranks`). Equal to
    ``as_loss(ndcg, partial(sup_ranks, ...))`` on the score matrix and ``shared_levels(labels)``.

    Args:
        tau, rho, delta: as `SupAPLoss`.
        include_query: leave each query in its own gallery.

    Cost: as `SmoothNDCGLoss`. Source: SupRank (TPAMI), defaults from its code.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SupNDCGLoss()(embeddings, torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0]]))
    tensor(0.)
    """

    graded = True
    metric = staticmethod(ndcg)

    def __init__(self, tau: float = 0.01, rho: float = 100.0, delta: float = 0.05, *, include_query: bool = False):
        head = MetricHead(self.metric, partial(sup_ranks, tau=tau, rho=rho, delta=delta))
        super().__init__(sup_step(tau, rho, delta), head, include_query=include_query)
        self.tau, self.rho, self.delta = tau, rho, delta

    def extra_repr(self) -> str:
        return f"tau={self.tau}, rho={self.rho}, delta={self.delta}, include_query={self.include_query}"


def level_ap(scores: Tensor, levels: Tensor, *, rank_fn: RankFn, where: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    """H-AP of shared levels, weighed as `hierarchical_relevance` does."""
    relevance = hierarchical_relevance(levels, where=where, dtype=scores.dtype)
    return hierarchical_ap(scores, relevance, rank_fn=rank_fn, where=where, reduction=reduction)


class SupHAPLoss(SupNDCGLoss):
    r"""SupH-AP: an upper bound of 1 - H-AP, by SupRank.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{1}{\sum_k \mathrm{rel}(k)} \sum_{k \in P_q}
        \frac{\mathcal{H}\text{-rank}(k)}{\mathrm{rank}_\text{sup}(k)}

    The numerator is exact, without a gradient, as in every shipped configuration of the papers' code. Equal to
    ``as_loss(hierarchical_ap, partial(sup_ranks, ...))`` on the score matrix and ``hierarchical_relevance(shared_levels(labels))``.

    Args:
        tau, rho, delta: as `SupAPLoss`.
        include_query: leave each query in its own gallery.

    Cost: as `SmoothNDCGLoss`. Source: HAPPIER (ECCV 2022) and SupRank (TPAMI), from their code.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SupHAPLoss()(embeddings, torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0]]))
    tensor(0.)
    """

    metric = staticmethod(level_ap)
