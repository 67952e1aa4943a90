"""Checks of one tensor."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rankbook.checks.switch import reads_values
from rankbook.checks.values import FLOATS


def check_tensor(name: str, value: Tensor) -> Tensor:
    """Return ``value`` if it is a dense tensor of numbers; the error says how to make one."""
    if not isinstance(value, Tensor):
        advice = f"try torch.as_tensor({name})"
        if type(value).__module__.partition(".")[0] == "pandas":
            advice = f"try torch.tensor({name}.to_numpy())"
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}; {advice}")
    if value.layout != torch.strided or value.is_nested:
        layout = "nested" if value.is_nested else str(value.layout).removeprefix("torch.")
        advice = "pad it (torch.nested.to_padded_tensor) and mask with `where`" if value.is_nested else f"try {name}.to_dense()"
        raise TypeError(f"{name} must be a dense (strided) tensor, got a {layout} one; {advice}")
    if value.is_quantized or value.is_complex():
        advice = "dequantize()" if value.is_quantized else "real"
        raise TypeError(f"{name} must be real (bool, integer or floating point), got {value.dtype}; try {name}.{advice}")
    if value.is_floating_point() and value.dtype not in FLOATS:
        raise TypeError(f"{name} must be float16, bfloat16, float32 or float64, got {value.dtype}; try {name}.float()")
    return value.resolve_neg()


def check_floating(name: str, value: Tensor) -> Tensor:
    """Return ``value`` if it is a tensor of floating-point numbers; half precision becomes float32."""
    value = check_tensor(name, value)
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {value.dtype}; try {name}.float()")
    return value.float() if value.itemsize < 4 else value


def check_device(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Raise a ValueError that names both tensors if they are on two devices."""
    if value.device != other.device:
        raise ValueError(
            f"{name} must be on the device of {other_name}, {other.device}, got {value.device}; try {name}.to({other_name}.device)"
        )


def check_finite(name: str, value: Tensor, where: Tensor | None = None, *, advice: str = "") -> None:
    """Raise a ValueError that names the first NaN or infinity of ``value`` (entries outside ``where`` are not looked at)."""
    if not reads_values(value, where) or value.numel() == 0:
        return
    if where is None and math.isfinite(value.detach().sum().item()):
        return  # one quick pass; a sum of finite numbers that overflows goes on to the exact look
    bad = ~torch.isfinite(value) if where is None else where & ~torch.isfinite(value)
    if bad.any():
        index = first(bad)
        raise ValueError(
            f"{name} must be finite, but {name}[{', '.join(map(str, index))}] is {value[index].item()}; "
            f"look for a division by zero or an overflow upstream{advice}"
        )


def first(mask: Tensor) -> tuple[int, ...]:
    """The index of the first true entry."""
    return tuple(mask.nonzero()[0].tolist())


def check_not_negative(name: str, value: Tensor, meaning: str) -> None:
    """Raise a ValueError that names the first negative number."""
    if reads_values(value) and (value < 0).any():
        index = first(value < 0)
        raise ValueError(f"{name} must be >= 0 ({meaning}), but {name}[{', '.join(map(str, index))}] is {value[index].item():g}")
