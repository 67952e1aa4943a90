"""Work in new processes that talk to each other: for measurements that want a fresh process, and for several on one machine."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import multiprocessing

#: For one exchange. The slowest one here waits for a process that is still loading torch.
_SECONDS = 120


def can_talk() -> bool:
    """Whether processes of this machine can talk through gloo, the backend for CPUs."""
    return dist.is_available() and dist.is_gloo_available()


def together(work: Callable[..., Any], world: int, *arguments: Any) -> list[Any]:
    """What ``work(rank, world, *arguments)`` returns in each of ``world`` new processes, one thread each, as JSON can hold it.

    With more than one they share the default process group. A process that fails ends the others.

    Args:
        work: a function at the top of a module, which the new processes import.

    Raises:
        RuntimeError: no gloo here.
        torch.multiprocessing.ProcessRaisedException: a process has met an error.
    """
    if world > 1 and not can_talk():
        raise RuntimeError("this torch has no gloo, so processes cannot talk to each other on a CPU; take a build of torch that has it")
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_start, (work, world, folder, arguments), nprocs=world)
        return [json.loads((Path(folder) / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(world)]


def _start(rank: int, work: Callable[..., Any], world: int, folder: str, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=".*barrier", category=UserWarning)
    if world > 1:
        store = (Path(folder) / "store").as_uri()
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world, timeout=timedelta(seconds=_SECONDS))
    found = work(rank, world, *arguments)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    if world > 1:
        dist.barrier()  # who leaves first takes the store along
        dist.destroy_process_group()
