"""The same numbers whatever mode torch is in: no autocast inside, float64 only where the device has it, one derivative or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def full_precision(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function without autocast on the device of its first tensor: ranks need the digits that half precision drops.

    For ``forward`` and ``backward`` of a ``torch.autograd.Function`` too; tensors are looked for among the arguments.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        device = _device_of((*args, *kwargs.values()))
        if device is None or not _autocasts(device):
            return function(*args, **kwargs)
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return call


def plainly(function: Callable[[Tensor], Tensor], x: Tensor, weights: Iterable[Tensor]) -> Tensor:
    """``function(x)``, a network of plain operations, without autocast in its backward pass either.

    `full_precision` would do for the forward pass alone: a backward pass that runs inside of autocast rounds each matrix product.
    Inside of ``torch.func`` and ``torch.compile`` the forward pass is all that is guarded. Differentiable twice.
    """
    if not _autocasts(x.device.type):
        return function(x)
    if not torch.is_grad_enabled() or torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(x):
        with torch.autocast(x.device.type, enabled=False):
            return function(x)
    return _Plainly.apply(function, x, *weights)


class _Plainly(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Callable[[Tensor], Tensor], x: Tensor, *weights: Tensor) -> Tensor:
        ctx.function, ctx.leaf = function, x.detach().requires_grad_(x.requires_grad)
        ctx.save_for_backward(x, *weights)
        with torch.autocast(x.device.type, enabled=False), torch.enable_grad():
            ctx.result = function(ctx.leaf)
        return ctx.result.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, *weights = ctx.saved_tensors
        twice = torch.is_grad_enabled()  # create_graph=True
        with torch.autocast(x.device.type, enabled=False):
            # a second derivative needs the graph that leads through x, so the forward pass runs once more
            x, result = (x, ctx.function(x)) if twice else (ctx.leaf, ctx.result)
            wanted = [tensor for tensor, needed in zip((x, *weights), ctx.needs_input_grad[1:], strict=True) if needed]
            grads = iter(torch.autograd.grad(result, wanted, grad, retain_graph=True, create_graph=twice, allow_unused=True))
        return None, *(next(grads) if needed else None for needed in ctx.needs_input_grad[1:])


@contextmanager
def gradients() -> Iterator[None]:
    """A block that trains, whatever surrounds it: ``torch.no_grad`` and ``torch.inference_mode`` end here."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


#: Whether a transform of ``torch.func`` is at work.
transformed = torch._C._are_functorch_transforms_active


def wide(device: torch.device) -> torch.dtype:
    """The dtype for running sums: float64, or float32 on a device that has no float64."""
    try:
        torch.empty(0, dtype=torch.float64, device=device)  # some 1 us; a list of devices would be out of date
    except TypeError:
        return torch.float32
    return torch.float64


def _device_of(arguments: tuple[Any, ...]) -> str | None:
    for argument in arguments:
        if isinstance(argument, Tensor):
            return argument.device.type
    return None


def _autocasts(device: str) -> bool:
    try:
        return torch.is_autocast_enabled(device)
    except RuntimeError:  # a device that has no autocast, such as meta
        return False


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """For a ``backward`` by hand: its gradient has no derivative, and to ask for one is an error, never a silent 0.

    torch's decorator of the same name detaches the gradient in silence when the incoming gradient needs none: a gradient
    penalty would then train on nothing.
    """

    @wraps(backward)
    def call(ctx: Any, *grads: Tensor) -> Any:
        wanted = torch.is_grad_enabled()  # create_graph=True
        with torch.no_grad():
            results = backward(ctx, *grads)
        if not wanted:
            return results
        tie = _needs_gradient(ctx, grads)
        if not isinstance(results, tuple):
            return _NoSecondDerivative.apply(results, tie)
        return tuple(_NoSecondDerivative.apply(one, tie) if isinstance(one, Tensor) else one for one in results)

    return call


def _needs_gradient(ctx: Any, grads: tuple[Tensor, ...]) -> Tensor:
    """A tensor that needs a gradient: what came in, what was saved, or a stand-in."""
    found = (tensor for tensor in (*grads, *ctx.saved_tensors) if isinstance(tensor, Tensor) and tensor.requires_grad)
    return next(found, torch.ones((), requires_grad=True))


class _NoSecondDerivative(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, tie: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise no_second_derivative()


def products(rows: Tensor, others: Tensor) -> Tensor:
    """``rows @ others.T``, in full precision backward too: autocast would round the products there. Differentiable once."""
    if torch.compiler.is_compiling() or transformed():
        return rows @ others.T
    return _Products.apply(rows, others)


class _Products(torch.autograd.Function):
    @staticmethod
    @full_precision
    def forward(ctx: Any, rows: Tensor, others: Tensor) -> Tensor:
        ctx.save_for_backward(rows, others)
        return rows @ others.T

    @staticmethod
    @once_differentiable
    @full_precision
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        rows, others = ctx.saved_tensors
        return grad @ others, grad.T @ rows


def no_forward_derivative(*_: Any) -> None:
    """The ``jvp`` of an operation whose gradient is computed by hand.

    Raises:
        NotImplementedError: whoever asks for one.
    """
    raise NotImplementedError(
        "rankbook's ranks and losses have no forward-mode derivative: their gradient is computed by hand; "
        "take reverse mode: backward, torch.func.grad or torch.func.jacrev"
    )


def no_second_derivative() -> NotImplementedError:
    """The error of whoever asks for one."""
    return NotImplementedError(
        "rankbook's ranks and losses are differentiable once: their gradient is computed by hand and has no derivative. "
        "For a gradient penalty or a Hessian take the ranker of plain operations, rb.sinkhorn_ranks, with rb.as_loss"
    )
