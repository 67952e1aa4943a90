"""A learned vector for each class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_choice, check_count, check_positive, reads_values
from rankbook.described import arguments
from rankbook.precision import full_precision, products
from rankbook.relevance import Labels
from rankbook.retrieval.batch import check_batch
from rankbook.retrieval.gradients import Reduction
from rankbook.retrieval.positives import or_one


class ClusterLoss(nn.Module):
    r"""A learned unit vector for each class, and a softmax that pulls the embeddings to their own: the normalized softmax.

    .. math:: \mathcal{L} = -\frac{1}{B} \sum_i \log \frac{\exp(x_i^\top p_{y_i} / T)}{\sum_c \exp(x_i^\top p_c / T)},
        \qquad \lVert p_c \rVert = 1

    Args:
        classes: number of classes; labels must be below it.
        dimensions: of the embeddings.
        temperature: :math:`T` in units of the similarity; smaller looks at the nearest wrong class only.
        generator: for the random start of the class vectors; None uses torch's own.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for losses [b].

    Call with ``(embeddings[b, d], labels[b], query_weights=None)``; what else batch losses take (a reference set, ``where``,
    ``relevance``, ...) tells of a gallery, and is refused. It has parameters: give them to the optimizer, often with a larger step.

    Cost: :math:`O(B\,C)` for C classes.

    Source: SupRank's decomposability loss (TPAMI), temperature from its code.

    >>> loss = rb.ClusterLoss(classes=3, dimensions=2)
    >>> loss(torch.tensor([[1.0, 0.0]]), torch.tensor([2])).shape
    torch.Size([])
    """

    def __init__(
        self,
        classes: int,
        dimensions: int,
        temperature: float = 0.05,
        *,
        generator: torch.Generator | None = None,
        reduction: Reduction = "mean",
    ):
        super().__init__()
        self.reduction = check_choice("reduction", reduction, ("mean", "sum", "none"))
        self.classes, self.dimensions = check_count("classes", classes), check_count("dimensions", dimensions)
        self.temperature = check_positive("temperature", temperature)
        self.proxies = nn.Parameter(nn.functional.normalize(torch.randn(self.classes, self.dimensions, generator=generator), dim=1))

    @full_precision
    def forward(
        self,
        embeddings: Tensor,
        labels: Labels | None = None,
        ref_embeddings: Tensor | None = None,
        ref_labels: Labels | None = None,
        *,
        self_index: Tensor | None = None,
        where: Tensor | None = None,
        relevance: Tensor | None = None,
        query_weights: Tensor | None = None,
        item_weights: Tensor | None = None,
    ) -> Tensor:
        _refuse(
            ref_embeddings=ref_embeddings,
            ref_labels=ref_labels,
            self_index=self_index,
            where=where,
            relevance=relevance,
            item_weights=item_weights,
        )
        batch = check_batch(embeddings, labels, query_weights=query_weights).finest()
        target = batch.labels[:, 0]
        if reads_values(target):
            lowest, highest = torch.stack(target.aminmax()).tolist()
            if lowest < 0 or highest >= self.classes:
                raise ValueError(f"labels must be in 0..{self.classes - 1}, got {lowest}..{highest}; raise classes")
        if batch.queries.shape[1] != self.dimensions:
            raise ValueError(f"embeddings must have {self.dimensions} dimensions, got {batch.queries.shape[1]}")
        proxies = nn.functional.normalize(self.proxies, dim=1).to(batch.queries.dtype)
        similarities = products(batch.queries, proxies)
        target = target.to(similarities.device, non_blocking=True)
        if batch.query_weights is None:
            return nn.functional.cross_entropy(similarities / self.temperature, target, reduction=self.reduction)
        losses = nn.functional.cross_entropy(similarities / self.temperature, target, reduction="none")
        if self.reduction == "none":
            return losses
        weights = batch.query_weights.to(losses.dtype)
        total = (weights * losses).sum()
        return total / or_one(weights.sum()) if self.reduction == "mean" else total

    extra_repr = arguments


def _refuse(**arguments: Tensor | Labels | None) -> None:
    """Classes have vectors, not a gallery."""
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise TypeError(
            f"{given[0]} means nothing to ClusterLoss, which has no gallery: each embedding is compared with one vector a class. "
            "For galleries, several positives or grades take rb.SupConLoss or a rank loss"
        )
