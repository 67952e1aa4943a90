"""How fast and how lean are the losses on a GPU, and how often does the host wait for it?

    python -m rankbook.experiments.benchmarks.gpu

needs a CUDA device and writes ``data/results/gpu.csv``. Time is that of the device, by events around a forward and a backward
pass, the median of several; memory is the peak that torch's allocator hands out above what embeddings and labels take. Both
stand next to a floor that nobody can avoid: three matrix products and one sigmoid for each (query, positive, gallery item).
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from rankbook import checks
from rankbook.experiments.benchmarks.rows import batch
from rankbook.experiments.tables import data_folder, write_table
from rankbook.files import probe
from rankbook.losses import (
    BlackBoxAPLoss,
    CalibrationLoss,
    FastAPLoss,
    RecallAtKLoss,
    ROADMAPLoss,
    SmoothAPLoss,
    SoftBinAPLoss,
    SupAPLoss,
    SupConLoss,
)
from rankbook.ranks import box_ranks, exact_ranks, laplace_ranks, sigmoid_ranks

COMMAND = "python -m rankbook.experiments.benchmarks.gpu"

PER_CLASS, DIMENSIONS = 4, 128
SIZES = (1024, 4096, 16384, 65536)
LOSSES: dict[str, Callable[[], nn.Module]] = {
    loss.__name__: loss
    for loss in (
        SmoothAPLoss,
        SupAPLoss,
        RecallAtKLoss,
        ROADMAPLoss,
        FastAPLoss,
        SoftBinAPLoss,
        BlackBoxAPLoss,
        CalibrationLoss,
        SupConLoss,
    )
}
DENSE = {"CalibrationLoss", "SupConLoss", "ROADMAPLoss"}  # hold all scores at once
RANKERS: dict[str, Callable[..., Tensor]] = {
    "exact_ranks": exact_ranks,
    "sigmoid_ranks": partial(sigmoid_ranks, tau=0.1),
    "laplace_ranks": partial(laplace_ranks, tau=0.1),
    "box_ranks": partial(box_ranks, width=0.1),
}
LISTS = ((64, 100), (16, 1000), (1, 10_000))


class Row(NamedTuple):
    """One line of the table: milliseconds, the same over the floor's, megabytes, and how often the host waited."""

    what: str
    size: str
    milliseconds: float
    over_floor: float
    megabytes: float
    waits: int
    waits_unchecked: int


def milliseconds(work: Callable[[], object], *, repeat: int = 7) -> float:
    """Median time on the device of a call, after one that warms up."""
    work()
    times = []
    if not torch.cuda.is_available():
        for _ in range(repeat):
            begun = time.perf_counter()
            work()
            times.append(1000 * (time.perf_counter() - begun))
        return statistics.median(times)
    for _ in range(repeat):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def megabytes(work: Callable[[], object]) -> float:
    """The most that torch hands out during a call, above what it holds before."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def waits(work: Callable[[], object]) -> int:
    """How many operations of a call made the host wait for the device."""
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(one.message) for one in heard)


def unchecked(work: Callable[[], object]) -> Callable[[], object]:
    def call() -> None:
        with checks.off():
            work()

    return call


def floor(size: int, positives: int = PER_CLASS - 1, d: int = DIMENSIONS, device: str = "cuda") -> Callable[[], object]:
    """Three matrix products and R B^2 sigmoids, in blocks of rows that fit the memory."""
    x = torch.nn.functional.normalize(torch.randn(size, d, device=device), dim=1)
    rows = min(size, max(256, (1 << 28) // size))

    def work() -> None:
        grad = torch.zeros_like(x)
        for part in x.split(rows):
            scores = part @ x.T
            for _ in range(positives):
                scores.sigmoid_()
            grad.addmm_(scores.T, part)
            scores @ x

    return work


def step(loss: nn.Module, size: int, d: int = DIMENSIONS, device: str = "cuda") -> Callable[[], object]:
    """One forward and backward pass, on classes in random order."""
    embeddings, labels = (x.detach().to(device) for x in batch(size, d, PER_CLASS))
    embeddings.requires_grad_()
    labels = labels[torch.randperm(size, generator=torch.Generator().manual_seed(size)).to(device)]

    def work() -> None:
        embeddings.grad = None
        loss(embeddings, labels).backward()

    return work


def rank_step(ranker: Callable[..., Tensor], lists: int, n: int, device: str = "cuda") -> Callable[[], object]:
    generator = torch.Generator().manual_seed(n)
    scores = torch.randn(lists, n, generator=generator).to(device).requires_grad_()
    weight = torch.randn(lists, n, generator=generator).to(device)

    def work() -> None:
        scores.grad = None
        ranks = ranker(scores)
        if ranks.requires_grad:
            (ranks * weight).sum().backward()

    return work


def rows() -> Iterator[Row]:
    for size in SIZES:
        least = milliseconds(floor(size))
        for name, make in LOSSES.items():
            if name in DENSE and size > 16384:
                continue
            work = step(make(), size)
            time = milliseconds(work)
            yield Row(name, f"B={size}, d={DIMENSIONS}", time, time / least, megabytes(work), waits(work), waits(unchecked(work)))
            torch.cuda.empty_cache()
    for name, ranker in RANKERS.items():
        for lists, n in LISTS:
            work = rank_step(ranker, lists, n)
            yield Row(name, f"[{lists}, {n}]", milliseconds(work), float("nan"), megabytes(work), waits(work), waits(unchecked(work)))


def main() -> None:
    parser = argparse.ArgumentParser(COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where gpu.csv goes (default: data/results of the clone)")
    parser.add_argument("--profile", action="store_true", help="print where the time goes, and write nothing")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("torch sees no CUDA device")
    if options.profile:
        from rankbook.experiments.benchmarks.gpu_profile import profile

        profile()
        return
    try:
        path = data_folder("results", options.folder) / "gpu.csv"
    except ValueError as error:
        parser.error(str(error))
    probe(path)
    found = []
    for line in rows():
        found.append(line)
        print(
            f"{line.what:16} {line.size:18} {line.milliseconds:9.2f} ms {line.over_floor:7.2f} x floor {line.megabytes:9.1f} MB "
            f"{line.waits:4} waits, {line.waits_unchecked} with checks off",
            flush=True,
        )
        table = pd.DataFrame(found).assign(device=torch.cuda.get_device_name(), torch=torch.__version__.partition("+")[0])
        write_table(table, path)  # line by line: what is measured stays


if __name__ == "__main__":
    main()
