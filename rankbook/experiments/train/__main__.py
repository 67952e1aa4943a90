"""Train an embedding for retrieval, alone or in several processes, and go on after whatever stopped it.

    python -m rankbook.experiments.train --data emoji --loss SmoothAPLoss --knob tau=0.1 --steps 200 --out runs/emoji
    python -m rankbook.experiments.train --data emoji --inputs images --loss SupAPLoss --steps 2000 --out runs/pixels
    python -m rankbook.experiments.train --data photos/ --loss RecallAtKLoss --steps 500 --out runs/photos --size 64
    torchrun --nproc-per-node 4 -m rankbook.experiments.train --data emoji --loss SmoothAPLoss --steps 200 --out runs/four

Features get a linear head, pictures a small convolutional network. The processes share each batch, the loss and the evaluation, so
their number changes the result by rounding only. It is judged on classes that it never sees, --every so many steps, and the state
is saved then: kill any process at any time, give the same command again, and on a CPU, with as many threads, the result has the same
bits as without the kill.

The folder --out has configuration.json (what is trained: another configuration is refused), checkpoint.pt, and at the end history.csv
and weights.safetensors. Set TQDM_DISABLE=1 for no progress bar.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch

from rankbook.checks import check_count
from rankbook.experiments.command import told
from rankbook.experiments.train.data import known
from rankbook.experiments.train.processes import process_group
from rankbook.experiments.train.session import BATCH_LOSSES, Plan, run
from rankbook.scale.processes import rank, world


def parser() -> argparse.ArgumentParser:
    defaults = {field.name: field.default for field in fields(Plan) if field.default is not MISSING}
    made = argparse.ArgumentParser(
        "python -m rankbook.experiments.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.set_defaults(**defaults)
    add = made.add_argument
    add("--data", required=True, metavar="SET", help=f"a set ({', '.join(known())}), or a folder of pictures with a folder a class")
    add("--root", type=Path, metavar="DIR", help="the folder of a set that does not come with the package")
    add("--inputs", choices=("features", "images"), help="of a set that has both (default: the set's own, features)")
    add("--size", type=_count, metavar="N", help="height and width that pictures are scaled to (default: the reader's own)")
    add("--validation", type=float, metavar="SHARE", help="of the classes, where a set has no splits of its own (default: %(default)s)")
    add("--loss", required=True, metavar="NAME", help=f"of a batch: {', '.join(BATCH_LOSSES)}")
    add("--knob", action="append", type=_knob, default=[], metavar="NAME=VALUE", help="of the loss, such as tau=0.1; once for each knob")
    add("--steps", type=_count, required=True, metavar="N", help="batches of the whole training; the learning rate falls to 0 over them")
    add("--lr", type=float, help="peak learning rate of AdamW (default: %(default)s)")
    add("--every", type=_count, metavar="N", help="judge and save after so many steps (default: ten times in all)")
    add("--seed", type=int, help="of the first weights and of the batches (default: %(default)s)")
    add("--classes", type=_count, metavar="N", help="of a batch of all processes; with --groups: of each group (default: %(default)s)")
    add("--per-class", type=_count, metavar="N", help="items of each class in a batch (default: %(default)s)")
    add("--groups", type=_count, metavar="N", help="take batches of siblings, of so many groups; for hierarchical losses (default: any)")
    add("--level", type=_count, metavar="N", help="of the groups: 1 for the parents of the classes (default: %(default)s)")
    add("--outputs", type=_count, metavar="N", help="dimensions of the embedding (default: %(default)s)")
    add("--out", type=Path, required=True, metavar="FOLDER", help="where all of it is kept; one training has one folder")
    add("--device", help="cpu or cuda (default: cuda if there is one); of several processes each takes its own GPU")
    add("--workers", type=int, default=0, metavar="N", help="processes that read pictures, of each process (default: %(default)s)")
    add("--timeout", type=float, default=600, metavar="SECONDS", help="for a process that does not come (default: %(default)s)")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = parser()
    options = parsed.parse_args(arguments)
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    named = {field.name for field in fields(Plan)} - {"knobs"}
    plan = Plan(**{name: value for name, value in vars(options).items() if name in named}, knobs=dict(options.knob))
    try:
        plan.make_loss()
    except (TypeError, ValueError) as error:
        parsed.error(str(error))
    with process_group(device, options.timeout) as place:
        with told(parsed):
            history = run(plan, options.out, root=options.root, device=place, workers=options.workers)
        if world() == 1 or rank() == 0:
            print(history.round(4).to_string(index=False))
            print(options.out / "weights.safetensors")


def _count(text: str) -> int:
    try:
        return check_count("it", ast.literal_eval(text))
    except (SyntaxError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text}") from error


def _knob(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not (name.isidentifier() and sign):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, such as tau=0.1, got {text}")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value  # a word, such as levels


if __name__ == "__main__":
    main()
