"""Several processes that work on one batch: what they say to each other, and how they notice that they do not mean the same.

Everything here works in the default process group of ``torch.distributed``, and on the device of the tensors.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from rankbook.precision import wide

_COUNTS = 2  # that a call may exchange at most
_addresses = re.compile(r" at 0x[0-9a-f]+")  # in the repr of a function, another one in each process


def world() -> int:
    """How many processes there are: 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank()


def eagerly(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that ``torch.compile`` steps around: what processes say to each other depends on what they hear."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():  # to decorate at once would import the compiler
            return torch.compiler.disable(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return call


# ------------------------------------------------------------------ exchange


def gather_rows(x: Tensor, rows: Sequence[int]) -> Tensor:
    """The rows of all processes, in their order: ``[rows[rank], ...] -> [sum(rows), ...]``, whatever the dtype, to the last bit."""
    most = max(rows)
    x = x.detach().resolve_neg()
    if most > len(x):
        x = torch.cat([x, x.new_zeros(most - len(x), *x.shape[1:])])
    if x.numel() == 0:
        return x.new_empty(sum(rows), *x.shape[1:])
    sent = x.contiguous().reshape(-1).view(torch.uint8)  # bytes: not every backend knows every dtype
    received = sent.new_empty(len(rows) * len(sent))
    _all_gather(received, sent)
    parts = received.view(x.dtype).view(len(rows), *x.shape)
    return parts.flatten(0, 1) if min(rows) == most else torch.cat([part[:count] for part, count in zip(parts, rows, strict=True)])


def sum_of_rows(x: Tensor, rows: Sequence[int]) -> Tensor:
    """What all processes have for the rows of this one, summed: the adjoint of `gather_rows`. Half precision is summed in float32."""
    dtype, x = x.dtype, x.float() if x.itemsize < 4 else x
    most, mine = max(rows), rows[rank()]
    sent = x.new_zeros(len(rows), most, *x.shape[1:])
    for to, part in zip(sent, x.split(list(rows)), strict=True):
        to[: len(part)] = part
    if x.is_cpu or dist.get_backend() == "gloo":  # which has no reduce_scatter in torch 2.4
        dist.all_reduce(sent)
        received = sent[rank()]
    else:
        received = torch.empty_like(sent[0])
        _reduce_scatter(received, sent.flatten(0, 1))
    return received[:mine].to(dtype)


def of_each(x: Tensor) -> Tensor:
    """A small tensor of each process, stacked: ``[k] -> [W, k]``."""
    return gather_rows(x[None], [1] * world())


def sum_everywhere(x: Tensor) -> Tensor:
    """The sum over the processes of one number each, the same to the last bit on all of them. Their dtypes may differ."""
    return of_each(x.detach().reshape(1).to(wide(x.device))).sum().to(x.dtype)


def _all_gather(received: Tensor, sent: Tensor) -> None:
    (getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor)(received, sent)  # the new name since torch 2.13


def _reduce_scatter(received: Tensor, sent: Tensor) -> None:
    (getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor)(received, sent)


# ------------------------------------------------------------------ agreement


class Call(NamedTuple):
    """What a process is about to do: a name, and what must be the same on all processes."""

    name: str
    same: Mapping[str, Any]

    def texts(self) -> dict[str, str]:
        return {name: _addresses.sub("", str(value)) for name, value in self.same.items()}

    def digest(self) -> int:
        text = repr((self.name, self.texts())).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little", signed=True)


def agree(call: Call, counts: Sequence[int], device: torch.device, error: Exception | None = None) -> list[list[int]]:
    """The counts of each process, if all of them make the same call; else all of them raise an error that says what differs.

    ``error`` is what keeps this process from taking part. It raises it, and the others say that it did: nobody waits for it.
    """
    counts = [*counts, *[0] * (_COUNTS - len(counts))]  # all handshakes are of one size, or two different ones could not be told apart
    mine = torch.tensor([call.digest(), error is not None, *counts], device=device)
    table = of_each(mine).tolist()
    if all(row[:2] == [table[0][0], 0] for row in table):
        return [list(column) for column in zip(*(row[2:] for row in table), strict=True)]
    reports: list[Any] = [None] * world()
    dist.all_gather_object(reports, (call.name, call.texts(), None if error is None else f"{type(error).__name__}: {error}"))
    if error is not None:
        raise error
    raise _disagreement(reports)


def _disagreement(reports: list[tuple[str, dict[str, str], str | None]]) -> Exception:
    calls, same, errors = zip(*reports, strict=True)
    failed = {place: error for place, error in enumerate(errors) if error is not None}
    if failed:
        place, error = next(iter(failed.items()))
        return RuntimeError(f"the process of rank {place} cannot take part in {calls[place]}: {error}")
    if len(set(calls)) > 1:
        return RuntimeError(
            f"the processes must make the same calls in the same order, but they are in: {_by_rank(calls)}; "
            "look for a branch that only some of them take"
        )
    name = next(name for name in same[0] if len({texts.get(name) for texts in same}) > 1)
    return ValueError(f"{name} must be the same on all processes, got {_by_rank([texts[name] for texts in same])}")


def _by_rank(values: Sequence[str]) -> str:
    return "; ".join(f"{value} on rank {', '.join(str(i) for i, v in enumerate(values) if v == value)}" for value in dict.fromkeys(values))


#: The number of each call that has a backward pass; the same on all processes, which make the same calls.
turns = itertools.count()
