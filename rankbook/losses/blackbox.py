"""Black-box AP: exact ranks forward, finite differences backward."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from rankbook.checks import check_positive
from rankbook.losses.batch import check_batch
from rankbook.losses.composition import as_loss
from rankbook.metrics import average_precision
from rankbook.ranks import blackbox_ranks


class BlackBoxAPLoss(nn.Module):
    r"""1 - AP with `blackbox_ranks`, on scores that a margin makes harder.

    The scores of the positives are lowered and those of the negatives raised by half of the margin: without it, a right order
    has no gradient even where it is right by a hair.

    Equal to ``as_loss(average_precision, partial(blackbox_ranks, strength=strength))`` on the shifted score matrix. The value
    is the exact 1 - AP of those scores.

    Args:
        strength: :math:`\lambda` of `blackbox_ranks`; larger looks farther for an order that differs.
        margin: in units of the similarity, 0 for none.
        include_query: leave each query in its own gallery, as a positive.

    Called as the losses of `rankbook.losses.retrieval`. Cost: :math:`O(B M \log M)` time, :math:`O(B M)` memory.

    Source: RaMBO (1912.03500), values from ROADMAP's baseline. Its code draws half-normal noise for the margin at every call;
    here it is fixed, so that the loss is a function of its input.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.BlackBoxAPLoss()(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.)
    """

    def __init__(self, strength: float = 4.0, margin: float = 0.02, *, include_query: bool = False):
        super().__init__()
        if margin < 0:
            raise ValueError(f"margin must be >= 0, got {margin!r}")
        self.strength, self.margin, self.include_query = check_positive("strength", strength), float(margin), include_query
        self._loss = as_loss(average_precision, partial(blackbox_ranks, strength=self.strength))

    def forward(
        self, embeddings: Tensor, labels: Tensor, ref_embeddings: Tensor | None = None, ref_labels: Tensor | None = None
    ) -> Tensor:
        batch = check_batch(embeddings, labels, ref_embeddings, ref_labels).finest()
        positive = batch.labels == batch.ref_labels.T
        shift = torch.where(positive, -self.margin / 2, self.margin / 2)
        return self._loss(batch.scores() + shift, positive, where=batch.where(self.include_query))

    def extra_repr(self) -> str:
        return f"strength={self.strength}, margin={self.margin}, include_query={self.include_query}"
