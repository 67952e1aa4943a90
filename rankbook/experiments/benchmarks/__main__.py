"""Measure time and memory of the losses next to their peers.

    python -m rankbook.experiments.benchmarks               # the parts; nothing runs
    python -m rankbook.experiments.benchmarks all           # all of them (`make bench`), stored in bench.csv
    python -m rankbook.experiments.benchmarks losses ranks  # these, printed only

A run of all parts replaces ``bench.csv`` in data/results of the clone or in ``--folder``, with the machine and its load.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from rankbook.experiments.benchmarks.parts import PARTS
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tables import data_folder, write_table
from rankbook.files import probe

COMMAND = "python -m rankbook.experiments.benchmarks"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all, or some of {', '.join(PARTS)}; none: say what they are")
    parser.add_argument("--folder", type=Path, help="where bench.csv goes (default: data/results of the clone)")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - {"all", *PARTS}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are all, {', '.join(PARTS)}")
    if not options.parts:
        for name, part in PARTS.items():
            print(f"{name:10} {part.__doc__}")
        print(f"`{COMMAND} all` measures them all, some minutes on one core, and writes bench.csv")
        return
    whole = "all" in options.parts
    try:
        path = data_folder("results", options.folder) / "bench.csv" if whole else None
    except ValueError as error:
        parser.error(str(error))
    if whole:
        probe(path)
    table = measure(list(PARTS) if whole else options.parts)
    if whole:
        write_table(table, path)


def measure(parts: Sequence[str]) -> pd.DataFrame:
    """Run the parts and print each line as it comes."""
    rows = []
    with one_thread():
        for part in parts:
            for line in PARTS[part]():
                rows.append(line)
                print(
                    f"{line.what:16} {line.peer:36} {line.size:18} {line.ratio:9.2f}  goal {line.goal:8} {line.verdict}",
                    flush=True,
                )
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else float("nan")
    machine = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread"
    return pd.DataFrame(rows).assign(load=load, machine=machine, torch=torch.__version__.partition("+")[0])


if __name__ == "__main__":
    main()
