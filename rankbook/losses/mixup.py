"""Similarity mixup: virtual positives between the items of a class, at the price of a product."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rankbook.checks import check_callable, check_flag, check_floating
from rankbook.described import arguments
from rankbook.relevance import Labels, check_labels


class SimilarityMixup(nn.Module):
    r"""Any batch loss on a gallery with virtual items, one between each two items of a class.

    .. math::
        \begin{aligned}
        v &= \alpha x + (1 - \alpha) z, \qquad \alpha \sim U(0, 1) \\
        s(q, v) &= \alpha\, s(q, x) + (1 - \alpha)\, s(q, z)
        \end{aligned}

    for each unordered pair *x*, *z* of one class: the similarity to a virtual item is a mixture of two that are there, so no embedding
    is computed by the encoder, and none is normalized again. A class of m items has m (m - 1) / 2 of them.

    Args:
        loss: any batch loss that takes a reference set.
        as_queries: virtual items rank too, and are ranked by each other. False: they stand in the gallery only, and not in that of
            the two that they lie between, to which they are closer than any stranger by construction.
        generator: of the mixtures, on the device of the embeddings; None: torch's global one.

    Call with ``(embeddings[b, d], labels)``: labels ``[b]`` or ``[b, levels]``, fine to coarse; a virtual item has the labels of its
    parents, so items of a class must share all levels. In evaluation mode nothing is mixed.

    Cost: that of the loss with a gallery of :math:`b + \sum_c \binom{m_c}{2}` items, for 4 items a class 2.5 times the batch; with
    ``as_queries`` as many queries. Without it also a mask of a byte for each query and item.

    Raises:
        TypeError: a loss that cannot be called.
        ValueError: what the loss refuses.

    Source: Recall@k Surrogate Loss with Large Batches and Similarity Mixup (CVPR 2022, 2108.11179). ``as_queries=True`` is its released
    code, where a virtual item meets its own parents; to leave them out is ours.

    >>> loss = rb.SimilarityMixup(rb.SmoothAPLoss(tau=0.1), generator=torch.Generator().manual_seed(0))
    >>> x = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.4], [0.0, 1.0], [0.5, 1.0], [1.0, 0.2]]), dim=1)
    >>> loss(x, torch.tensor([0, 0, 1, 1, 0]))
    tensor(0.0797)
    """

    def __init__(self, loss: Callable[..., Tensor], *, as_queries: bool = False, generator: torch.Generator | None = None):
        super().__init__()
        self.loss = check_callable("loss", loss)
        self.as_queries = check_flag("as_queries", as_queries)
        self.generator = generator

    def forward(self, embeddings: Tensor, labels: Labels) -> Tensor:
        embeddings = check_floating("embeddings", embeddings)
        levels = check_labels(labels)[0]
        elsewhere = levels.device.type != "cpu" and levels.device != embeddings.device
        if not self.training or elsewhere or embeddings.dim() != 2 or len(levels) != len(embeddings):
            return self.loss(embeddings, labels)  # which says what is wrong, if anything is
        x, z = (index.to(embeddings.device) for index in _pairs(levels[:, 0]))
        if not len(x):
            return self.loss(embeddings, labels)
        share = torch.rand(len(x), 1, generator=self.generator, dtype=embeddings.dtype, device=embeddings.device)
        virtual = torch.lerp(embeddings[z], embeddings[x], share)
        gallery, everyone = torch.cat([embeddings, virtual]), torch.cat([levels, levels[x.to(levels.device)]])
        if self.as_queries:
            return self.loss(gallery, everyone)
        where = torch.ones(len(embeddings), len(gallery), dtype=torch.bool, device=embeddings.device)
        column = torch.arange(len(embeddings), len(gallery), device=embeddings.device)
        where[x, column] = where[z, column] = False
        places = torch.arange(len(embeddings), device=embeddings.device)
        return self.loss(embeddings, levels, gallery, everyone, self_index=places, where=where)

    extra_repr = arguments


def _pairs(classes: Tensor) -> tuple[Tensor, Tensor]:
    """Each unordered pair of items of one class."""
    same = classes[:, None] == classes[None, :]
    return same.triu(1).nonzero(as_tuple=True)
