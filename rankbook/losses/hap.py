"""H-AP to train: average precision for labels ``[b, levels]``, in which a near miss counts for what it shares."""

from __future__ import annotations

from torch import Tensor

from rankbook.losses.batch_loss import BatchRankLoss
from rankbook.metrics import hierarchical_ap
from rankbook.ranks.suprank import SupStep
from rankbook.relevance import hierarchical_relevance
from rankbook.types import RankFn, Reduction


class SupHAPLoss(BatchRankLoss):
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

    graded = True

    def __init__(self, tau: float = 0.01, rho: float = 100.0, delta: float = 0.05, *, include_query: bool = False):
        super().__init__(level_ap, SupStep(tau, rho, delta), include_query=include_query)
        self.tau, self.rho, self.delta = tau, rho, delta


def level_ap(scores: Tensor, levels: Tensor, *, rank_fn: RankFn, where: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    """H-AP of shared levels, weighed as `hierarchical_relevance` does."""
    relevance = hierarchical_relevance(levels, where=where, dtype=scores.dtype)
    return hierarchical_ap(scores, relevance, rank_fn=rank_fn, where=where, reduction=reduction)
