"""Ranks whose gradient is written by hand, right in every mode of torch: the two formulas stand in one file, the modes in this one.

A ranker gives two functions of plain tensors, which may sort with numpy, write into buffers, or loop in Python::

    value(scores, where, extra, *knobs) -> ranks, *saved
    gradient(grad, scores, where, extra, saved, *knobs) -> grad_scores

All tensors have the leading axes of ``scores[..., n]``. What the modes need follows from that:

- autocast is off in both, wherever ``backward`` is called;
- ``torch.func`` and vectorized Jacobians: a mapped axis is one more leading axis;
- ``torch.compile``: an operator that the compiler calls and does not look into;
- a derivative of the gradient is an error, never a silent 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from rankbook.precision import full_precision, no_forward_derivative, no_second_derivative, transformed


class ByHand:
    """An operation on lists of scores from its value and its gradient; called with the checked scores."""

    _named: ClassVar[dict[str, ByHand]] = {}  # the operators of a compiled graph know strings and numbers only

    def __init__(self, name: str, value: Callable[..., tuple[Tensor, ...]], gradient: Callable[..., Tensor]):
        self.name, self.value, self.gradient = name, full_precision(value), full_precision(gradient)
        self._named[name] = self

    def __call__(
        self, scores: Tensor, where: Tensor | None = None, extra: Tensor | None = None, *, knobs: tuple[float, ...] = ()
    ) -> Tensor:
        """``extra`` is one more tensor of the list, such as its relevance, without a gradient."""
        if scores.numel() == 0:  # no list: nothing for a formula to divide into blocks
            return scores.clone()
        if torch.compiler.is_compiling():
            return torch.ops.rankbook.ranks(self.name, scores, where, extra, knobs)
        if transformed():
            return _Transformed.apply(self, scores, where, extra, knobs)[0]
        if not (scores.requires_grad and torch.is_grad_enabled()):
            return self.value(scores, where, extra, *knobs)[0]
        return _Eager.apply(self, scores, where, extra, knobs)


class _Eager(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, operation: ByHand, scores: Tensor, where: Tensor | None, extra: Tensor | None, knobs: tuple[float, ...]
    ) -> Tensor:
        ranks, *saved = operation.value(scores, where, extra, *knobs)
        ctx.operation, ctx.knobs = operation, knobs
        ctx.save_for_backward(scores, where, extra, *saved)
        return ranks

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, *_: None) -> tuple[Any, ...]:
        scores, where, extra, *saved = ctx.saved_tensors
        if grad is None or not ctx.needs_input_grad[1]:
            grad_scores = None
        elif torch._C._functorch.is_legacy_batchedtensor(grad):
            grad_scores = _for_each(
                grad, lambda grad: _Gradient.apply(ctx.operation, ctx.knobs, grad, *_expand(len(grad), ctx.saved_tensors))
            )
        elif torch.is_grad_enabled() or transformed():
            grad_scores = _Gradient.apply(ctx.operation, ctx.knobs, grad, scores, where, extra, *saved)
        else:
            grad_scores = ctx.operation.gradient(grad, scores, where, extra, saved, *ctx.knobs)
        return None, grad_scores, None, None, None

    jvp = staticmethod(no_forward_derivative)


class _Transformed(torch.autograd.Function):
    """The same in the form that ``torch.func`` takes: what is saved is an output. It costs some 30 us more a call."""

    @staticmethod
    def forward(
        operation: ByHand, scores: Tensor, where: Tensor | None, extra: Tensor | None, knobs: tuple[float, ...]
    ) -> tuple[Tensor, ...]:
        return tuple(operation.value(scores, where, extra, *knobs))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.operation, scores, where, extra, ctx.knobs = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(scores, where, extra, *output[1:])

    backward, jvp = _Eager.backward, _Eager.jvp

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], operation: ByHand, *inputs: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        *tensors, knobs = inputs
        outputs = _Transformed.apply(operation, *_in_front(info, in_dims[1:4], tensors), knobs)
        return outputs, (0,) * len(outputs)


class _Gradient(torch.autograd.Function):
    """The gradient as an operation of its own: it can be mapped, and it has no derivative."""

    @staticmethod
    def forward(
        operation: ByHand,
        knobs: tuple[float, ...],
        grad: Tensor,
        scores: Tensor,
        where: Tensor | None,
        extra: Tensor | None,
        *saved: Tensor,
    ) -> Tensor:
        return operation.gradient(grad, scores, where, extra, saved, *knobs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> None:
        raise no_second_derivative()

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], operation: ByHand, knobs: Any, *tensors: Tensor | None) -> tuple[Tensor, int]:
        return _Gradient.apply(operation, knobs, *_in_front(info, in_dims[2:], tensors)), 0


def _for_each(grad: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Take the axis of ``torch.autograd.grad(is_grads_batched=True)`` as a plain leading axis: a vectorized Jacobian comes so."""
    level = torch._C._vmapmode_increment_nesting() - 1
    torch._C._vmapmode_decrement_nesting()
    return torch._add_batch_dim(function(torch._remove_batch_dim(grad, level, 0, 0)), 0, level)


