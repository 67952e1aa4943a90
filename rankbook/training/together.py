"""The processes that train one model: one of them keeps the checkpoint, and what stops one of them stops all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from rankbook.scale.processes import Call, agree, of_each, rank, world

T = TypeVar("T")


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, whose weights have the same names in one process and in several."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def averages_in_order(model: DistributedDataParallel) -> DistributedDataParallel:
    """Let the model average its gradients in the order of the ranks, so that a training of three and more resumes to the same bits.

    By itself it lays the gradients out anew after its first step, the first one after a resumption too, and so sums in another order.
    Cost: the gradients of all processes come to each, W copies of a bucket.
    """
    model.register_comm_hook(None, _average)
    return model


def _average(_, bucket):  # without types: DistributedDataParallel takes them only as objects, and here they are texts
    total, *others = of_each(bucket.buffer())
    for other in others:  # a sum over an axis may add in another order at another place
        total += other
    done: torch.futures.Future[torch.Tensor] = torch.futures.Future()
    done.set_result(total / (1 + len(others)))
    return done


class Together:
    """All processes, if the model is shared by ``DistributedDataParallel``; else this one alone, whatever the others do."""

    def __init__(self, model: nn.Module | None = None):
        self.count = world() if isinstance(model, DistributedDataParallel) else 1
        self.rank = rank() if self.count > 1 else 0

    def agree(self, what: str, same: Mapping[str, Any], error: Exception | None = None) -> None:
        """Raise on all processes if one has met an error, or if they differ in what must be the same."""
        if self.count > 1:
            device = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
            agree(Call(what, same), [], device, error)
        elif error is not None:
            raise error

    def each(self, what: str, work: Callable[[], T]) -> T:
        """Every process does it; an error of one is an error of all."""
        result, error = None, None
        try:
            result = work()
        except Exception as failure:
            error = failure
        self.agree(what, {}, error)
        return result

    def first(self, what: str, work: Callable[[], T]) -> T | None:
        """The process of rank 0 does it for all; None on the others."""
        return self.each(what, work if self.rank == 0 else lambda: None)

    def gather(self, value: Any) -> list[Any]:
        """What each process has, on all of them."""
        values = [value] * self.count
        if self.count > 1:
            dist.all_gather_object(values, value)
        return values

    def from_first(self, value: T) -> T:
        """What the process of rank 0 has, on all of them."""
        values = [value]
        if self.count > 1:
            dist.broadcast_object_list(values, src=0)
        return values[0]
