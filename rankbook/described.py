"""What a thing is, in words: the same in every process, and others if a setting is another. `repr`, checkpoints and caches read it."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Mapping
from functools import partial
from reprlib import recursive_repr
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@recursive_repr()
def described(value: Any) -> str:
    """Functions by their name, partials and objects with their arguments, arrays and long tensors by a checksum; no address in memory.

    >>> from rankbook.described import described
    >>> described(partial(rb.ndcg, rank_fn=partial(rb.sigmoid_ranks, tau=0.1), k=3))
    'rankbook.ndcg(rank_fn=rankbook.sigmoid_ranks(tau=0.1), k=3)'
    """
    match value:
        case Tensor():
            return repr(value.item()) if value.numel() == 1 else f"{layout(value)} {_checksum(bytes_of(value))}"
        case np.ndarray() if value.dtype != object:
            return f"{value.dtype} {list(value.shape)} {_checksum(value.tobytes())}"
        case np.generic():
            return described(value.item())
        case partial():
            given = [*map(described, value.args), *(f"{name}={described(one)}" for name, one in value.keywords.items())]
            return f"{described(value.func)}({', '.join(given)})"
        case MethodType():
            return f"{described(value.__self__)}.{value.__name__}"
        case FunctionType() | BuiltinFunctionType() | type():
            return ".".join(filter(None, [(value.__module__ or "").partition(".")[0], value.__qualname__])).removeprefix("builtins.")
        case nn.Module():
            parts = (f"{name}={described(part)}" for name, part in value.named_children())
            told = ", ".join(filter(None, [value.extra_repr() or arguments(value), *parts]))
            return f"{type(value).__name__}({told})"
        case Mapping():
            return f"{{{', '.join(f'{described(key)}: {described(one)}' for key, one in value.items())}}}"
        case set() | frozenset():
            return f"{{{', '.join(sorted(map(described, value)))}}}"
        case tuple() | list():
            kind = "" if type(value) in (tuple, list) else type(value).__name__
            return f"{kind}({', '.join(map(described, value))})"
    if type(value).__repr__ is object.__repr__:
        return f"{type(value).__name__}({arguments(value)})"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def arguments(thing: Any) -> str:
    """The arguments of the constructor that an object keeps under their names; parts that are modules print themselves.

    A module takes it as its ``extra_repr``.
    """
    try:
        parameters = inspect.signature(type(thing)).parameters.values()
    except (TypeError, ValueError):  # a type of C
        return ""
    kept = {}
    for parameter in parameters:
        value = getattr(thing, parameter.name, None)
        if not hasattr(thing, parameter.name) or isinstance(value, (nn.Module, nn.Parameter)):
            continue
        kept |= value if parameter.kind is parameter.VAR_KEYWORD and isinstance(value, Mapping) else {parameter.name: value}
    return ", ".join(f"{name}={described(value)}" for name, value in kept.items())


def layout(value: Tensor) -> str:
    """Its dtype and its shape."""
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def _checksum(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()[:12]}"


def bytes_of(value: Tensor) -> bytes:
    """Dtype, shape and numbers."""
    value = value.detach().cpu().to_dense().contiguous()
    return f"{value.dtype} {list(value.shape)} ".encode() + value.reshape(-1).view(torch.uint8).numpy().tobytes()
