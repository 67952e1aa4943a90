"""A batch loss in blocks of queries: loss and gradient in one pass, and never all of the scores at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from rankbook.precision import full_precision, no_second_derivative, once_differentiable, transformed
from rankbook.ranks.pairs import BLOCK, blocks_at_once
from rankbook.retrieval.batch import Batch
from rankbook.retrieval.positives import Group, Positives, QueryRole, warn_no_positive

_ROWS = 192  # queries whose scores are computed by one matrix product, at least: thin blocks waste it
_SCORES = 3 << 18  # and more as long as they are at most so many scores: 3 MiB of float32


class BlockLoss(Protocol):
    """The loss of some queries, as a function of their scores."""

    def __call__(self, scores: Tensor, group: Group, total: int, wanted: bool) -> Tensor:
        """Return the sum of the losses, and overwrite the scores by its gradient, if wanted.

        Args:
            scores: ``[q, m]``.
            group: the queries, their positives, and their own places, if they are left out there.
            total: number of queries that the mean is over.
            wanted: False: nobody asks for the gradient, and the scores may be overwritten by anything.
        """


#: The loss and, if wanted, its gradients with respect to queries and gallery; the second is None if they are one tensor.
Gradients = tuple[Tensor, Tensor | None, Tensor | None]


def mean_loss(batch: Batch, of_block: BlockLoss, *, query: QueryRole = "absent") -> Tensor:
    """Mean loss over the queries that have a positive."""

    def compute(batch: Batch, wanted: bool) -> Gradients:
        positives = Positives(batch, query)
        if not positives.total:
            warn_no_positive()
        scale = 1 / max(positives.total, 1)
        loss = batch.queries.new_zeros(())
        grad_queries = torch.zeros_like(batch.queries) if wanted else None
        # one tensor for both roles when the batch is its own gallery
        grad_gallery = grad_queries if batch.own_gallery or not wanted else torch.zeros_like(batch.gallery)
        for group in positives.groups(lambda size: _queries_at_once(size, batch.gallery)):
            scores = batch.scores(group.rows)
            loss += of_block(scores, group, positives.total, wanted)
            if wanted:
                scores *= scale
                grad_queries.index_add_(0, group.rows, scores @ batch.gallery)
                grad_gallery.addmm_(scores.T, batch.queries.index_select(0, group.rows))
        return loss * scale, grad_queries, None if batch.own_gallery else grad_gallery

    return with_gradients(batch, compute)


def _queries_at_once(positives: int, gallery: Tensor) -> int:
    """So many that neither the scores [q, m] nor what compares the positives [q, R, R] grows large."""
    blocks = blocks_at_once(gallery.device)
    return min(max(_ROWS, blocks * _SCORES // len(gallery)), max(1, blocks * BLOCK // positives**2))


def with_gradients(batch: Batch, compute: Callable[[Batch, bool], Gradients]) -> Tensor:
    """The loss of a batch, when its gradient comes with its value: ``compute(batch, wanted)`` gives both."""
    if transformed():
        gallery = None if batch.own_gallery else batch.gallery
        return _Transformed.apply(compute, batch.queries, gallery, batch.labels, batch.ref_labels, batch.self_index)[0]
    wanted = torch.is_grad_enabled() and (batch.queries.requires_grad or batch.gallery.requires_grad)
    return _LossWithGradients.apply(batch.queries, batch.gallery, partial(compute, batch, wanted))


class _LossWithGradients(torch.autograd.Function):
    """The gradient is computed in the forward pass; backward only scales."""

    @staticmethod
    @full_precision
    def forward(ctx, queries: Tensor, gallery: Tensor, compute: Callable[[], Gradients]) -> Tensor:
        loss, *gradients = compute()
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    @once_differentiable
    @full_precision
    def backward(ctx, grad_loss: Tensor):
        return *(None if gradient is None else grad_loss * gradient for gradient in ctx.saved_tensors), None


class _Transformed(torch.autograd.Function):
    """The same in the form that ``torch.func`` takes. A mapped axis is a loop: the positives of each batch are its own."""

    @staticmethod
    @full_precision
    def forward(
        compute: Callable[[Batch, bool], Gradients],
        queries: Tensor,
        gallery: Tensor | None,
        labels: Tensor,
        ref_labels: Tensor,
        self_index: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        batch = Batch(queries, labels, queries if gallery is None else gallery, ref_labels, self_index)
        loss, to_queries, to_gallery = compute(batch, True)
        return loss, to_queries, queries.new_empty(0) if to_gallery is None else to_gallery

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: tuple[Tensor, Tensor, Tensor]) -> None:
        _, queries, gallery, *_ = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(queries, gallery, *output[1:])

    @staticmethod
    def backward(ctx, grad_loss: Tensor, *_: None):
        queries, gallery, to_queries, to_gallery = ctx.saved_tensors
        to_gallery = None if gallery is None else _Scaled.apply(grad_loss, to_gallery, gallery)
        return None, _Scaled.apply(grad_loss, to_queries, queries), to_gallery, None, None, None

    @staticmethod
    def vmap(info, in_dims: tuple[int | None, ...], compute: Callable[[Batch, bool], Gradients], *parts: Tensor | None):
        def one(place: int) -> list[Tensor | None]:
            return [part if dim is None else part.select(dim, place) for part, dim in zip(parts, in_dims[1:], strict=True)]

        outputs = [_Transformed.apply(compute, *one(place)) for place in range(info.batch_size)]
        return tuple(map(torch.stack, zip(*outputs, strict=True))), (0, 0, 0)


class _Scaled(torch.autograd.Function):
    """The gradient times what comes in, tied to the embeddings it is of: it has no derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(grad_loss: Tensor, gradient: Tensor, embeddings: Tensor) -> Tensor:
        return grad_loss * gradient

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx, *_: Tensor):
        raise no_second_derivative()
