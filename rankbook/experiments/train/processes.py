"""The process group of ``torchrun``: joined, left, and not outlived."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

_LOOK = 1.0  # seconds


@contextmanager
def process_group(device: torch.device, timeout: float) -> Iterator[torch.device]:
    """Join the group that ``torchrun`` has started this process for, if it has; the device of this process.

    A process that fails leaves at once, without a word to the group: the others notice that it is gone. One whose launcher is gone
    ends: nobody would stop it, and it would hold the folder.
    """
    if dist.is_initialized() or "WORLD_SIZE" not in os.environ:
        yield device
        return
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(seconds=timeout))
    yield device
    gc.collect()  # a model in a cycle holds the group, which would then end with the interpreter, whose lock its threads may wait for
    dist.destroy_process_group()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)
