"""Batch losses in graphs of ``torch.compile``: operators that the compiler calls and does not look into.

How many positives a query has is seen in the labels only, so no graph can hold the blocks of a loss. The gradient of a mean or a
sum comes with its value, and the operator hands both out; losses [b] that stay apart have a second operator for theirs.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from rankbook.precision import no_second_derivative
from rankbook.retrieval.batch import Batch

_losses: WeakValueDictionary[int, nn.Module] = WeakValueDictionary()  # a graph knows numbers and tensors only

#: The fields of a `Batch`; no gallery: the queries are it, and their places need not be told.
_PARTS = (
    "Tensor queries, Tensor? labels, Tensor? gallery, Tensor? ref_labels, Tensor? self_index, Tensor? where, Tensor? relevance, "
    "Tensor? query_weights, Tensor? item_weights"
)


@torch.compiler.assume_constant_result
def _number(loss: nn.Module) -> int:
    """A number of this very module: a copy of it has another."""
    _losses[id(loss)] = loss
    return id(loss)


@torch.compiler.assume_constant_result
def _is_made(loss: nn.Module) -> bool:
    """Whether a number can stand for it: one that the compiled function itself makes is an empty shell until the graph ends."""
    return "reduction" in vars(loss)


def in_graph(loss: nn.Module, batch: Batch) -> Tensor:
    """``loss.of_batch(batch)`` in a graph, which ends before a loss that it makes."""
    if not _is_made(loss):
        torch._dynamo.graph_break(msg="a graph holds no loss that it makes itself: make it once, outside of the compiled function")
    wanted = torch.is_grad_enabled() and (batch.queries.requires_grad or batch.gallery.requires_grad)
    parts = batch._replace(gallery=None, self_index=None) if batch.own_gallery else batch
    return torch.ops.rankbook.batch_loss(_number(loss), wanted, *parts)[0]


def _of_batch(number: int, wanted: bool, parts: tuple[Tensor | None, ...], upstream: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, and its gradients with respect to queries and gallery, empty if they are not asked for."""
    batch = Batch(*parts)
    # an operator runs below autograd; heads of plain operations need it
    with torch._C._SetExcludeDispatchKeyGuard(torch._C.DispatchKey.AutogradFunctionality, False), torch.set_grad_enabled(wanted):
        leaves = [batch.queries.detach().requires_grad_(wanted)]
        if batch.gallery is None:
            places = torch.arange(len(batch.queries), device=batch.queries.device)
            batch = batch._replace(queries=leaves[0], gallery=leaves[0], self_index=places)
        else:
            leaves.append(batch.gallery.detach().requires_grad_(wanted))
            batch = batch._replace(queries=leaves[0], gallery=leaves[1])
        loss = _losses[number].of_batch(batch)
        grads = torch.autograd.grad(loss, leaves, upstream) if wanted else ()
    grads = [*grads, *[batch.queries.new_empty(0) for _ in range(2 - len(grads))]]
    return loss.detach(), *grads


@torch.library.custom_op("rankbook::batch_loss", mutates_args=(), schema=f"(int number, bool wanted, {_PARTS}) -> (Tensor, Tensor, Tensor)")
def _batch_loss(number: int, wanted: bool, *parts: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    return _of_batch(number, wanted and _losses[number].reduction != "none", parts, None)


@_batch_loss.register_fake
def _(number: int, wanted: bool, queries: Tensor, labels: Tensor | None, gallery: Tensor | None, *_: Any) -> tuple[Tensor, ...]:
    apart = _losses[number].reduction == "none"
    loss = queries.new_empty(queries.shape[:1] if apart else ())
    return loss, *_fake_gradients(wanted and not apart, queries, gallery)


@torch.library.custom_op("rankbook::batch_gradient", mutates_args=(), schema=f"(int number, Tensor upstream, {_PARTS}) -> (Tensor, Tensor)")
def _batch_gradient(number: int, upstream: Tensor, *parts: Tensor | None) -> tuple[Tensor, Tensor]:
    return _of_batch(number, True, parts, upstream)[1:]


@_batch_gradient.register_fake
def _(number: int, upstream: Tensor, queries: Tensor, labels: Tensor | None, gallery: Tensor | None, *_: Any) -> tuple[Tensor, Tensor]:
    return _fake_gradients(True, queries, gallery)


def _fake_gradients(wanted: bool, queries: Tensor, gallery: Tensor | None) -> tuple[Tensor, Tensor]:
    empty = queries.new_empty(0)
    return torch.empty_like(queries) if wanted else empty, torch.empty_like(gallery) if wanted and gallery is not None else empty.clone()


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.number, _, *parts = inputs
    ctx.apart = _losses[ctx.number].reduction == "none"
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*parts, *output[1:])


def _scale(ctx: Any, grad_loss: Tensor | None, *of_gradients: Tensor | None) -> tuple[Any, ...]:
    if any(grad is not None for grad in of_gradients):  # who asks for a derivative of the gradient comes here
        raise no_second_derivative()
    *parts, to_queries, to_gallery = ctx.saved_tensors
    batch = Batch(*parts)
    if ctx.apart:
        to_queries, to_gallery = torch.ops.rankbook.batch_gradient(ctx.number, grad_loss, *parts)
    else:
        to_queries, to_gallery = grad_loss * to_queries, grad_loss * to_gallery
    none = Batch(*[None] * len(parts))
    return None, None, *none._replace(queries=to_queries, gallery=None if batch.gallery is None else to_gallery)


def _twice(*_: Any) -> None:
    raise no_second_derivative()


_batch_loss.register_autograd(_scale, setup_context=_keep)
_batch_gradient.register_autograd(_twice)
