"""Time, memory and waits of a call on a GPU; on the CPU (to try the script) time alone."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import torch

from rankbook import checks

Work = Callable[[], object]
_NOT_HERE = float("nan")


def milliseconds(work: Work, *, repeat: int = 7) -> float:
    """Median time of a call after one that warms up: on a GPU between two events, so that a wait of the device counts too.

    Of a call that takes a second there are fewer.
    """
    start = time.perf_counter()
    work()
    synchronize()
    took = time.perf_counter() - start
    return statistics.median(_timed(work) for _ in range(repeat if took < 0.5 else 3 if took < 2 else 1))


def _timed(work: Work) -> float:
    if not torch.cuda.is_available():
        begun = time.perf_counter()
        work()
        return 1000 * (time.perf_counter() - begun)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def megabytes(work: Work) -> float:
    """The most that torch's allocator hands out on the GPU during a call, above what it holds before."""
    if not torch.cuda.is_available():
        return _NOT_HERE
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def waits(work: Work) -> float:
    """How many operations of a call made the host wait for the GPU."""
    if not torch.cuda.is_available():
        return _NOT_HERE
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(one.message) for one in heard)


def unchecked(work: Work) -> Work:
    def call() -> None:
        with checks.off():
            work()

    return call


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
