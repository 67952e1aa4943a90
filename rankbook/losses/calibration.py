"""Calibration: what makes the scores of batches comparable."""

from __future__ import annotations

import torch

from rankbook.checks import check_flag, check_number
from rankbook.losses.batch_loss import BatchLoss
from rankbook.retrieval.gradients import Losses, Reduction, Scale
from rankbook.retrieval.positives import Positives, or_one


class CalibrationLoss(BatchLoss):
    r"""Positives above one threshold, negatives below another, in all batches the same: then rankings of batches can be merged.

    .. math:: \mathcal{L} = \frac{1}{|P|} \sum_{j \in P} [\alpha - s_j]_+ + \frac{1}{|N|} \sum_{j \in N} [s_j - \beta]_+

    over all positive and all negative pairs of the batch. The contrastive loss on similarities is the same formula.

    Args:
        pos_margin: :math:`\alpha`; positives with a similarity below it are pulled.
        neg_margin: :math:`\beta`; negatives with a similarity above it are pushed.
        violations_only: divide by the number of pairs that violate their margin, as the papers' code does: a few hard pairs
            then weigh as much as many.
        include_query: count each query as its own positive.
        reduction: as every batch loss (``rankbook.losses.batch_loss``). The losses that ``"none"`` gives are what the pairs of each
            query add, times the number of queries that have a positive, so that their mean is the loss; queries without one push.

    With ``query_weights`` the averages over pairs are weighted by the queries, with ``item_weights`` that over positive pairs by them.

    Cost: :math:`O(B M)` time and memory.

    Source: ROADMAP (NeurIPS 2021, eq. 7), margins from its code. The averages over all pairs are the natural reading of the
    formula; the code takes the reducer of pytorch-metric-learning, which averages over violations.

    >>> embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> rb.CalibrationLoss()(embeddings, torch.tensor([0, 1, 0, 2]))
    tensor(1.0600)
    """

    def __init__(
        self,
        pos_margin: float = 0.9,
        neg_margin: float = 0.6,
        *,
        violations_only: bool = False,
        include_query: bool = False,
        reduction: Reduction = "mean",
    ):
        super().__init__(include_query=include_query, reduction=reduction)
        self.pos_margin, self.neg_margin = check_number("pos_margin", pos_margin), check_number("neg_margin", neg_margin)
        self.violations_only = check_flag("violations_only", violations_only)

    def compute(self, positives: Positives, scale: Scale, wanted: bool) -> Losses:
        """Both hinges in one pass over the scores: every pair as a negative, then the positives, which are few, put right."""
        batch, total = positives.batch, positives.weight
        everyone = positives.everyone()
        scores = batch.scores(everyone.rows)
        excess = everyone.leave_out(scores - self.neg_margin, -1)
        pull, pairs, found = (scores.new_zeros(len(scores)) for _ in range(3))
        pulled = []
        for rows, places, *_, weights in positives.whatever_they_weigh().groups(lambda size: len(scores)):
            lack = self.pos_margin - scores[rows[:, None], places]
            excess[rows[:, None], places] = -1
            pulls = (lack > 0).to(lack.dtype)
            weights = torch.ones_like(lack) if batch.item_weights is None else batch.item_weights[places].to(lack.dtype)
            pull.index_copy_(0, rows, (weights * lack.relu_()).sum(1))
            pairs.index_copy_(0, rows, (weights * pulls if self.violations_only else weights).sum(1))
            found.index_fill_(0, rows, places.shape[1])
            pulled.append((rows, places, weights * pulls))
        push = excess.relu_().sum(1)
        others = (
            (excess > 0).to(excess.dtype).sum(1) if self.violations_only else (everyone.gallery_sizes(scores) - found[:, None]).squeeze(1)
        )
        by_query = 1.0 if batch.query_weights is None else batch.query_weights.to(scores.dtype)
        of_pull, of_push = (total / or_one(positives.sum_of_queries(by_query * pairs)) for pairs in (pairs, others))
        losses = pull * of_pull + push * of_push
        if not wanted:
            return losses, None, None
        grad = excess.sign_().mul_(of_push)
        for rows, places, pulls in pulled:
            grad[rows[:, None], places] = pulls * -of_pull
        grad *= scale if isinstance(scale, float) else scale[:, None]
        to_queries, to_gallery = grad @ batch.gallery, grad.T @ batch.queries
        return (losses, to_queries.add_(to_gallery), None) if batch.own_gallery else (losses, to_queries, to_gallery)
