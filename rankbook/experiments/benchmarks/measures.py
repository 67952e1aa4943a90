"""How the benchmark measures: ratios of CPU time, pair by pair, and the peak memory of a fresh process."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Work = Callable[[], Any]
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def ratios(slow: Work, quick: Work, *, pairs: int = 11, repeat: int = 3, calls: int = 1) -> list[float]:
    """CPU time of ``slow`` over that of ``quick``, pair by pair; the quick one is the mean of some calls in a row.

    CPU time holds the kernel's: fresh pages for large tensors are part of what they cost. ``calls`` of both make one of a pair.
    """
    slow(), quick()
    return [_seconds(slow, calls) / _seconds(quick, calls * repeat) for _ in range(pairs)]


def milliseconds(work: Work, *, times: int = 21) -> list[float]:
    """CPU milliseconds of a call, some times over."""
    work()
    return [1000 * _seconds(work, 1) for _ in range(times)]


def _seconds(work: Work, calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - start) / calls


def fresh_ratios(prepare: str, *, processes: int = 5, pairs: int = 5) -> list[float]:
    """The ratios of several new processes, each prepared by a piece of Python that defines ``slow`` and ``quick``.

    Where pages lie differs from process to process, and with it what a tensor of hundreds of megabytes costs.
    """
    program = f"from rankbook.experiments.benchmarks.measures import ratios\n{prepare}\nprint(*ratios(slow, quick, pairs={pairs}))"
    return [float(ratio) for _ in range(processes) for ratio in _run(program).splitlines()[-1].split()]


def fresh_milliseconds(prepare: str, *, times: int = 21) -> list[float]:
    """`milliseconds` of the ``work`` that a piece of Python defines, in a new process."""
    program = f"from rankbook.experiments.benchmarks.measures import milliseconds\n{prepare}\nprint(*milliseconds(work, times={times}))"
    return [float(one) for one in _run(program).splitlines()[-1].split()]


def _run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def fresh_peak(prepare: str, work: str) -> float:
    """Megabytes that ``work`` adds at its peak to what the process holds after ``prepare``: two pieces of Python for a new process."""
    program = (
        f"from rankbook.experiments.benchmarks.measures import reset_peak, peak_bytes\n{prepare}\n"
        f"before = reset_peak()\n{work}\nprint(peak_bytes() - before)"
    )
    return int(_run(program).split()[-1]) / 2**20


def reset_peak() -> int:
    """Forget the peak so far, where the system lets us (Linux); return the peak that is left, in bytes."""
    if _RESET.exists():
        _RESET.write_text("5")
    return peak_bytes()


def peak_bytes() -> int:
    """Peak resident memory of this process.

    On Linux from VmHWM: ``ru_maxrss`` starts there at the peak of the process that started this one. Elsewhere it is
    ``ru_maxrss``, in bytes on macOS; a peak before the measured work may then hide some of it.
    """
    if _STATUS.exists():
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())[1])
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
