"""Calibration: what makes the scores of batches comparable."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_flag, check_number
from rankbook.losses.batch_loss import BatchLoss
from rankbook.retrieval.batch import Batch
from rankbook.retrieval.blocks import Gradients, with_gradients
from rankbook.retrieval.positives import Positives


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

    Cost: :math:`O(B M)` time and memory.

    Source: ROADMAP (NeurIPS 2021, eq. 7), margins from its code. The averages over all pairs are the natural reading of the
    formula; the code takes the reducer of pytorch-metric-learning, which averages over violations.

    >>> embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> rb.CalibrationLoss()(embeddings, torch.tensor([0, 1, 0, 2]))
    tensor(1.0600)
    """

    def __init__(self, pos_margin: float = 0.9, neg_margin: float = 0.6, *, violations_only: bool = False, include_query: bool = False):
        super().__init__(include_query=include_query)
        self.pos_margin, self.neg_margin = check_number("pos_margin", pos_margin), check_number("neg_margin", neg_margin)
        self.violations_only = check_flag("violations_only", violations_only)

    def of_batch(self, batch: Batch) -> Tensor:
        return with_gradients(batch, self._compute)

    def _compute(self, batch: Batch, wanted: bool) -> Gradients:
        """Both hinges in one pass over the scores: every pair as a negative, then the positives, which are few, put right."""
        scores = batch.scores(torch.arange(len(batch.queries), device=batch.queries.device))
        groups = list(Positives(batch, self.query).groups(lambda size: len(scores)))
        excess, pairs = scores - self.neg_margin, scores.numel()
        if batch.self_index is not None and self.query == "absent":
            excess.scatter_(1, batch.self_index[:, None], -1)
            pairs -= len(scores)
        lacking = [self.pos_margin - scores[rows[:, None], places] for rows, places, *_ in groups]
        for rows, places, *_ in groups:
            excess[rows[:, None], places] = -1
        pull, push = sum((lack.relu().sum() for lack in lacking), scores.new_zeros(())), excess.relu_().sum()
        if self.violations_only:
            count_pull, count_push = sum((lack > 0).sum() for lack in lacking), (excess > 0).sum()
        else:
            count_pull = sum(lack.numel() for lack in lacking)
            count_push = pairs - count_pull
        count_pull, count_push = (torch.as_tensor(count, device=scores.device).clamp(min=1) for count in (count_pull, count_push))
        loss = pull / count_pull + push / count_push
        if not wanted:
            return loss, None, None
        grad = excess.sign_().div_(count_push)
        for (rows, places, *_), lack in zip(groups, lacking, strict=True):
            grad[rows[:, None], places] = (lack > 0).to(grad.dtype) / -count_pull
        to_queries, to_gallery = grad @ batch.gallery, grad.T @ batch.queries
        return (loss, to_queries.add_(to_gallery), None) if batch.own_gallery else (loss, to_queries, to_gallery)
