"""A learned vector for each class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_count, check_positive, reads_values
from rankbook.precision import full_precision, once_differentiable, transformed
from rankbook.relevance import Labels
from rankbook.retrieval.batch import check_batch


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
        classes, dimensions = check_count("classes", classes), check_count("dimensions", dimensions)
        self.temperature = check_positive("temperature", temperature)
        self.proxies = nn.Parameter(nn.functional.normalize(torch.randn(classes, dimensions, generator=generator), dim=1))

    @full_precision
    def forward(self, embeddings: Tensor, labels: Labels) -> Tensor:
        batch = check_batch(embeddings, labels).finest()
        target = batch.labels[:, 0]
        if reads_values(target):
            lowest, highest = torch.stack(target.aminmax()).tolist()
            if lowest < 0 or highest >= len(self.proxies):
                raise ValueError(f"labels must be in 0..{len(self.proxies) - 1}, got {lowest}..{highest}; raise classes")
        if batch.queries.shape[1] != self.proxies.shape[1]:
            raise ValueError(f"embeddings must have {self.proxies.shape[1]} dimensions, got {batch.queries.shape[1]}")
        proxies = nn.functional.normalize(self.proxies, dim=1).to(batch.queries.dtype)
        plain = torch.compiler.is_compiling() or transformed()
        products = batch.queries @ proxies.T if plain else _Products.apply(batch.queries, proxies)
        return nn.functional.cross_entropy(products / self.temperature, target)

    def extra_repr(self) -> str:
        return f"classes={len(self.proxies)}, dimensions={self.proxies.shape[1]}, temperature={self.temperature}"


class _Products(torch.autograd.Function):
    """queries @ proxies.T, and in full precision backward too: autocast would round the products there."""

    @staticmethod
    @full_precision
    def forward(ctx, queries: Tensor, proxies: Tensor) -> Tensor:
        ctx.save_for_backward(queries, proxies)
        return queries @ proxies.T

    @staticmethod
    @once_differentiable
    @full_precision
    def backward(ctx, grad: Tensor):
        queries, proxies = ctx.saved_tensors
        return grad @ proxies, grad.T @ queries
