"""Measure the decomposability gap while a model trains.

    python -m rankbook.experiments.gap                       # the sets and what is stored; nothing runs
    python -m rankbook.experiments.gap emoji                 # what the three tables lack of this set, into data/results of the clone
    python -m rankbook.experiments.gap cub --root DIR        # on a set of yours, as rankbook.datasets.cub reads it, with its features
    python -m rankbook.experiments.gap emoji --seeds 2 --folder my/results

The tables are gap_training.csv, gap_shapes.csv and gap_gradients.csv. Seeds are made one after the other, all three tables of each, so
that an interrupted run leaves whole seeds; the same command goes on. A seed takes 15 (grocery) to 80 (cub) CPU seconds, the learning rates
before the first one twice that.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rankbook.checks import check_count
from rankbook.experiments.command import told
from rankbook.experiments.gap.draws import SETS
from rankbook.experiments.gap.tables import COMMAND, TEST_SEEDS, Tables
from rankbook.experiments.runs import key
from rankbook.experiments.tables import data_folder, read_lines, stored_path


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", choices=[*SETS], help="the set to run on; none: list what is stored")
    parser.add_argument("--root", type=Path, metavar="DIR", help="the folder of that set")
    parser.add_argument("--folder", type=Path, help="where the tables are or shall be (default: data/results of the clone)")
    parser.add_argument("--seeds", type=int, default=len(TEST_SEEDS), metavar="N", help="test seeds 0 to N - 1 (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.data is None:
        for data in SETS:
            print(f"{data}: {stored(data, options.folder)}")
        return
    with told(parser):
        check_count("jobs", options.jobs), data_folder("results", options.folder)
        seeds = check_count("seeds", options.seeds)
        if (options.data == "emoji") == (options.root is not None):
            raise ValueError("emoji comes with the package and takes no --root; every other set needs it")
        tables = Tables(options.data, options.root, options.folder)
        for seed in range(seeds):
            tables.complete(seed, jobs=options.jobs)
            print(f"seed {seed} of {options.data}: {stored(options.data, options.folder)}", flush=True)


def stored(data: str, folder: Path | None) -> str:
    """How many of the lines are there, table by table."""
    tables = Tables(data, folder=folder)
    try:
        wanted = tables.wanted()
    except ValueError:
        return "the learning rates are not chosen yet"
    there = {}
    for name, lines in wanted.items():
        path = stored_path(name) if folder is None else folder / f"{name}.csv"
        held = {line["config"] for line in read_lines(path)}
        there[name] = f"{name} {len(held & {key(line) for line in lines})} of {len(lines)} lines"
    return ", ".join(there.values())


if __name__ == "__main__":
    main()
