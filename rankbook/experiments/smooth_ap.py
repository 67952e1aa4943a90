"""Does Smooth-AP beat losses of pairs and triplets on the metrics that retrieval papers print?

A linear head on the frozen features of the emoji set is trained with each loss: the same head, first weights, batches,
optimizer, schedule and number of steps. Each loss tunes one knob of its own and the learning rate on the validation classes,
over a grid of the same size; the chosen configuration is trained once for each seed and read on the test classes.
The test classes were read twice for the contrastive loss, Smooth-AP and smooth NDCG: after the first round the learning rate
6e-4 joined every grid, because the contrastive loss had chosen the lowest of three. The other losses joined later; theirs were
read once. New runs of those need pytorch-metric-learning; the stored tables do not.

    python -m rankbook.experiments.smooth_ap

writes three tables to data/results: ``smooth_ap_tuning.csv`` (the grid, validation classes), ``smooth_ap_steps.csv`` (the
chosen configurations at half and twice the steps, validation classes: is the training long enough?) and
``smooth_ap_test.csv`` (the result). It can be interrupted at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from rankbook.datasets import Samples, emoji
from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.pairwise import HardTripletLoss, SemiHardTripletLoss, TripletLoss, multi_similarity
from rankbook.experiments.protocol import RESULTS, command_line, complete, grid, one_thread
from rankbook.losses import SmoothAPLoss, SmoothNDCGLoss, SupConLoss
from rankbook.training import BalancedBatches, train

METRICS = ("R@1", "R@10", "mAP@R", "AP")
CHOSEN_BY = "mAP@R"  # on the validation classes
LEARNING_RATES = (3e-4, 6e-4, 1e-3, 3e-3)
TUNING_SEEDS = (100, 101)
TEST_SEEDS = tuple(range(10))
STEPS = 800
BUDGETS = (0.5, 2)  # of STEPS; the tuning table holds 1
CLASSES, PER_CLASS = 32, 4
COMMAND = "python -m rankbook.experiments.smooth_ap"


class Contender(NamedTuple):
    """A loss with the one knob that it tunes."""

    make: Callable[[float], nn.Module]
    knob: str
    values: tuple[float, ...]


LOSSES: dict[str, Contender] = {
    "triplet (all)": Contender(TripletLoss, "margin", (0.05, 0.1, 0.2, 0.4)),
    "triplet (semi-hard)": Contender(SemiHardTripletLoss, "margin", (0.05, 0.1, 0.2, 0.4)),
    "triplet (hard)": Contender(HardTripletLoss, "margin", (0.2, 0.4, 0.8, 1.6)),
    "contrastive": Contender(SupConLoss, "temperature", (0.03, 0.05, 0.1, 0.2)),
    "multi-similarity": Contender(multi_similarity, "beta", (15.0, 50.0, 150.0, 500.0)),
    "Smooth-AP": Contender(SmoothAPLoss, "tau", (0.01, 0.03, 0.1, 0.3)),
    "smooth NDCG": Contender(SmoothNDCGLoss, "tau", (0.01, 0.03, 0.1, 0.3)),
}


class Head(nn.Module):
    """A linear map to the unit sphere."""

    def __init__(self, inputs: int, outputs: int = 256):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.normalize(self.linear(features), dim=-1)


def fit(
    loss: str,
    *,
    value: float,
    lr: float,
    seed: int,
    steps: int = STEPS,
    data: Samples | None = None,
    losses: Mapping[str, Contender] = LOSSES,
) -> Head:
    """Train a head with one loss; the same call gives the same head.

    Args:
        loss: a key of ``losses``.
        value: of the knob of that loss.
        lr: peak learning rate; it falls to 0 along a cosine.
        seed: of the first weights and the batches; they are the same for every loss.
        steps: batches of 32 classes with 4 images each.
        data: the training classes; None: those of the emoji set.
        losses: who may be trained; another experiment on the same protocol brings its own.
    """
    data = emoji("train") if data is None else data
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(data.inputs.shape[1])
        batches = BalancedBatches(
            data.inputs, data.labels, classes=CLASSES, per_class=PER_CLASS, generator=torch.Generator().manual_seed(seed)
        )
        optimizer = torch.optim.AdamW(head.parameters(), lr=lr)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        train(head, losses[loss].make(value), batches, optimizer, steps=steps, scheduler=scheduler)
    return head


def evaluate(model: nn.Module, data: Samples) -> dict[str, float]:
    """The metrics of the table. ``torch.nn.Identity()`` stands for the frozen features."""
    with one_thread(), torch.no_grad():
        return evaluate_retrieval(model(data.inputs), data.labels)


def run(
    *,
    loss: str,
    value: float,
    lr: float,
    seed: int,
    steps: int,
    split: str,
    data: Mapping[str, Samples] | None = None,
    losses: Mapping[str, Contender] = LOSSES,
    fit: Callable[..., nn.Module] = fit,
    evaluate: Callable[[nn.Module, Samples], dict[str, float]] = evaluate,
) -> dict[str, Any]:
    """One line of a table: train, then evaluate on the classes of ``split``, which training has not seen."""
    start = time.process_time()
    head = fit(loss, value=value, lr=lr, seed=seed, steps=steps, data=None if data is None else data["train"], losses=losses)
    seconds = time.process_time() - start
    return evaluate(head, emoji(split) if data is None else data[split]) | {"knob": losses[loss].knob, "cpu_seconds": seconds}


def stored(loss: str, seed: int, results: Path = RESULTS, *, name: str = "smooth_ap") -> dict[str, Any]:
    """A line of the test table of experiment ``name``; `fit` makes it again from its ``value``, ``lr``, ``seed`` and ``steps``."""
    table = pd.read_csv(results / f"{name}_test.csv")
    lines = table[(table["loss"] == loss) & (table["seed"] == seed)]
    if lines.empty:
        raise ValueError(f"loss and seed must be a line of {name}_test.csv ({', '.join(table['loss'].unique())}), got {loss!r}, {seed!r}")
    return lines.iloc[0].to_dict()


def choose(tuning: pd.DataFrame, *, by: str = CHOSEN_BY) -> dict[str, dict[str, float]]:
    """For each loss, the configuration with the best mean of ``by`` over the tuning seeds on the validation classes."""
    means = tuning.groupby(["loss", "value", "lr"], sort=False)[by].mean().reset_index()
    best = means.loc[means.groupby("loss", sort=False)[by].idxmax()]
    return {line["loss"]: {"value": line["value"], "lr": line["lr"]} for line in best.to_dict("records")}


def main(
    folder: Path = RESULTS,
    *,
    steps: int = STEPS,
    budgets: Sequence[float] = BUDGETS,
    tuning_seeds: Sequence[int] = TUNING_SEEDS,
    test_seeds: Sequence[int] = TEST_SEEDS,
    data: Mapping[str, Samples] | None = None,
    name: str = "smooth_ap",
    losses: Mapping[str, Contender] = LOSSES,
    learning_rates: Sequence[float] = LEARNING_RATES,
    run: Callable[..., dict[str, Any]] = run,
    chosen_by: str = CHOSEN_BY,
    command: str = COMMAND,
) -> pd.DataFrame:
    """Fill the tables of experiment ``name`` in ``folder``; returns the test table. Lines that exist are kept.

    Another experiment on the same protocol brings its own losses, and where it differs its own seeds, steps, ``budgets`` (none:
    no table of steps), learning rates, ``run`` for a line and metric to choose by.
    """
    if data is None:
        data = {split: emoji(split) for split in ("train", "validation", "test")}

    def fill(table: str, configurations: Mapping[str, Sequence[dict[str, float]]], seeds: Sequence[int], *, split: str, lengths=(steps,)):
        lines = [
            {"loss": loss, **knobs, "seed": seed, "steps": length, "split": split}
            for loss, several in configurations.items()
            for knobs in several
            for length in lengths
            for seed in seeds
        ]
        return complete(folder / f"{name}_{table}.csv", lines, partial(run, data=data, losses=losses), command=command)

    grids = {loss: grid(value=contender.values, lr=learning_rates) for loss, contender in losses.items()}
    chosen = choose(fill("tuning", grids, tuning_seeds, split="validation"), by=chosen_by)
    best = {loss: [knobs] for loss, knobs in chosen.items()}
    if budgets:
        fill("steps", best, tuning_seeds, split="validation", lengths=[round(steps * budget) for budget in budgets])
    return fill("test", best, test_seeds, split="test")


if __name__ == "__main__":
    command_line(__doc__, main, METRICS, reference="Smooth-AP")
