"""List the studies and what they cost, or run one.

    python -m rankbook.experiments                                   # the list; nothing runs
    python -m rankbook.experiments smooth_ap --jobs 2                # what its table lacks, into data/results of the clone
    python -m rankbook.experiments smooth_ap --folder my/results
    python -m rankbook.experiments NAME --data SET --root DIR        # on a data set of yours; the list says which a study knows
    python -m rankbook.experiments evidence                          # what all of them say, pair by pair; seconds
    python -m rankbook.experiments untrained                         # what the features of a set retrieve before any training; seconds
    python -m rankbook.experiments leaderboard                       # the losses of retrieval on every set; seconds
    python -m rankbook.experiments leaderboard --data photos --folder mine    # and on a set or folder of yours, run as ours were

A run can be interrupted at any time; the same command goes on. Learned sorters, benchmarks and a training of yours have commands of
their own:
``python -m rankbook.experiments.sorters``, ``python -m rankbook.experiments.benchmarks``, ``python -m rankbook.experiments.train``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rankbook.checks import check_count
from rankbook.experiments import evidence, leaderboard, untrained
from rankbook.experiments.command import told
from rankbook.experiments.studies import studies
from rankbook.experiments.study import Study
from rankbook.experiments.tables import data_folder
from rankbook.statistics import paired_differences, summary

#: What is made of the studies' tables, or beside them.
TABLES = (evidence.NAME, leaderboard.NAME, untrained.NAME)


def main(arguments: Sequence[str] | None = None) -> None:
    known = studies()
    parser = argparse.ArgumentParser(
        "python -m rankbook.experiments", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", choices=[*known, *TABLES], help="the study to run; none: list them")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the table is or shall be (default: data/results of the clone)")
    parser.add_argument("--data", metavar="SET", help="a set that the study knows (default: the bundled one); of the leaderboard, yours")
    parser.add_argument("--root", type=Path, metavar="DIR", help="the folder of that set")
    parser.add_argument("--device", help="of the training, such as cuda, for studies that train on one (default: the study's own)")
    parser.add_argument("--seeds", type=int, metavar="N", help="test seeds 0 to N - 1 (default: the study's own)")
    parser.add_argument("--network", choices=leaderboard.NETWORKS, help="of a leaderboard (default: head where there are features)")
    options = parser.parse_args(arguments)
    if options.name is None:
        for study in known.values():
            print(f"{study.name}: {study.question}")
            for one in study.everywhere():
                print(f"    {one.data}: {cost(one, options.folder)}")
        return
    with told(parser):
        folder = data_folder("results", options.folder)
        if options.name == evidence.NAME:
            print(evidence.write(folder))
        elif options.name == leaderboard.NAME:
            lead(options, folder)
        else:
            run(untrained.STUDY if options.name == untrained.NAME else known[options.name], options, folder)


def run(study: Study, options: argparse.Namespace, folder: Path) -> None:
    """Run what the table of a study lacks on one of its sets, and report it; or measure what there is before training."""
    check_count("jobs", options.jobs)
    seeds = None if options.seeds is None else tuple(range(check_count("seeds", options.seeds)))
    study = study.on(options.data or study.data, options.root, device=options.device, test_seeds=seeds)
    if not study.at_hand and options.root is None:
        raise ValueError(f"{study.data} does not come with the package; say where it is: --root DIR")
    if options.name == untrained.NAME:
        print(untrained.write(study, folder))
        return
    print(f"{study.name}, {study.data}: {study.question}\n    {cost(study, folder)}\n    {folder / f'{study.name}.csv'}", flush=True)
    study.complete(folder, jobs=options.jobs)
    report(study, folder)


def lead(options: argparse.Namespace, folder: Path) -> None:
    """Write the leaderboard of our tables, or run its protocol on a set of the reader's."""
    if options.data is None:
        print(leaderboard.write(folder))
        return
    if options.folder is None:
        raise ValueError("folder must be named for a set of yours, since its lines do not belong among ours: --folder FOLDER")
    study = leaderboard.study_on(options.data, options.root, network=options.network)
    print(f"{leaderboard.NAME}, {study.data}: {study.question}\n    {leaderboard.price(study, folder)}", flush=True)
    path = leaderboard.extend(study, folder, jobs=options.jobs)
    print(f"    {path}\n{leaderboard.report(path, study)}")


def cost(study: Study, folder: Path | None) -> str:
    """How many runs there are and how many are stored, and what the rest will take on one core, as far as the stored ones tell."""
    there, total, seconds = study.progress(folder)
    told = f"{there} of {total} runs are stored"
    if there < total:
        told += (
            f"; the other {total - there} take about {seconds / there * (total - there) / 60:.0f} CPU minutes"
            if there
            else "; none is timed yet"
        )
    return told + (f" ({seconds / 60:.0f} CPU minutes)" if there else "")


def report(study: Study, folder: Path) -> None:
    """Print means and paired differences of the test lines."""
    test = study.results(folder).test
    if study.beside is not None:
        try:
            test = study.compared(folder)
        except ValueError:
            print(f"no comparison: {study.beside.name}.csv in {folder} is missing or incomplete; run `{study.beside.command}` too")
    if len(study.test_seeds) < 2:
        print("one test seed has no interval, and shows no difference; say --seeds 5 for both")
        print(test.groupby("loss", sort=False)[[*study.task.metrics]].mean().round(4).reset_index().to_string(index=False))
        return
    print(summary(test, study.task.metrics).round(4).to_string(index=False))
    if study.reference in set(test["loss"]) and test["loss"].nunique() > 1:
        print(
            paired_differences(test, study.task.metrics, reference=study.reference, overlap=study.overlap).round(4).to_string(index=False)
        )


if __name__ == "__main__":
    main()
