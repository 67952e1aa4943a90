"""Calibration: what makes the scores of batches comparable."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.losses.batch_loss import BatchLoss
from rankbook.precision import full_precision, once_differentiable
from rankbook.retrieval.batch import Batch, queries_by_positives


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
        super().__init__()
        self.pos_margin, self.neg_margin = float(pos_margin), float(neg_margin)
        self.violations_only, self.include_query = violations_only, include_query

    def of_batch(self, batch: Batch) -> Tensor:
        groups = list(queries_by_positives(batch, include_query=self.include_query, limit=len(batch.queries)))
        without_query = batch.own_gallery and not self.include_query
        return _Calibration.apply(batch.scores(), groups, without_query, self.pos_margin, self.neg_margin, self.violations_only)


class _Calibration(torch.autograd.Function):
    """Both hinges in one pass over the scores: every pair as a negative, then the positives, which are few, put right."""

    @staticmethod
    @full_precision
    def forward(
        ctx, scores: Tensor, groups: list, without_query: bool, pos_margin: float, neg_margin: float, violations_only: bool
    ) -> Tensor:
        excess = scores - neg_margin
        if without_query:
            excess.fill_diagonal_(-1)
        positives = [pos_margin - scores[rows[:, None], places] for rows, places, _ in groups]
        for rows, places, _ in groups:
            excess[rows[:, None], places] = -1
        pairs = excess.numel() - (len(excess) if without_query else 0)
        pull, push = sum((p.relu().sum() for p in positives), scores.new_zeros(())), excess.relu_().sum()
        if violations_only:
            count_pull, count_push = sum(int((p > 0).sum()) for p in positives), int((excess > 0).sum())
        else:
            count_pull = sum(p.numel() for p in positives)
            count_push = pairs - count_pull
        count_pull, count_push = max(count_pull, 1), max(count_push, 1)
        grad = excess.sign_().div_(count_push)
        for (rows, places, _), p in zip(groups, positives, strict=True):
            grad[rows[:, None], places] = (p > 0).to(grad.dtype) / -count_pull
        ctx.save_for_backward(grad)
        return pull / count_pull + push / count_push

    @staticmethod
    @once_differentiable
    @full_precision
    def backward(ctx, grad_loss: Tensor):
        (grad,) = ctx.saved_tensors
        return grad * grad_loss, None, None, None, None, None
