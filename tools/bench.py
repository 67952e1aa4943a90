"""Time and memory of the batch losses, forward and backward, as a table: python tools/bench.py [BATCH ...]"""

import argparse
import statistics
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pandas as pd
import psutil
import torch

import rankbook as rb

LOSSES = [
    rb.SupConLoss,
    rb.SmoothAPLoss,
    rb.SupAPLoss,
    rb.RecallAtKLoss,
    rb.SupRecallLoss,
    rb.FastAPLoss,
    rb.SoftBinAPLoss,
    rb.BlackBoxAPLoss,
]
DIM, PER_CLASS, REPEATS = 128, 4, 5


class PeakMemory:
    """The most memory that this process held while the block ran, above what it held before, in MB."""

    def __enter__(self) -> "PeakMemory":
        self.process, self.running = psutil.Process(), True
        self.before = self.most = self.process.memory_info().rss
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while self.running:
            self.most = max(self.most, self.process.memory_info().rss)
            time.sleep(0.0005)

    def __exit__(self, *error) -> None:
        self.running = False
        self.thread.join()
        self.megabytes = (self.most - self.before) / 1e6


def step(loss: torch.nn.Module, batch: int) -> float:
    """Milliseconds of one forward and backward pass."""
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(batch, DIM, generator=generator), dim=1).requires_grad_()
    labels = torch.arange(batch) // PER_CLASS
    start = time.perf_counter()
    loss(embeddings, labels).backward()
    return (time.perf_counter() - start) * 1e3


def measure(kind: type[torch.nn.Module], batch: int) -> dict:
    """Median milliseconds and peak megabytes of a step. The process must be new: an allocator keeps what it once had."""
    loss = kind()
    step(loss, 2 * PER_CLASS)  # the first step of a process loads libraries
    with PeakMemory() as memory:
        times = [step(loss, batch) for _ in range(REPEATS)]
    return {"batch": batch, "loss": kind.__name__, "ms": round(statistics.median(times), 2), "peak MB": round(memory.megabytes, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("batch", nargs="*", type=int, default=[64, 256, 1024])
    jobs = [(kind, batch) for batch in parser.parse_args().batch for kind in LOSSES]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        rows = list(pool.map(measure, *zip(*jobs, strict=True)))
    print(f"{torch.get_num_threads()} thread(s), {DIM} dimensions, {PER_CLASS} items a class, median of {REPEATS} steps")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
