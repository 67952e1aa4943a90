"""Runs: configurations and what came out, one line each. What a table lacks is computed, in parallel; nothing is ever lost."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from rankbook.checks import check_count
from rankbook.experiments.tables import CONFIG, change_lines, read_lines, typed
from rankbook.files import probe

Config = Mapping[str, Any]
Run = Callable[[Config], Mapping[str, Any]]


def key(config: Config) -> str:
    """The configuration in canonical JSON: exact for floats, tuples and None, and the same on every machine.

    Equal numbers are one key (1 and 1.0, Python's and numpy's), and so are a tuple and a list.

    Raises:
        TypeError, ValueError: a value that JSON cannot hold, or NaN, which equals nothing.

    >>> from rankbook.experiments.runs import key
    >>> key({"tau": 0.1, "k": (1, 2), "margin": None})
    '{"k":[1,2],"margin":null,"tau":0.1}'
    """
    return json.dumps(_canonical("config", config), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fill(path: str | os.PathLike[str], wanted: Iterable[Config], run: Run, *, jobs: int = 1) -> pd.DataFrame:
    """Run what the table at ``path`` lacks, and return the lines of ``wanted``, in their order.

    Args:
        path: a CSV file; it may not exist yet. Each result is merged into it at once, so a kill loses the runs that were under
            way, and two processes may fill one table. Lines that are there are never changed and never deleted.
        wanted: the configurations; a line with the same `key` counts as done.
        run: configuration -> results, names with numbers or words. With several ``jobs`` it must be found by its import.
        jobs: processes, of one thread each. The results do not depend on it.

    Raises:
        Exception: whatever ``run`` raised first, with a note that names the configuration. Runs under way are stored before.
        OSError: ``path`` cannot be written; before any run.
    """
    path = Path(path)
    check_count("jobs", jobs)
    configs = {key(config): dict(config) for config in wanted}
    probe(path)
    done = {line[CONFIG] for line in _lines(path)}
    missing = {name: config for name, config in configs.items() if name not in done}
    bar = tqdm(total=len(missing), desc=path.stem, unit="run", disable=bool(os.environ.get("TQDM_DISABLE")) or not missing)
    with bar:
        for name, results in _in_processes(run, missing, jobs) if jobs > 1 and missing else _in_turn(run, missing):
            _add(path, name, results)
            bar.update()
    return found(path, configs.values())


def found(path: str | os.PathLike[str], wanted: Iterable[Config]) -> pd.DataFrame:
    """The stored lines of ``wanted``, in their order; nothing is computed.

    Raises:
        ValueError: a configuration that the table does not hold.
    """
    lines = {line[CONFIG]: line for line in _lines(Path(path))}
    names = [key(config) for config in wanted]
    if absent := [name for name in names if name not in lines]:
        raise ValueError(f"{path} has no line of {absent[0]} (nor of {len(absent) - 1} others); run the study first")
    return typed([lines[name] for name in names])


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: sums in a fixed order, so that a run can be repeated; the setting is restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_turn(run: Run, missing: dict[str, Config]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, config in missing.items():
        try:
            with one_thread():
                results = run(config)
        except Exception as error:
            error.add_note(f"in the run of {name}")
            raise
        yield name, results


def _in_processes(run: Run, missing: dict[str, Config], jobs: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Processes are spawned, not forked: a fork of a process whose threads hold locks hangs."""
    first, others = None, set(active_children())
    with ProcessPoolExecutor(min(jobs, len(missing)), mp_context=get_context("spawn"), initializer=_prepare_worker) as pool:
        names = {pool.submit(run, config): name for name, config in missing.items()}
        pending = set(names)
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    if error := future.exception():
                        error.add_note(f"in the run of {names[future]}")
                        first = first or error
                        pending = {other for other in pending if not other.cancel()}  # what is under way is stored still
                    else:
                        yield names[future], future.result()
        except (KeyboardInterrupt, GeneratorExit):  # nobody takes what is under way, and a worker that Ctrl-C has hit may hold the queue
            for worker in set(active_children()) - others:
                worker.kill()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    if first is not None:
        raise first


def _prepare_worker() -> None:
    torch.set_num_threads(1)
    os.environ["TQDM_DISABLE"] = "1"  # one bar, that of the table


def _add(path: Path, name: str, results: Mapping[str, Any]) -> None:
    """Merge one line into the table, in the order of the keys; a line that another process wrote meanwhile stays."""
    if clash := set(results) & {*json.loads(name), CONFIG}:
        raise ValueError(f"results must have other names than the configuration, got {', '.join(sorted(clash))} in both")
    facts = {"torch": torch.__version__.partition("+")[0], "python": platform.python_version()}
    line = {CONFIG: name} | {column: _cell(value) for column, value in (dict(results) | facts).items()}
    change_lines(path, lambda old: sorted({one[CONFIG]: one for one in (line, *old)}.values(), key=lambda one: one[CONFIG]))


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)


def _lines(path: Path) -> list[dict[str, str]]:
    lines = read_lines(path)
    if lines and CONFIG not in lines[0]:
        raise ValueError(f"{path} is no table of runs: it has no column {CONFIG!r}; name another folder")
    return lines


def _canonical(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}; use None for a knob that is off")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping) and all(isinstance(part, str) for part in value):
        return {part: _canonical(f"{name}[{part!r}]", one) for part, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(f"{name}[{i}]", one) for i, one in enumerate(value)]
    raise TypeError(f"{name} must be a number, a word, None, or a tuple or dict of these, got {value!r} ({type(value).__name__})")
