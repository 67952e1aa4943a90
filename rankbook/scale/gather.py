"""Tensors of all processes, with the gradient back to each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rankbook.checks import check_tensor, reads_values
from rankbook.precision import once_differentiable
from rankbook.scale.processes import Call, agree, eagerly, gather_rows, sum_everywhere, sum_of_rows, turns, world


@eagerly
def gather_with_grad(x: Tensor) -> Tensor:
    r"""The rows of all processes, in the order of their ranks; the gradient of each row goes back to the process that it is from.

    .. math:: X = (x_0, \dots, x_{W-1}), \qquad \frac{\partial}{\partial x_w} = \sum_{v} \frac{\partial f_v}{\partial X_w}

    summed over what all processes do with the rows. So if each of the W processes computes the same loss of all rows, or an equal part
    of it, ``DistributedDataParallel``, which averages over the processes, ends at the gradient of the whole batch, factor 1.

    Args:
        x: ``[rows, ...]`` on each process, of any dtype. The numbers of rows may differ, and be 0.

    Returns: ``[all rows, ...]``, the same on all processes. Without a process group: x.

    Cost: the traffic of one all-gather forward, and of one reduce-scatter backward (on gloo one all-reduce); W times the memory of x.
    A handshake comes before each: 32 bytes, and a wait for the device. In a block of ``rankbook.checks.off`` the backward pass has none.

    All processes must call it, in the same order, and all or none must run backward. Who does not come is waited for, until the
    ``timeout`` of the process group.

    Raises:
        ValueError: another dtype, other sizes of the axes behind the first, or a gradient wanted here and not there. On all processes.
        RuntimeError: the processes are in different calls, or one of them has met an error.

    >>> rb.gather_with_grad(torch.eye(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if world() == 1:
        return _check(x)
    x, error = _or_error(x)
    rows, _ = agree(Call("gather_with_grad", _kind("x", x)), [len(x)], x.device, error)
    return gathered(x, rows)


def gathered(x: Tensor, rows: list[int]) -> Tensor:
    """`gather_with_grad` of what the processes have agreed on."""
    return _Gather.apply(x, rows, next(turns), reads_values()) if needs_gradient(x) else gather_rows(x, rows)


def summed(value: Tensor) -> Tensor:
    """The sum of one number of each process, on all of them; the gradient of each is the sum of what comes in everywhere."""
    return _Sum.apply(value, next(turns), reads_values())


def needs_gradient(x: Tensor) -> bool:
    return torch.is_grad_enabled() and x.requires_grad


def _check(x: Tensor) -> Tensor:
    x = check_tensor("x", x)
    if x.dim() == 0:
        raise ValueError("x must have shape [rows, ...], got a single number; try x[None]")
    return x


def _or_error(x: Tensor) -> tuple[Tensor, Exception | None]:
    try:
        return _check(x), None
    except (TypeError, ValueError) as error:
        device = x.device if isinstance(x, Tensor) else torch.get_default_device()
        return torch.empty(0, device=device), error


def _kind(name: str, x: Tensor) -> dict[str, Any]:
    return {
        "whether rb.checks are off": not reads_values(),
        f"the dtype of {name}": x.dtype,
        f"{name}.shape[1:]": tuple(x.shape[1:]),
        f"{name}: whether it needs a gradient": needs_gradient(x),
    }


def _take_turn(ctx: Any, device: torch.device) -> None:
    if ctx.checked:
        agree(Call("backward", {"the backward pass (of which call it is)": ctx.turn}), [], device)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: list[int], turn: int, checked: bool) -> Tensor:
        ctx.rows, ctx.turn, ctx.checked = rows, turn, checked
        return gather_rows(x, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        _take_turn(ctx, grad.device)
        return sum_of_rows(grad, ctx.rows), None, None, None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, turn: int, checked: bool) -> Tensor:
        ctx.turn, ctx.checked = turn, checked
        return sum_everywhere(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        _take_turn(ctx, grad.device)
        return sum_everywhere(grad), None, None
