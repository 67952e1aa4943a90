"""Batch losses for retrieval with binary relevance: same label or not.

Every loss here is a module called ``(embeddings[b, d], labels[b], ref_embeddings=None, ref_labels=None)``. Each item is a query;
its gallery is the rest of the batch, or the reference set. Normalize the embeddings first: the similarity is the dot product.
Labels come in any order, classes in any size; queries without a positive do not count, and if there is no other query the loss
is 0 with zero gradient and a warning. Labels ``[b, levels]`` are read at their finest level (column 0).

``include_query=True`` leaves each query in its own gallery, as a positive that always wins. The papers' code does so; the loss
is then lower for the same embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from rankbook.checks import check_positive
from rankbook.losses.batch import check_batch
from rankbook.losses.fused import Head, MetricHead, Step, fused_loss
from rankbook.losses.steps import SigmoidStep, SupStep
from rankbook.metrics import capped_recall
from rankbook.ranks import exact_ranks, sigmoid_ranks


class BatchRankLoss(nn.Module):
    """What the batch losses share: the step that counts negatives, and the head that stands on the ranks.

    Use it for a loss of your own: ``BatchRankLoss(SigmoidStep(tau), MetricHead(metric, ranker))`` equals
    ``as_loss(metric, ranker)`` on the batch's score matrix when step and ranker agree, without its memory.

    >>> from rankbook.losses.fused import MetricHead
    >>> from rankbook.losses.steps import SigmoidStep
    >>> loss = rb.BatchRankLoss(SigmoidStep(0.1), MetricHead(rb.reciprocal_rank, partial(rb.sigmoid_ranks, tau=0.1)))
    >>> loss(torch.eye(2)[[0, 1, 0, 1]], torch.tensor([0, 0, 1, 1]))
    tensor(0.6000)
    """

    graded = False  # True: all levels of the labels, and relevance is the number of levels shared

    def __init__(self, step: Step, head: Head, *, include_query: bool = False):
        super().__init__()
        self.step, self.head, self.include_query = step, head, include_query

    def forward(
        self, embeddings: Tensor, labels: Tensor, ref_embeddings: Tensor | None = None, ref_labels: Tensor | None = None
    ) -> Tensor:
        batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
        return fused_loss(batch if self.graded else batch.finest(), self.step, self.head, include_query=self.include_query)


class SmoothAPLoss(BatchRankLoss):
    r"""Smooth-AP: 1 - average precision with sigmoid ranks, over all queries of the batch.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{1}{|P_q|} \sum_{k \in P_q}
        \frac{1 + \sum_{j \in P_q \setminus k} \sigma_\tau(s_j - s_k)}{1 + \sum_{j \ne k} \sigma_\tau(s_j - s_k)}

    Equal to ``as_loss(average_precision, partial(sigmoid_ranks, tau=tau))`` on the batch's score matrix.

    Args:
        tau: temperature in units of the similarity; larger reaches farther (see `sigmoid_ranks`).
        include_query: see the module.

    Cost: :math:`O(B R M)` steps for :math:`R` positives a query and :math:`M` gallery items, and three matrix products;
    extra memory :math:`O(256\,M)`, never :math:`B^3`. The gradient is computed in the forward pass.

    Raises:
        ValueError: NaN or inf, shapes that do not match, one of ref_embeddings and ref_labels without the other.

    Source: Smooth-AP (ECCV 2020, 2007.12163); tau = 0.01 from its code.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SmoothAPLoss(tau=0.01)(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.)
    """

    def __init__(self, tau: float = 0.01, *, include_query: bool = False):
        step = SigmoidStep(check_positive("tau", tau))
        super().__init__(step, SmoothAPHead(step), include_query=include_query)
        self.tau = tau

    def extra_repr(self) -> str:
        return f"tau={self.tau}, include_query={self.include_query}"


class SupAPLoss(BatchRankLoss):
    r"""SupAP: an upper bound of 1 - AP whose gradient does not vanish, by SupRank.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{1}{|P_q|} \sum_{k \in P_q}
        \frac{\mathrm{rank}^+(k)}{\mathrm{rank}^+(k) + \sum_{j \in N_q} H^-(s_j - s_k)} \;\ge\; 1 - \mathrm{AP}

    The positives keep their exact ranks, so no gradient flows between them; each negative counts by :math:`H^-`, which is at
    least 1 wherever the negative is not behind, and rises with slope ``rho`` beyond ``delta`` (see `sup_ranks`).
    Equal to ``as_loss(average_precision, partial(sup_ranks, tau=tau, rho=rho, delta=delta))`` on the score matrix.

    Args:
        tau: temperature of the sigmoid, in units of the similarity.
        rho: slope for badly ranked negatives, in ranks for one unit of similarity.
        delta: lead of a negative beyond which the line takes over, in units of the similarity.
        include_query: see the module.

    Cost, errors: as `SmoothAPLoss`.

    Source: ROADMAP (NeurIPS 2021, eq. 5) and SupRank (TPAMI). Two points differ from their code: the bound holds at ties, and
    the knee is continuous.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, 0.2], [0.2, 1.0]]), dim=1)
    >>> loss = rb.SupAPLoss()(embeddings, torch.tensor([0, 0, 1, 1]))
    >>> loss > 1 - rb.average_precision(embeddings @ embeddings.T, rb.same_label(torch.tensor([0, 0, 1, 1])), where=rb.leave_query_out(4))
    tensor(True)
    """

    def __init__(self, tau: float = 0.01, rho: float = 100.0, delta: float = 0.05, *, include_query: bool = False):
        super().__init__(sup_step(tau, rho, delta), SupAPHead(), include_query=include_query)
        self.tau, self.rho, self.delta = tau, rho, delta

    def extra_repr(self) -> str:
        return f"tau={self.tau}, rho={self.rho}, delta={self.delta}, include_query={self.include_query}"


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
        include_query: see the module.

    Cost, errors: as `SmoothAPLoss`.

    Source: Recall@k Surrogate Loss with Large Batches and Similarity Mixup (CVPR 2022, 2108.11179), defaults from its code,
    which leaves the query in its gallery.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.RecallAtKLoss(k=(1, 2), tau_rank=0.1)(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.2500)
    """

    def __init__(
        self, k: Sequence[int] = (1, 2, 4, 8, 16), tau_rank: float = 1.0, tau_score: float = 0.01, *, include_query: bool = False
    ):
        metric = partial(capped_recall, k=tuple(k), tau_rank=check_positive("tau_rank", tau_rank))
        step = SigmoidStep(check_positive("tau_score", tau_score))
        super().__init__(step, MetricHead(metric, partial(sigmoid_ranks, tau=tau_score)), include_query=include_query)
        self.k, self.tau_rank, self.tau_score = tuple(k), tau_rank, tau_score

    def extra_repr(self) -> str:
        return f"k={self.k}, tau_rank={self.tau_rank}, tau_score={self.tau_score}, include_query={self.include_query}"


