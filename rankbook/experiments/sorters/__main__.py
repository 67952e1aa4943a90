"""Train the shipped sorters, and measure them.

    python -m rankbook.experiments.sorters                       # what is there and what the rest takes; nothing runs
    python -m rankbook.experiments.sorters train                 # those that are missing
    python -m rankbook.experiments.sorters train kernel lstm     # these, anew
    python -m rankbook.experiments.sorters measure               # the tables sorters_*.csv, anew

Training writes ``sorters/NAME`` (weights and card) and the history in ``results/sorters_training.csv``, measuring the other
tables, in data/ of the clone or in ``--folder``. A killed training goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from rankbook.experiments.runs import one_thread
from rankbook.experiments.sorters.measurements import TABLES, goals
from rankbook.experiments.sorters.recipes import COMMAND, RECIPES, train_recipe
from rankbook.experiments.tables import data_folder, read_table, write_table
from rankbook.sorters import load_sorter, sorter_card
from rankbook.sorters.checkpoints import write_checksums

MEASURING = "a quarter of an hour"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", nargs="?", choices=("plan", "train", "measure"), default="plan", help="(default: %(default)s)")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"sorters to train: {', '.join(RECIPES)} (default: those that are missing)"
    )
    parser.add_argument("--folder", type=Path, help="in place of the folder data/ of the clone")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(RECIPES):
        parser.error(f"no recipe of {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")
    if options.names and options.verb != "train":
        parser.error(f"names are for `train`, not for `{options.verb}`, which takes all")
    try:
        data = data_folder("", options.folder)
    except ValueError as error:
        parser.error(str(error))
    names = options.names or [name for name in RECIPES if not trained(name, data)]
    if options.verb == "plan":
        plan(names, data)
    elif options.verb == "train":
        train(names, data, of_clone=options.folder is None)
    else:
        if names:
            parser.error(f"{data / 'sorters'} lacks {', '.join(names)}; train them first: {COMMAND} train")
        measure(data)


def trained(name: str, data: Path) -> bool:
    """Whether weights and card are there and fit each other: a kill between the two leaves neither done nor usable."""
    try:
        load_sorter(data / "sorters" / name)
    except (OSError, ValueError):
        return False
    return True


def plan(missing: Sequence[str], data: Path) -> None:
    """What there is, and what the verbs would do."""
    print(f"sorters in {data / 'sorters'}:")
    for name, recipe in RECIPES.items():
        told = "missing" if name in missing else f"{_seconds(name, data):.0f} CPU seconds of training"
        print(f"  {name:22} {recipe.training['steps']:6} steps, {told}")
    minutes = sum(_seconds(name, None) for name in missing or RECIPES) / 60
    print(f"`{COMMAND} train` trains the {len(missing)} that are missing; {'these' if missing else 'all'} took {minutes:.0f} CPU minutes")
    print(f"`{COMMAND} measure` writes {', '.join(f'sorters_{name}.csv' for name in TABLES)}: about {MEASURING} of one core")
    print(f"histories and tables go to {data / 'results'}")


def train(names: Sequence[str], data: Path, *, of_clone: bool) -> None:
    """Train in turn; the registry of hashes is that of the clone, and follows at the end, also after a kill."""
    for name in names:
        print(f"training {name} into {data / 'sorters' / name}", flush=True)
        train_recipe(name, data, resume=data.parent / "_build" / "sorters" if of_clone else data / "checkpoints")
    if of_clone:
        write_checksums()


def measure(data: Path) -> None:
    """Write the tables and print the goals."""
    sorters = {name: load_sorter(data / "sorters" / name) for name in RECIPES}
    facts = {"torch": torch.__version__.partition("+")[0], "command": f"{COMMAND} measure"}
    with one_thread():
        for name, table in TABLES.items():
            write_table(table(sorters).assign(**facts), data / "results" / f"sorters_{name}.csv")
    front = read_table(data / "results" / "sorters_front.csv")
    print(goals(front, {name: _seconds(name, data) for name in RECIPES}).to_string(index=False))


def _seconds(name: str, data: Path | None) -> float:
    """Of training, from the card in ``data``, or from the one that comes with the package."""
    return sorter_card(name if data is None else data / "sorters" / name)["cpu_seconds"]


if __name__ == "__main__":
    main()