def _expand(size: int, tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if tensor is None else tensor.expand(size, *tensor.shape) for tensor in tensors]


def _in_front(info: Any, dims: Sequence[int | None], tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """All tensors with the mapped axis as their first."""
    return [
        tensor if tensor is None else tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for dim, tensor in zip(dims, tensors, strict=True)
    ]


# ------------------------------------------------------------------ compiled graphs


@torch.library.custom_op(
    "rankbook::ranks", mutates_args=(), schema="(str name, Tensor scores, Tensor? where, Tensor? extra, float[] knobs) -> Tensor"
)
def _compiled(name: str, scores: Tensor, where: Tensor | None, extra: Tensor | None, knobs: Sequence[float]) -> Tensor:
    return ByHand._named[name].value(scores, where, extra, *knobs)[0].contiguous()


@torch.library.custom_op(
    "rankbook::gradient",
    mutates_args=(),
    schema="(str name, Tensor grad, Tensor scores, Tensor? where, Tensor? extra, float[] knobs) -> Tensor",
)
def _compiled_gradient(
    name: str, grad: Tensor, scores: Tensor, where: Tensor | None, extra: Tensor | None, knobs: Sequence[float]
) -> Tensor:
    """The saved tensors are computed again: a graph holds the scores only."""
    operation = ByHand._named[name]
    _, *saved = operation.value(scores, where, extra, *knobs)
    return operation.gradient(grad, scores, where, extra, saved, *knobs).contiguous()


@_compiled.register_fake
def _(name: str, scores: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(scores, memory_format=torch.contiguous_format)


@_compiled_gradient.register_fake
def _(name: str, grad: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(grad, memory_format=torch.contiguous_format)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.name, scores, where, extra, ctx.knobs = inputs
    ctx.save_for_backward(scores, where, extra)


def _compiled_backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    return None, torch.ops.rankbook.gradient(ctx.name, grad, *ctx.saved_tensors, ctx.knobs), None, None, None


def _refuse(ctx: Any, grad: Tensor) -> None:
    raise no_second_derivative()


def _map(info: Any, in_dims: tuple[Any, ...], name: str, *inputs: Any) -> tuple[Tensor, int]:
    *tensors, knobs = inputs
    return torch.ops.rankbook.ranks(name, *_in_front(info, in_dims[1:4], tensors), knobs), 0


def _map_gradient(info: Any, in_dims: tuple[Any, ...], name: str, *inputs: Any) -> tuple[Tensor, int]:
    *tensors, knobs = inputs
    return torch.ops.rankbook.gradient(name, *_in_front(info, in_dims[1:5], tensors), knobs), 0


if hasattr(_compiled, "register_vmap"):  # from torch 2.5 on
    _compiled.register_vmap(_map)
    _compiled_gradient.register_vmap(_map_gradient)
_compiled.register_autograd(_compiled_backward, setup_context=_keep)
_compiled_gradient.register_autograd(_refuse)