class SupRecallLoss(BatchRankLoss):
    r"""SupR@k: `RecallAtKLoss` on SupRank's upper bounds of the ranks.

    Equal to ``as_loss(capped_recall, partial(sup_ranks, ...), k=k, tau_rank=tau_rank)`` on the score matrix.

    Args:
        k, tau_rank: as `RecallAtKLoss`.
        tau, rho, delta: as `SupAPLoss`.
        include_query: see the module.

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
    ):
        metric = partial(capped_recall, k=tuple(k), tau_rank=check_positive("tau_rank", tau_rank))
        # binary relevance: no positive is less relevant than another, so their ranks among themselves are exact
        super().__init__(sup_step(tau, rho, delta), MetricHead(metric, exact_ranks), include_query=include_query)
        self.k, self.tau_rank, self.tau, self.rho, self.delta = tuple(k), tau_rank, tau, rho, delta

    def extra_repr(self) -> str:
        knobs = f"tau={self.tau}, rho={self.rho}, delta={self.delta}"
        return f"k={self.k}, tau_rank={self.tau_rank}, {knobs}, include_query={self.include_query}"


def sup_step(tau: float, rho: float, delta: float) -> SupStep:
    """SupRank's step with its knobs checked."""
    return SupStep(check_positive("tau", tau), check_positive("rho", rho), check_positive("delta", delta))


class SmoothAPHead:
    """1 - AP from sigmoid ranks, with its gradient: the ratio rank+ / rank, by the quotient rule."""

    def __init__(self, step: SigmoidStep):
        self.step = step

    def __call__(self, scores: Tensor, relevance: Tensor, negatives_above: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scaled = scores * self.step.scale
        leads = scaled.unsqueeze(1) - scaled.unsqueeze(2)  # [queries, k, j]
        among_positives = 0.5 + self.step.sums(leads.clone())  # the item itself is in the sum with 1/2
        slope = self.step.slopes_(leads)  # of (k, j) as of (j, k)
        rank = among_positives + negatives_above
        precision = among_positives / rank
        share = scores.new_full((), 1 / scores.shape[1]) / rank
        to_above = share * precision
        to_among = (to_above - share) * self.step.scale
        to_scores = slope.mul_(to_among.unsqueeze(1) - to_among.unsqueeze(2)).sum(2)
        return (1 - precision.mean(1)).sum(), to_scores, to_above


class SupAPHead:
    """1 - AP from exact ranks of the positives and soft counts of the negatives above them."""

    def __call__(self, scores: Tensor, relevance: Tensor, negatives_above: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        among_positives = (scores.unsqueeze(1) >= scores.unsqueeze(2)).sum(-1)
        share = 1 / scores.shape[1]
        precision = among_positives / (among_positives + negatives_above)
        to_above = share * precision / (among_positives + negatives_above)
        return len(scores) - share * precision.sum(), torch.zeros_like(scores), to_above
