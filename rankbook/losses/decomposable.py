"""Losses that make batches agree with the whole: calibration of the scores, class clusters, and ROADMAP, which adds one to SupAP.

Called as the losses of `rankbook.losses.retrieval`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankbook.checks import check_positive
from rankbook.losses.batch import check_batch, queries_by_positives
from rankbook.losses.retrieval import SupAPLoss


class CalibrationLoss(nn.Module):
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

    def __init__(
        self, pos_margin: float = 0.9, neg_margin: float = 0.6, *, violations_only: bool = False, include_query: bool = False
    ):
        super().__init__()
        self.pos_margin, self.neg_margin = float(pos_margin), float(neg_margin)
        self.violations_only, self.include_query = violations_only, include_query

    def forward(
        self, embeddings: Tensor, labels: Tensor, ref_embeddings: Tensor | None = None, ref_labels: Tensor | None = None
    ) -> Tensor:
        batch = check_batch(embeddings, labels, ref_embeddings, ref_labels).finest()
        groups = list(queries_by_positives(batch, include_query=self.include_query, limit=len(batch.queries)))
        without_query = batch.own_gallery and not self.include_query
        return _Calibration.apply(batch.scores(), groups, without_query, self.pos_margin, self.neg_margin, self.violations_only)

    def extra_repr(self) -> str:
        return f"pos_margin={self.pos_margin}, neg_margin={self.neg_margin}, violations_only={self.violations_only}"


class _Calibration(torch.autograd.Function):
    """Both hinges in one pass over the scores: every pair as a negative, then the positives, which are few, put right."""

    @staticmethod
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
    def backward(ctx, grad_loss: Tensor):
        (grad,) = ctx.saved_tensors
        return grad * grad_loss, None, None, None, None, None


class ClusterLoss(nn.Module):
    r"""A learned unit vector for each class, and a softmax that pulls the embeddings to their own: the normalized softmax.

    .. math:: \mathcal{L} = -\frac{1}{B} \sum_i \log \frac{\exp(x_i^\top p_{y_i} / T)}{\sum_c \exp(x_i^\top p_c / T)},
        \qquad \lVert p_c \rVert = 1

    Args:
        classes: number of classes; labels must be below it.
        dimensions: of the embeddings.
        temperature: :math:`T` in units of the similarity; smaller looks at the nearest wrong class only.
        generator: for the random start of the class vectors; None uses torch's own.

    Call with ``(embeddings[b, d], labels[b])``. It has parameters: give them to the optimizer, often with a larger step.

    Cost: :math:`O(B\,C)` for C classes.

    Source: SupRank's decomposability loss (TPAMI), temperature from its code.

    >>> loss = rb.ClusterLoss(classes=3, dimensions=2)
    >>> loss(torch.tensor([[1.0, 0.0]]), torch.tensor([2])).shape
    torch.Size([])
    """

    def __init__(self, classes: int, dimensions: int, temperature: float = 0.05, *, generator: torch.Generator | None = None):
        super().__init__()
        self.temperature = check_positive("temperature", temperature)
        self.proxies = nn.Parameter(nn.functional.normalize(torch.randn(classes, dimensions, generator=generator), dim=1))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        batch = check_batch(embeddings, labels).finest()
        target = batch.labels[:, 0]
        if int(target.min()) < 0 or int(target.max()) >= len(self.proxies):
            raise ValueError(f"labels must be in 0..{len(self.proxies) - 1}, got {int(target.min())}..{int(target.max())}; raise classes")
        if batch.queries.shape[1] != self.proxies.shape[1]:
            raise ValueError(f"embeddings must have {self.proxies.shape[1]} dimensions, got {batch.queries.shape[1]}")
        proxies = nn.functional.normalize(self.proxies, dim=1).to(batch.queries.dtype)
        return nn.functional.cross_entropy(batch.queries @ proxies.T / self.temperature, target)

    def extra_repr(self) -> str:
        return f"classes={len(self.proxies)}, dimensions={self.proxies.shape[1]}, temperature={self.temperature}"


class ROADMAPLoss(nn.Module):
    r"""ROADMAP: an upper bound of 1 - AP, and a calibration that closes the gap between batches and the whole gallery.

    .. math:: \mathcal{L} = (1 - \lambda)\, \mathcal{L}_\text{SupAP} + \lambda\, \mathcal{L}_\text{calibration}

    Args:
        calibration_weight: :math:`\lambda` between 0 and 1.
        tau, rho, delta: as `SupAPLoss`.
        pos_margin, neg_margin, violations_only: as `CalibrationLoss`.
        include_query: leave each query in its own gallery.

    Cost: as `SupAPLoss`, and :math:`O(B M)` memory for the calibration.

    Source: ROADMAP (NeurIPS 2021). Its code weighs both by 1 (:math:`\lambda` = 1/2 up to a factor of 2), the later SupRank
    code by .9 and .1. The :math:`\lambda` of the paper was not found.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.ROADMAPLoss()(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.)
    """

    def __init__(
        self,
        calibration_weight: float = 0.5,
        *,
        tau: float = 0.01,
        rho: float = 100.0,
        delta: float = 0.05,
        pos_margin: float = 0.9,
        neg_margin: float = 0.6,
        violations_only: bool = False,
        include_query: bool = False,
    ):
        super().__init__()
        if not 0 <= calibration_weight <= 1:
            raise ValueError(f"calibration_weight must be between 0 and 1, got {calibration_weight!r}")
        self.calibration_weight = float(calibration_weight)
        self.rank_loss = SupAPLoss(tau, rho, delta, include_query=include_query)
        self.calibration = CalibrationLoss(pos_margin, neg_margin, violations_only=violations_only, include_query=include_query)

    def forward(
        self, embeddings: Tensor, labels: Tensor, ref_embeddings: Tensor | None = None, ref_labels: Tensor | None = None
    ) -> Tensor:
        batch = (embeddings, labels, ref_embeddings, ref_labels)
        return (1 - self.calibration_weight) * self.rank_loss(*batch) + self.calibration_weight * self.calibration(*batch)

    def extra_repr(self) -> str:
        return f"calibration_weight={self.calibration_weight}"
