"""NDCG to train, with sigmoid ranks and with their upper bounds, for labels ``[b, levels]``, from the class to the coarsest group.

Items are relevant if they share the coarsest level. With labels of one level it is NDCG for binary relevance.
"""

from __future__ import annotations

from rankbook.losses.batch_loss import BatchRankLoss
from rankbook.metrics import ndcg
from rankbook.ranks.smooth import SigmoidStep
from rankbook.ranks.suprank import SupStep
from rankbook.retrieval.gradients import Reduction


class SmoothNDCGLoss(BatchRankLoss):
    r"""1 - NDCG with sigmoid ranks; the relevance of an item is the number of levels that it shares with the query.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{\sum_i (2^{l_i} - 1) / \log_2(1 + \tilde r_i)}{\mathrm{ideal}_q}

    Equal to ``as_loss(ndcg, partial(sigmoid_ranks, tau=tau))`` on the score matrix and ``shared_levels(labels)``.

    Args:
        tau: temperature in units of the similarity (see `sigmoid_ranks`).
        include_query: leave each query in its own gallery.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost: as `SmoothAPLoss`, with :math:`R` the items that share any level.

    Source: the template of SupRank (TPAMI) with the sigmoid in the place of its bound.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SmoothNDCGLoss(tau=0.1)(embeddings, torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0]]))
    tensor(0.0059)
    """

    graded = True

    def __init__(self, tau: float = 0.01, *, include_query: bool = False, reduction: Reduction = "mean"):
        super().__init__(ndcg, SigmoidStep(tau), include_query=include_query, reduction=reduction)
        self.tau = tau


class SupNDCGLoss(BatchRankLoss):
    r"""SupNDCG: an upper bound of 1 - NDCG, by SupRank.

    Less relevant items count by :math:`H^-`, items at least as relevant by the exact step (see `sup_ranks`). Equal to
    ``as_loss(ndcg, partial(sup_ranks, ...))`` on the score matrix and ``shared_levels(labels)``.

    Args:
        tau, rho, delta: as `SupAPLoss`.
        include_query: leave each query in its own gallery.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost: as `SmoothNDCGLoss`. Source: SupRank (TPAMI), defaults from its code.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SupNDCGLoss()(embeddings, torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0]]))
    tensor(0.)
    """

    graded = True

    def __init__(
        self, tau: float = 0.01, rho: float = 100.0, delta: float = 0.05, *, include_query: bool = False, reduction: Reduction = "mean"
    ):
        super().__init__(ndcg, SupStep(tau, rho, delta), include_query=include_query, reduction=reduction)
        self.tau, self.rho, self.delta = tau, rho, delta
