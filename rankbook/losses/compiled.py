"""Batch losses in graphs of ``torch.compile``: an operator that the compiler calls and does not look into.

How many positives a query has is seen in the labels only, so no graph can hold the blocks of a loss. The gradient comes with
the value in any case; the operator hands both out.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from rankbook.precision import no_second_derivative
from rankbook.retrieval.batch import Batch

_losses: WeakValueDictionary[int, nn.Module] = WeakValueDictionary()  # a graph knows numbers and tensors only


@torch.compiler.assume_constant_result
def _number(loss: nn.Module) -> int:
    """A number of this very module: a copy of it has another."""
    _losses[id(loss)] = loss
    return id(loss)


def in_graph(loss: nn.Module, batch: Batch) -> Tensor:
    """``loss.of_batch(batch)`` in a graph."""
    own = batch.own_gallery
    wanted = torch.is_grad_enabled() and (batch.queries.requires_grad or batch.gallery.requires_grad)
    gallery = batch.queries[:0] if own else batch.gallery
    return torch.ops.rankbook.batch_loss(_number(loss), batch.queries, gallery, batch.labels, batch.ref_labels, own, wanted)[0]


@torch.library.custom_op(
    "rankbook::batch_loss",
    mutates_args=(),
    schema="(int number, Tensor queries, Tensor gallery, Tensor labels, Tensor ref_labels, bool own, bool wanted) "
    "-> (Tensor, Tensor, Tensor)",
)
def _batch_loss(
    number: int, queries: Tensor, gallery: Tensor, labels: Tensor, ref_labels: Tensor, own: bool, wanted: bool
) -> tuple[Tensor, Tensor, Tensor]:
    # an operator runs below autograd; heads of plain operations need it
    with torch._C._SetExcludeDispatchKeyGuard(torch._C.DispatchKey.AutogradFunctionality, False), torch.set_grad_enabled(wanted):
        queries = queries.detach().requires_grad_(wanted)
        gallery = queries if own else gallery.detach().requires_grad_(wanted)
        self_index = torch.arange(len(queries), device=queries.device) if own else None
        loss = _losses[number].of_batch(Batch(queries, labels, gallery, ref_labels, self_index))
        leaves = (queries,) if own else (queries, gallery)
        grads = torch.autograd.grad(loss, leaves) if wanted else [torch.zeros_like(leaf) for leaf in leaves]
    return loss.detach(), grads[0], gallery.new_empty(0, gallery.shape[1]) if own else grads[1]


@_batch_loss.register_fake
def _(number: int, queries: Tensor, gallery: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    return queries.new_empty(()), torch.empty_like(queries), torch.empty_like(gallery)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*output[1:])


def _scale(ctx: Any, grad_loss: Tensor | None, *of_gradients: Tensor | None) -> tuple[Any, ...]:
    if any(grad is not None for grad in of_gradients):  # who asks for a derivative of the gradient comes here
        raise no_second_derivative()
    to_queries, to_gallery = ctx.saved_tensors
    return None, grad_loss * to_queries, grad_loss * to_gallery, None, None, None, None


_batch_loss.register_autograd(_scale, setup_context=_keep)
