"""What large batches take: memory, time and exactness of one pass, two passes, a memory, and two processes.

    python -m rankbook.experiments.benchmarks.scale                          # the tables in data/results: scale.csv, scale_traps.csv
    python -m rankbook.experiments.benchmarks.scale gathered                 # the lines of a way, or "traps", anew; the others stay
    python -m rankbook.experiments.benchmarks.scale --folder FOLDER --quick  # tries the script, at tiny sizes

Some minutes on two cores. Each way has processes of its own, one thread each; memory is read where Linux counts it.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from rankbook.experiments.benchmarks.processes import together
from rankbook.experiments.benchmarks.scale_traps import traps
from rankbook.experiments.benchmarks.scale_ways import ENCODERS, WAYS, measure
from rankbook.experiments.tables import data_folder, write_table
from rankbook.files import probe

COMMAND = "python -m rankbook.experiments.benchmarks.scale"
SIZES, QUICK = (512, 1024, 2048, 4096), (32, 64)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(['traps', *WAYS])}; none: all")
    parser.add_argument("--folder", type=Path, help="where the tables go (default: data/results of the clone)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: tries the script, measures nothing")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - {"traps", *WAYS}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are traps, {', '.join(WAYS)}")
    if options.quick and options.folder is None:
        parser.error("--folder: say where to write; the stored tables are of whole sizes")
    try:
        folder = data_folder("results", options.folder)
    except ValueError as error:
        parser.error(str(error))
    for name in ("scale", "scale_traps"):
        probe(folder / f"{name}.csv")
    # glibc then gives large tensors back to the system at once, so that a peak is what was in use, in one run as in the next
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**16))
    wanted = options.parts or ["traps", *WAYS]
    if "traps" in wanted:
        write_table(traps(), folder / "scale_traps.csv")
    for way in WAYS:
        if way in wanted:
            write_table(lines_of(way, QUICK if options.quick else SIZES), folder / "scale.csv", part="way")


def lines_of(way: str, sizes: Sequence[int]) -> pd.DataFrame:
    """A line for each encoder and size; of several processes the largest memory and the mean time."""
    _, world = WAYS[way]
    lines = []
    for encoder in ENCODERS:
        found = together(measure, world, encoder, way, list(sizes))
        for size, parts in zip(sizes, zip(*found, strict=True), strict=True):
            of_each = pd.DataFrame(parts)
            line = {"encoder": encoder, "way": way, "processes": world, "batch": size}
            lines.append(line | dict(of_each.mean()) | {"megabytes": of_each["megabytes"].max()})
            told = "{encoder:6} {way:22} {batch:6} {megabytes:8.1f} MB {over:6.2f} x one pass, {error:.2g} off"
            print(told.format(**lines[-1]), flush=True)
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else float("nan")
    machine = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread a process"
    return pd.DataFrame(lines).assign(load=load, machine=machine, torch=torch.__version__.partition("+")[0])


if __name__ == "__main__":
    main()
