"""The switch of the checks that read values."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

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
