"""What every public function asks of its input, and what it says when it does not get it.

Two kinds of checks. Those of type, shape, dtype and device read no value and always run. Those of *values* (NaN, infinity,
negative grades, nesting labels) read the tensor, which makes a GPU wait and breaks a graph: they step aside inside
``torch.compile`` and ``torch.func`` transforms, and in a block of code that says so::

    with rb.checks.off():
        loss = loss_fn(model(inputs), labels)
"""

from __future__ import annotations

import math
import numbers
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["off"]  # for readers; the rest is for the modules of rankbook

T = TypeVar("T")

_OURS = (str(Path(__file__).parent), str(Path(torch.__file__).parent))
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

_blocks_off, _lock = 0, threading.Lock()  # how many blocks of `off` are open, in all threads


@contextmanager
def off() -> Iterator[None]:
    """Switch the checks of values off for a block of code: no host waits for a GPU. Bad values then give whatever they give.

    Not for one thread only: gradients are computed in others. Blocks may nest, and overlap in several threads.

    >>> with rb.checks.off():
    ...     rb.exact_ranks(torch.tensor([0.2, 0.9]))
    tensor([2., 1.])
    """
    global _blocks_off
    with _lock:
        _blocks_off += 1
    try:
        yield
    finally:
        with _lock:
            _blocks_off -= 1


def reads_values(*tensors: Tensor | None) -> bool:
    """Whether the values of these tensors may be looked at: not in `off`, not while compiling, not inside ``torch.func``."""
    if _blocks_off or torch.compiler.is_compiling():
        return False
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    return not any(tensor is not None and (tensor.is_meta or wrapped(tensor)) for tensor in tensors)


# ------------------------------------------------------------------ one value


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
    if not isinstance(value, torch.dtype) or value not in _FLOATS:
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


# ------------------------------------------------------------------ one tensor


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
    if value.is_floating_point() and value.dtype not in _FLOATS:
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


# ------------------------------------------------------------------ lists


def check_where(where: Tensor | None, scores: Tensor, *, name: str = "scores") -> Tensor | None:
    """Return the mask of present items broadcast to the shape of the scores."""
    if where is None:
        return None
    where = check_tensor("where", where)
    if where.dtype != torch.bool:
        raise TypeError(f"where must be a boolean mask (True = the item is in the list), got {where.dtype}; try where.bool()")
    check_device("where", where, name, scores)
    try:
        return where.expand(scores.shape)
    except RuntimeError:
        raise ValueError(f"where must broadcast to the shape of {name} {tuple(scores.shape)}, got {tuple(where.shape)}") from None


def check_scores(scores: Tensor, where: Tensor | None = None, *, name: str = "scores") -> tuple[Tensor, Tensor | None]:
    """Return scores that are safe to compute with, and the mask in their shape.

    Half precision becomes float32. Items outside ``where`` are set to 0, so that whatever stood there (NaN padding, say)
    reaches neither the result nor the gradient.
    """
    scores = check_floating(name, scores)
    if scores.dim() == 0 or scores.shape[-1] == 0:
        raise ValueError(f"{name} must have shape [..., n] with at least one item, got {tuple(scores.shape)}")
    where = check_where(where, scores, name=name)
    check_finite(name, scores, where, advice=", or leave the item out with `where`")
    if where is not None:
        scores = scores.masked_fill(~where, 0.0)
    return scores, where


def check_relevance(
    relevance: Tensor,
    scores: Tensor,
    where: Tensor | None,
    *,
    name: str = "relevance",
    exact: bool = False,
    shape: str = "the shape of scores {}, got {}; one entry for each item",
) -> Tensor:
    """Return the relevance in the dtype and shape of ``scores``, 0 outside ``where``.

    ``exact`` keeps every value (half precision becomes float32, booleans and integers int64), for those who compare or subtract:
    a cast to float32 ties integers beyond 2^24, seconds for example.
    """
    relevance = check_tensor(name, relevance)
    try:
        if relevance.shape[-1:] != scores.shape[-1:]:  # a column [b, 1] would broadcast in silence
            raise RuntimeError
        relevance = relevance.expand(scores.shape)
    except RuntimeError:
        raise ValueError(f"{name} must have " + shape.format(tuple(scores.shape), tuple(relevance.shape))) from None
    check_device(name, relevance, "scores", scores)
    if relevance.is_floating_point():
        check_finite(name, relevance, where)
    if not exact:
        relevance = relevance.to(scores.dtype)
    elif not relevance.is_floating_point():
        relevance = relevance.long()
    elif relevance.itemsize < 4:
        relevance = relevance.float()
    return relevance if where is None else relevance.masked_fill(~where, 0)


def check_lists(scores: Tensor, relevance: Tensor, where: Tensor | None, *, exact: bool = False) -> tuple[Tensor, Tensor, Tensor | None]:
    """Check scores, non-negative relevance and mask together, as every metric needs them."""
    scores, where = check_scores(scores, where)
    relevance = check_relevance(relevance, scores, where, exact=exact)
    check_not_negative("relevance", relevance, "0 = irrelevant")
    return scores, relevance, where


def check_item_weights(weights: Tensor, scores: Tensor, where: Tensor | None) -> Tensor:
    """Return the weights of the items in the shape of the scores, exact, 0 outside ``where``, as constants."""
    weights = check_relevance(weights, scores, where, name="item_weights", exact=True)
    check_not_negative("item_weights", weights, "0 = counts for nothing")
    return weights.detach()


def check_query_weights(weights: Tensor, values: Tensor) -> Tensor:
    """Return the weights of the lists in the shape of their ``values`` ``[...]``, exact, as constants."""
    shape = "one entry for each list, shape {}, got {}; the leading axes of the scores"
    weights = check_relevance(weights, values, None, name="query_weights", exact=True, shape=shape)
    check_not_negative("query_weights", weights, "0 = counts for nothing")
    return weights.detach()


def check_not_negative(name: str, value: Tensor, meaning: str) -> None:
    """Raise a ValueError that names the first negative number."""
    if reads_values(value) and (value < 0).any():
        index = first(value < 0)
        raise ValueError(f"{name} must be >= 0 ({meaning}), but {name}[{', '.join(map(str, index))}] is {value[index].item():g}")


# ------------------------------------------------------------------ warnings


def warn(message: str) -> None:
    """Warn, with the line of the caller: the first that is neither rankbook's nor torch's."""
    level, frame = 1, sys._getframe(0)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
