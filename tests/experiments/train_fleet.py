"""Trainings in W processes, killed and started again: ``python -m experiments.train_fleet FOLDER`` runs `SCENES`, a JSON a scene.

The processes are forked from one that has imported torch, and talk by gloo through a file. Nobody ends those that a kill leaves
alone: they must notice, and end themselves.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
import warnings
from datetime import timedelta
from pathlib import Path

import torch
import torch._dynamo  # an optimizer imports it, for more than a second: once here, not in each process that is forked
import torch.distributed as dist

from rankbook import datasets, files
from rankbook.datasets import Samples
from rankbook.experiments.train import __main__ as command
from rankbook.experiments.train import session
from rankbook.training.together import Together

SECONDS = 20
STEPS, EVERY = 11, 3
OPTIONS = ["--data", "tiny", "--loss", "SupAPLoss", "--knob", "tau=0.1", "--knob", "rho=10", "--knob", "delta=0.5"]
OPTIONS += [
    "--steps",
    str(STEPS),
    "--every",
    str(EVERY),
    "--classes",
    "5",
    "--per-class",
    "3",
    "--outputs",
    "4",
    "--lr",
    "0.03",
    "--device",
    "cpu",
]
TREE = ["--loss", "SupHAPLoss", "--groups", "2", "--classes", "3"]


def tiny(split: str) -> "Samples":
    """Thirteen classes of one to four items, so that batches have 9 to 15 items: parts of unequal sizes, and an unequal last batch."""
    generator = torch.Generator().manual_seed(len(split))
    classes = torch.arange(13).repeat_interleave(torch.arange(13) % 4 + 1)
    inputs = torch.nn.functional.one_hot(classes, 13).float() + 0.5 * torch.randn(len(classes), 13, generator=generator)
    return Samples(inputs, classes, torch.stack([classes, classes // 3], 1))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def _any(*_):
    return True


#: Where a process dies: in which call, and which of its calls count.
PLACES = {
    "in a step": (torch.optim.AdamW, "step", _any),
    "in the loss": (session.DistributedLoss, "forward", _any),
    "while judging": (session, "_judge", _any),
    "while the checkpoint is written": (torch, "save", _any),
    "before the checkpoint is in its place": (files.os, "replace", lambda *names: str(names[-1]).endswith("checkpoint.pt")),
    "when the checkpoint should be written": (Together, "agree", lambda _, what, *__: what == "writing the checkpoint"),
    "before the result": (session, "_write", _any),
}
#: Number of processes -> one kill after the other: the place, the rank of who dies there, and at which call.
KILLS = {
    1: [("in a step", 0, 5), ("before the checkpoint is in its place", 0, 1), ("while the checkpoint is written", 0, 2)],
    2: [
        ("in a step", 0, 2),  # before the first checkpoint
        ("in a step", 1, 5),
        ("while the checkpoint is written", 0, 1),
        ("when the checkpoint should be written", 1, 1),
        ("before the checkpoint is in its place", 0, 1),
        ("in the loss", 0, 2),
        ("while judging", 1, 1),
        ("before the result", 0, 1),
    ],
    4: [("in the loss", 2, 8), ("when the checkpoint should be written", 3, 1)],
}


def die_at(place, number):
    """Die at the call of this number, before it does anything."""
    owner, name, counts = PLACES[place]
    before, calls = getattr(owner, name), iter(range(1, 10_000))

    def call(*args, **kwargs):
        if counts(*args) and next(calls) == number:
            die()
        return before(*args, **kwargs)

    setattr(owner, name, call)


def work(rank, world, folder, options, kill, store):
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    datasets.tiny = tiny
    datasets.__all__ = [*datasets.__all__, "tiny"]
    with open(folder / f"log{rank}", "a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        if kill is not None and kill[1] == rank:
            die_at(kill[0], kill[2])
        if world > 1:
            dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world, timeout=timedelta(seconds=SECONDS))
        torch.manual_seed(rank)  # nothing may follow from what came before
        try:
            command.main([*OPTIONS, "--out", str(folder), *options])
        except BaseException:
            traceback.print_exc()
            log.flush()
            os._exit(1)
        if world > 1:
            dist.destroy_process_group()


def start(world, folder, options=(), kill=None):
    """The exit codes of a fleet; None for a process that hangs."""
    folder.mkdir(exist_ok=True, parents=True)
    store = folder / f".store{time.monotonic_ns()}"
    context = multiprocessing.get_context("fork")
    arguments = [(rank, world, folder, options, kill, store) for rank in range(world)]
    processes = [context.Process(target=work, args=one) for one in arguments]
    for process in processes:
        process.start()
    end = time.monotonic() + 3 * SECONDS
    for process in processes:
        process.join(max(0, end - time.monotonic()))
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return codes


def result(folder):
    """What a training has left, in full."""
    return {name: (folder / name).read_bytes().hex() for name in (session.WEIGHTS, session.HISTORY) if (folder / name).exists()}


def killed(world):
    """One kill after the other, each in a training that goes on from what the one before has left."""

    def scene(folder):
        codes = [start(world, folder, kill=kill) for kill in KILLS[world]]
        return {"killed": codes, "codes": start(world, folder), "result": result(folder)}

    return scene


def whole(world, options=()):
    def scene(folder):
        return {"codes": start(world, folder, options), "result": result(folder)}

    return scene


def others(folder):
    """Another number of processes, another loss and other batches in one folder; then more of the same."""
    first = start(2, folder)
    before = result(folder)
    codes = [start(4, folder), start(2, folder, ["--knob", "tau=0.2"]), start(2, folder, ["--seed", "1", "--classes", "4"])]
    log = (folder / "log0").read_text() + (folder / "log1").read_text()
    return {"first": first, "codes": codes, "log": log, "again": start(2, folder), "same": before == result(folder)}


SCENES = {f"whole {world}": whole(world) for world in (1, 2, 4)}
SCENES |= {f"tree {world}": whole(world, TREE) for world in (1, 2, 4)}
SCENES |= {f"killed {world}": killed(world) for world in KILLS}
SCENES |= {"others": others}


if __name__ == "__main__":
    home = Path(sys.argv[1])
    for number, (name, scene) in enumerate(SCENES.items()):
        (home / f"{name}.json").write_text(json.dumps(scene(home / f"scene{number}")))
