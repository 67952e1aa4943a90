"""The modes of torch that the package steps out of."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rankbook.precision import full_precision, once_differentiable, wide


def test_full_precision_computes_without_autocast():
    @full_precision
    def product(x, *, y):
        return x @ y

    x = torch.eye(2) + 1e-4
    with torch.autocast("cpu", torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        assert product(x, y=x).dtype == torch.float32
        assert (x @ x).dtype == torch.bfloat16  # and the mode comes back


def test_full_precision_leaves_calls_without_tensors_alone():
    assert full_precision(lambda: 3)() == 3
    assert full_precision(lambda x: x)(torch.ones(1, device="meta")).is_meta


def test_wide():
    assert wide(torch.device("cpu")) == torch.float64


class NoDouble(TorchDispatchMode):
    """A device without float64, such as Apple's MPS."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if (kwargs or {}).get("dtype") == torch.float64:
            raise TypeError("no float64 on this device")
        return func(*args, **(kwargs or {}))


def test_wide_of_a_device_that_has_no_float64():
    with NoDouble():
        assert wide(torch.device("cpu")) == torch.float32


class Square(torch.autograd.Function):
    """With a gradient by hand, for one input and for a constant."""

    @staticmethod
    def forward(ctx, x, constant):
        ctx.save_for_backward(x)
        return x.square().sum()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad, None


def test_once_differentiable_gives_the_first_derivative():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    Square.apply(x, None).backward()
    assert x.grad.tolist() == [2, 4]


def test_once_differentiable_refuses_the_second():
    """torch's own decorator gives a detached gradient here, and a penalty on it trains nothing."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(Square.apply(x, None), x, create_graph=True)
    assert gradient.tolist() == [2, 4]
    with pytest.raises(NotImplementedError, match="differentiable once"):
        (Square.apply(x, None) + gradient.square().sum()).backward()
