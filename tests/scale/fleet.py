"""Start processes that work together: ``python -m scale.fleet FOLDER W...`` runs each check of `scale.checks` and
`scale.training_checks` in W processes.

They are forked from one that has imported torch, talk by gloo through a file, and write what each check said, a file each. A check that
hangs ends with the time limit of the group, or of whoever started this.
"""

import json
import multiprocessing
import sys
import traceback
import warnings
from datetime import timedelta
from pathlib import Path

import torch
import torch._dynamo  # an optimizer imports it, for more than a second: once here, not in each process that is forked
import torch.distributed as dist

SECONDS = 20  # for one exchange, which takes milliseconds


def work(rank, world, folder, checks):
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world, timeout=timedelta(seconds=SECONDS))
    said = {}
    for check in checks:
        torch.manual_seed(0)  # the same data everywhere; a check takes its part
        try:
            check(rank, world)
            said[check.__name__] = "fine"
        except Exception:
            said[check.__name__] = traceback.format_exc()
        (folder / f"{rank}.json").write_text(json.dumps(said))
    dist.barrier()
    dist.destroy_process_group()


def start(world, folder):
    """The worst exit code of a group."""
    context = multiprocessing.get_context("fork")
    folder.mkdir()
    processes = [context.Process(target=work, args=(rank, world, folder, CHECKS), daemon=True) for rank in range(world)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return max(abs(process.exitcode) for process in processes)


if __name__ == "__main__":
    from scale import checks, training_checks

    CHECKS = [*checks.CHECKS, *training_checks.CHECKS]
    sys.exit(max(start(int(world), Path(sys.argv[1]) / world) for world in sys.argv[2:]))
