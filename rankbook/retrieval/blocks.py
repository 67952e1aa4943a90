"""A batch loss in blocks of queries: loss and gradient in one pass, and never all of the scores at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from rankbook.precision import full_precision, once_differentiable
from rankbook.ranks.pairs import BLOCK
from rankbook.retrieval.batch import Batch, queries_by_positives, warn_no_positive

_ROWS = 256  # queries whose scores are computed by one matrix product, at least: thin blocks waste it
_SCORES = 1 << 20  # and more as long as they are at most so many scores: 4 MiB of float32


class BlockLoss(Protocol):
    """The loss of some queries, as a function of their scores."""

    def __call__(self, scores: Tensor, places: Tensor, relevance: Tensor, absent: Tensor | None, wanted: bool) -> Tensor:
        """Return the sum of the losses, and overwrite the scores by its gradient, if wanted.

        Args:
            scores: ``[q, m]``.
            places, relevance: ``[q, R]`` of the positives.
            absent: ``[q, 1]``, the place of each query in its own gallery, if it is left out there.
            wanted: False: nobody asks for the gradient, and the scores may be overwritten by anything.
        """


def mean_loss(batch: Batch, of_block: BlockLoss, *, include_query: bool) -> Tensor:
    """Mean loss over the queries that have a positive."""
    return _BlockwiseLoss.apply(batch.queries, batch.gallery, batch, of_block, include_query)


class _BlockwiseLoss(torch.autograd.Function):
    """The gradient is computed in the forward pass; backward only scales."""

    @staticmethod
    @full_precision
    def forward(ctx, queries: Tensor, gallery: Tensor, batch: Batch, of_block: BlockLoss, include_query: bool) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        loss, count = queries.new_zeros(()), 0
        grad_queries = torch.zeros_like(queries) if wanted else None
        # one tensor for both roles when the batch is its own gallery
        grad_gallery = grad_queries if batch.own_gallery or not wanted else torch.zeros_like(gallery)
        for rows, places, relevance in _blocks(batch, include_query):
            count += rows.shape[0]
            some = queries.index_select(0, rows)
            scores = some @ gallery.T  # [queries, m]
            absent = rows.unsqueeze(1) if batch.own_gallery and not include_query else None
            loss += of_block(scores, places, relevance, absent, wanted)
            if wanted:
                grad_queries.index_add_(0, rows, scores @ gallery)
                grad_gallery.addmm_(scores.T, some)
        if count == 0:
            warn_no_positive()
        scale = 1 / max(count, 1)
        ctx.own_gallery = batch.own_gallery
        if wanted:
            ctx.save_for_backward(grad_queries.mul_(scale), None if batch.own_gallery else grad_gallery.mul_(scale))
        return loss * scale

    @staticmethod
    @once_differentiable
    @full_precision
    def backward(ctx, grad_loss: Tensor):
        grad_queries, grad_gallery = ctx.saved_tensors
        return grad_loss * grad_queries, None if ctx.own_gallery else grad_loss * grad_gallery, None, None, None


def _blocks(batch: Batch, include_query: bool) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """As `queries_by_positives`, so that neither the scores [q, m] nor what compares the positives [q, R, R] grows large."""
    limit = max(_ROWS, _SCORES // batch.gallery.shape[0])
    for group in queries_by_positives(batch, include_query=include_query, limit=limit):
        yield from zip(*(x.split(max(1, BLOCK // group[1].shape[1] ** 2)) for x in group), strict=True)
