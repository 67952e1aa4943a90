"""Recall@k to train: with sigmoid ranks, and with their upper bounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rankbook.checks import check_counts, check_positive
from rankbook.losses.batch_loss import BatchRankLoss
from rankbook.losses.recall_head import RecallHead
from rankbook.metrics import capped_recall
from rankbook.ranks.exact import exact_ranks
from rankbook.ranks.smooth import SigmoidStep
from rankbook.ranks.suprank import SupStep
from rankbook.retrieval.counts import MetricHead
from rankbook.retrieval.gradients import Reduction


class RecallAtKLoss(BatchRankLoss):
    r"""RS@k, the Recall@k surrogate: 1 - mean recall at several k, with two sigmoids in the place of the two steps.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|\,|K|} \sum_{q} \sum_{k \in K}
        \frac{\min\big(k, \sum_{i \in P_q} \sigma((k - \tilde r_i) / \tau_\text{rank})\big)}{\min(k, |P_q|)},
        \qquad \tilde r_i = 1 + \sum_{j \ne i} \sigma\big((s_j - s_i) / \tau_\text{score}\big)

    Equal to ``as_loss(capped_recall, partial(sigmoid_ranks, tau=tau_score), k=k, tau_rank=tau_rank)`` on the score matrix.
    At ``tau_rank`` 1 the loss of a perfect ranking is not 0, since the sigmoid is 1/2 at rank k.

    Args:
        k: lengths of the short list, counted without the query.
        tau_rank: softness of the cut at k, in ranks.
        tau_score: temperature of the ranks, in units of the similarity.
        include_query: leave each query in its own gallery, as the paper's code does: it is no positive and stands in the way of
            all of them, so that the loss has a floor.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost: as `SmoothAPLoss`.

    Raises:
        ValueError: a ``k`` that is no sequence of whole numbers, ``tau_rank`` or ``tau_score`` not above 0; the rest as `SmoothAPLoss`.

    Source: Recall@k Surrogate Loss with Large Batches and Similarity Mixup (CVPR 2022, 2108.11179), defaults from its code;
    ``include_query=True`` is its value.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.RecallAtKLoss(k=(1, 2), tau_rank=0.1)(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.2500)
    """

    included_as = "distractor"

    def __init__(
        self,
        k: Sequence[int] = (1, 2, 4, 8, 16),
        tau_rank: float = 1.0,
        tau_score: float = 0.01,
        *,
        include_query: bool = False,
        reduction: Reduction = "mean",
    ):
        k = check_counts("k", k)
        metric = partial(capped_recall, k=k, tau_rank=check_positive("tau_rank", tau_rank))
        step = SigmoidStep(check_positive("tau_score", tau_score))
        super().__init__(metric, step, head=RecallHead(step, k, tau_rank), include_query=include_query, reduction=reduction)
        self.k, self.tau_rank, self.tau_score = k, tau_rank, tau_score


class SupRecallLoss(BatchRankLoss):
    r"""SupR@k: `RecallAtKLoss` on SupRank's upper bounds of the ranks.

    Equal to ``as_loss(capped_recall, partial(sup_ranks, ...), k=k, tau_rank=tau_rank)`` on the score matrix.

    Args:
        k, tau_rank: as `RecallAtKLoss`.
        tau, rho, delta: as `SupAPLoss`.
        include_query: leave each query in its own gallery, as a positive.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost, errors: as `SmoothAPLoss`. Source: SupRank (TPAMI), defaults from its code.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SupRecallLoss(k=(1, 2), tau_rank=0.1)(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.2500)
    """

    def __init__(
        self,
        k: Sequence[int] = (1, 2, 4, 8, 16),
        tau_rank: float = 1.0,
        tau: float = 0.01,
        rho: float = 100.0,
        delta: float = 0.05,
        *,
        include_query: bool = False,
        reduction: Reduction = "mean",
    ):
        k = check_counts("k", k)
        metric = partial(capped_recall, k=k, tau_rank=check_positive("tau_rank", tau_rank))
        # binary relevance: no positive is less relevant than another, so their ranks among themselves are exact
        super().__init__(
            metric, SupStep(tau, rho, delta), head=MetricHead(metric, exact_ranks), include_query=include_query, reduction=reduction
        )
        self.k, self.tau_rank, self.tau, self.rho, self.delta = k, tau_rank, tau, rho, delta
