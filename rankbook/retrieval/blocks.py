"""A batch loss in blocks of queries: loss and gradient in one pass, and never all of the scores at once."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from rankbook.ranks.pairs import BLOCK, blocks_at_once
from rankbook.retrieval.gradients import Losses, Scale
from rankbook.retrieval.positives import Group, Positives

_ROWS = 192  # queries whose scores are computed by one matrix product, at least: thin blocks waste it
_SCORES = 3 << 18  # and more as long as they are at most so many scores: 3 MiB of float32


class BlockLoss(Protocol):
    """The loss of some queries, as a function of their scores."""

    def __call__(self, scores: Tensor, group: Group, total: int | Tensor, wanted: bool) -> Tensor:
        """Return the losses ``[q]``, and overwrite the scores of each query by the gradient of its loss, if wanted.

        Args:
            scores: ``[q, m]``.
            group: the queries, their positives, and who is not in their gallery: there the gradient is 0.
            total: number of queries that the mean is over, or what they weigh together.
            wanted: False: nobody asks for the gradient, and the scores may be overwritten by anything.
        """


def in_blocks(of_block: BlockLoss, positives: Positives, scale: Scale, wanted: bool) -> Losses:
    """A `rankbook.retrieval.gradients.Compute`: the losses of the queries that have a positive, 0 for the others."""
    batch = positives.batch
    losses = batch.queries.new_zeros(len(batch.queries))
    grad_queries = torch.zeros_like(batch.queries) if wanted else None
    # one tensor for both roles when the batch is its own gallery
    grad_gallery = grad_queries if batch.own_gallery or not wanted else torch.zeros_like(batch.gallery)
    for group in positives.groups(lambda size: _queries_at_once(size, batch.gallery)):
        scores = batch.scores(group.rows)
        losses.index_copy_(0, group.rows, of_block(scores, group, positives.weight, wanted))
        if wanted:
            scores *= scale if isinstance(scale, float) else scale.index_select(0, group.rows)[:, None]
            grad_queries.index_add_(0, group.rows, scores @ batch.gallery)
            grad_gallery.addmm_(scores.T, batch.queries.index_select(0, group.rows))
    return losses, grad_queries, None if batch.own_gallery else grad_gallery


def _queries_at_once(positives: int, gallery: Tensor) -> int:
    """So many that neither the scores [q, m] nor what compares the positives [q, R, R] grows large."""
    blocks = blocks_at_once(gallery.device)
    return min(max(_ROWS, blocks * _SCORES // len(gallery)), max(1, blocks * BLOCK // positives**2))
