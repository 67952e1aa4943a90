"""Losses whose gradients are computed by hand, as autograd, ``torch.func`` and a mean, a sum or none of them want them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from rankbook.checks import reads_values, warn
from rankbook.precision import full_precision, no_forward_derivative, no_second_derivative, once_differentiable, transformed
from rankbook.retrieval.batch import Batch
from rankbook.retrieval.positives import Positives, QueryRole

#: How the losses of the queries become one; "none": they stay [b].
Reduction = Literal["mean", "sum", "none"]

#: What the loss of each query is multiplied by: one number, or [b].
Scale = float | Tensor

#: Losses [b]; and, if wanted, the gradients of their scaled sum with respect to queries and gallery, the second None if they are one.
Losses = tuple[Tensor, Tensor | None, Tensor | None]


class Compute(Protocol):
    def __call__(self, positives: Positives, scale: Scale, wanted: bool) -> Losses: ...


@dataclass(frozen=True)
class Reduced:
    """A loss, how it is computed and reduced."""

    compute: Compute
    query: QueryRole
    reduction: Reduction
    find: Callable[[Batch, QueryRole], Positives] = Positives

    def positives(self, batch: Batch) -> Positives:
        positives = self.find(batch, self.query)
        _warn_if_nothing(positives)
        return positives

    def forward(self, positives: Positives, wanted: bool) -> Losses:
        """The loss; and with a mean or a sum the gradients too, since all that comes in from above is one factor."""
        if self.reduction == "none":
            return self.compute(positives, 1.0, False)
        if self.reduction == "mean":
            scale = positives.shares_of_queries()
        else:
            weights = positives.batch.query_weights
            scale = 1.0 if weights is None else weights.to(positives.batch.queries.dtype)
        losses, *gradients = self.compute(positives, scale, wanted)
        return (losses * scale).sum(), *gradients

    def pull(self, positives: Positives, upstream: Tensor) -> tuple[Tensor, Tensor | None]:
        """The gradients of losses [b] that stayed apart, for what comes in for each: the same blocks once more."""
        return self.compute(positives, upstream, True)[1:]


def with_gradients(
    batch: Batch, compute: Compute, query: QueryRole, reduction: Reduction, find: Callable[[Batch, QueryRole], Positives] = Positives
) -> Tensor:
    """The loss of a batch, when gradients come with its values. ``find`` may make it a part of a larger batch."""
    reduced = Reduced(compute, query, reduction, find)
    if transformed():
        return _Transformed.apply(reduced, *_parts(batch))[0]
    wanted = torch.is_grad_enabled() and (batch.queries.requires_grad or batch.gallery.requires_grad)
    return _WithGradients.apply(batch.queries, batch.gallery, reduced, reduced.positives(batch), wanted)


def _warn_if_nothing(positives: Positives) -> None:
    """Tell that a batch has no query with a positive, or that all of them weigh 0; its loss is 0."""
    weights = positives.weights_that_count()
    if not positives.total:
        warn("no query has a positive: the loss is 0 and teaches nothing; does each label occur twice?")
    elif weights is not None and reads_values(weights) and not weights.any():
        warn("query_weights are 0 for each query that has a positive: the loss is 0 and teaches nothing")


class _WithGradients(torch.autograd.Function):
    """The gradient of a mean or a sum is computed in the forward pass, and backward only scales; else it is computed in backward."""

    @staticmethod
    @full_precision
    def forward(ctx, queries: Tensor, gallery: Tensor, reduced: Reduced, positives: Positives, wanted: bool) -> Tensor:
        loss, *gradients = reduced.forward(positives, wanted)
        ctx.pull = None
        if reduced.reduction == "none":  # saved, so that whoever overwrites them is told; inference tensors cannot be
            rest = (one for one in positives.batch[1:] if one is not None and one is not gallery and not one.is_inference())
            ctx.pull, gradients = (lambda upstream: reduced.pull(positives, upstream)), (queries, gallery, *rest)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    @once_differentiable
    @full_precision
    def backward(ctx, grad_loss: Tensor):
        saved = ctx.saved_tensors
        if ctx.pull is not None:
            gradients = ctx.pull(grad_loss)
        else:
            gradients = tuple(None if gradient is None else grad_loss * gradient for gradient in saved)
        return *gradients, None, None, None

    jvp = staticmethod(no_forward_derivative)


# ------------------------------------------------------------------ torch.func


def _parts(batch: Batch) -> Batch:
    """The tensors of a batch as a function takes them: no gallery, if it is the queries."""
    return batch._replace(gallery=None) if batch.own_gallery else batch


def _whole(parts: Iterable[Tensor | None]) -> Batch:
    batch = Batch(*parts)
    return batch._replace(gallery=batch.queries) if batch.gallery is None else batch


class _Transformed(torch.autograd.Function):
    """The same in the form that ``torch.func`` takes. A mapped axis is a loop: the positives of each batch are its own."""

    @staticmethod
    @full_precision
    def forward(reduced: Reduced, *parts: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        batch = _whole(parts)
        return tuple(batch.queries.new_empty(0) if one is None else one for one in reduced.forward(reduced.positives(batch), True))

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: tuple[Tensor, Tensor, Tensor]) -> None:
        ctx.reduced, *parts = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*parts, *output[1:])

    @staticmethod
    def backward(ctx, grad_loss: Tensor, *_: None):
        *parts, to_queries, to_gallery = ctx.saved_tensors
        batch = Batch(*parts)
        if ctx.reduced.reduction == "none":
            to_queries, to_gallery = _Pulled.apply(ctx.reduced, grad_loss, *parts)
        else:
            to_queries = _Scaled.apply(grad_loss, to_queries, batch.queries)
            to_gallery = None if batch.gallery is None else _Scaled.apply(grad_loss, to_gallery, batch.gallery)
        none = Batch(*[None] * len(parts))
        return None, *none._replace(queries=to_queries, gallery=None if batch.gallery is None else to_gallery)

    jvp = staticmethod(no_forward_derivative)

    @staticmethod
    def vmap(info, in_dims: tuple[int | None, ...], *inputs):
        return _loop(_Transformed, info.batch_size, in_dims, inputs)


class _Pulled(torch.autograd.Function):
    """The gradients of losses [b] that stayed apart: see `Reduced.pull`."""

    @staticmethod
    @full_precision
    def forward(reduced: Reduced, grad_loss: Tensor, *parts: Tensor | None) -> tuple[Tensor, Tensor]:
        batch = _whole(parts)
        to_queries, to_gallery = reduced.pull(reduced.find(batch, reduced.query), grad_loss)
        return to_queries, batch.queries.new_empty(0) if to_gallery is None else to_gallery

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:
        pass

    @staticmethod
    def backward(ctx, *_: Tensor):
        raise no_second_derivative()

    @staticmethod
    def vmap(info, in_dims: tuple[int | None, ...], *inputs):
        return _loop(_Pulled, info.batch_size, in_dims, inputs)


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


def _loop(function: type[torch.autograd.Function], size: int, in_dims: tuple[int | None, ...], inputs: tuple) -> tuple:
    """The vmap rule: one call for each place of the mapped axis."""

    def one(place: int) -> list:
        return [value if dim is None else value.select(dim, place) for value, dim in zip(inputs, in_dims, strict=True)]

    outputs = [function.apply(*one(place)) for place in range(size)]
    stacked = tuple(map(torch.stack, zip(*outputs, strict=True)))
    return stacked, (0,) * len(stacked)
