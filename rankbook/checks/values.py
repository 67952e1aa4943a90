"""Checks of one value: a number, a count, a word, a function."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

#: What scores may be made of.
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_number(
    name: str, value: Any, *, above: float | None = None, at_least: float | None = None, at_most: float | None = None, finite: bool = True
) -> float:
    """Return ``value`` as a float if it is a real number (of Python or numpy) within the bounds."""
    wanted = [f"above {above}"] * (above is not None) + [f"of at least {at_least}"] * (at_least is not None)
    wanted += [f"of at most {at_most}"] * (at_most is not None)
    said = f"{name} must be a {'finite ' if finite else ''}number{' ' + ' and '.join(wanted) if wanted else ''}, got {_say(value)}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise (ValueError if isinstance(value, (Tensor, str, bool)) else TypeError)(said)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    inside = (above is None or number > above) and (at_least is None or number >= at_least) and (at_most is None or number <= at_most)
    if not inside or math.isnan(number) or (finite and math.isinf(number)):  # NaN is inside of nothing, but say so without bounds too
        raise ValueError(said)
    return number


def check_numbers(name: str, values: Any, *, at_least: float | None = None) -> tuple[float, ...]:
    """Return ``values`` as a tuple of floats if it is a sequence of at least one finite number within the bound."""
    try:
        items = None if isinstance(values, (str, dict)) else tuple(values.tolist() if isinstance(values, Tensor) else values)
    except TypeError:
        items = None
    if items is None:
        said = _say(values)
        raise ValueError(f"{name} must be a sequence of numbers such as (1, 0.5), got {said}; try ({said},)")
    if not items:
        raise ValueError(f"{name} must hold at least one number, got {_say(values)}")
    return tuple(check_number(name, item, at_least=at_least) for item in items)


def check_positive(name: str, value: Any) -> float:
    """Return ``value`` as a float if it is a finite number above 0."""
    return check_number(name, value, above=0)


def check_count(name: str, value: Any, *, at_least: int = 1, at_most: int | None = None) -> int:
    """Return ``value`` as an int if it is a whole number (of Python or numpy) of at least ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < at_least or (at_most is not None and value > at_most):
        limit = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
        raise ValueError(f"{name} must be a whole number {limit}, got {_say(value)}")
    return int(value)


def check_counts(name: str, values: Any, *, at_least: int = 1) -> tuple[int, ...]:
    """Return ``values`` as a tuple of ints if it is a sequence of at least one whole number."""
    try:
        counts = tuple(check_count(name, value, at_least=at_least) for value in values)
    except TypeError:
        said = _say(values)
        raise ValueError(f"{name} must be a sequence of whole numbers such as (1, 2, 4), got {said}; try ({said},)") from None
    if not counts:
        raise ValueError(f"{name} must hold at least one whole number, got {_say(values)}")
    return counts


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False: the text "False" would count as true."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {_say(value)}")
    return value


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return ``value`` if it is one of the words."""
    if not isinstance(value, str) or value not in choices:
        words = ", ".join(f'"{choice}"' for choice in choices[:-1])
        raise ValueError(f'{name} must be {words} or "{choices[-1]}", got {_say(value)}')
    return value


def check_callable(name: str, value: Callable[..., T]) -> Callable[..., T]:
    """Return ``value`` if it can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, such as partial(rb.sigmoid_ranks, tau=0.1), got {_say(value)}")
    return value


def check_dtype(name: str, value: Any) -> torch.dtype:
    """Return ``value`` if it is a dtype that scores may have."""
    if not isinstance(value, torch.dtype) or value not in FLOATS:
        raise ValueError(f"{name} must be torch.float16, bfloat16, float32 or float64, got {_say(value)}")
    return value


def check_instance(name: str, value: Any, kind: type[T], example: str) -> T:
    """Return ``value`` if it is of the class ``kind``; the error shows an example of one."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, such as {example}, got {_say(value)}")
    return value


def _say(value: Any) -> str:
    """A value in an error: short whatever it is, with its type if the value alone would not tell."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}" + ("; try .item()" if value.numel() == 1 else "")
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return text if isinstance(value, (int, float, str, type(None), tuple)) else f"{text} ({type(value).__name__})"
