"""Does a loss that knows the label tree make milder mistakes than one that knows the class alone?

The head, first weights, batches, optimizer and schedule are those of `rankbook.experiments.smooth_ap`. Two losses see the class,
two see class, subgroup and group. Each tunes one knob of its own and the learning rate on the validation classes, by H-AP, over a
grid of the same size; the chosen configuration is trained once for each seed and read once on the test classes.

    python -m rankbook.experiments.hierarchies

writes ``hierarchies_tuning.csv`` and ``hierarchies_test.csv`` to data/results. It can be interrupted at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from rankbook.datasets import Samples, emoji
from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments import smooth_ap
from rankbook.experiments.protocol import command_line, one_thread
from rankbook.experiments.smooth_ap import Contender
from rankbook.losses import SmoothAPLoss, SmoothNDCGLoss, SupConLoss, SupHAPLoss
from rankbook.losses.graded import level_ap
from rankbook.metrics import average_precision, hit_at_k, ndcg

BY_CLASS = {"R@1": partial(hit_at_k, k=1), "AP": average_precision}
BY_LEVELS = {"H-AP": level_ap, "NDCG": ndcg}
METRICS = (*BY_CLASS, *BY_LEVELS)
CHOSEN_BY = "H-AP"  # on the validation classes
LEARNING_RATES = (3e-4, 1e-3, 3e-3, 1e-2)
TUNING_SEEDS = (100,)
TEST_SEEDS = tuple(range(5))
STEPS = 200
COMMAND = "python -m rankbook.experiments.hierarchies"


def scaled(tau: float) -> SupHAPLoss:
    """The published shape (tau = 0.01, rho = 100, delta = 0.05), stretched to temperature ``tau``."""
    return SupHAPLoss(tau=tau, rho=1 / tau, delta=5 * tau)


LOSSES: dict[str, Contender] = {
    "contrastive": Contender(SupConLoss, "temperature", (0.05, 0.1, 0.2)),
    "Smooth-AP": Contender(SmoothAPLoss, "tau", (0.03, 0.1, 0.3)),
    "smooth NDCG": Contender(SmoothNDCGLoss, "tau", (0.03, 0.1, 0.3)),
    "SupH-AP": Contender(scaled, "tau", (0.01, 0.03, 0.1)),
}


def fit(loss: str, *, data: Samples | None = None, losses: Mapping[str, Contender] = LOSSES, **options: Any) -> smooth_ap.Head:
    """`smooth_ap.fit` with all three levels in the batch; a loss on the class reads the first alone."""
    data = emoji("train") if data is None else data
    return smooth_ap.fit(loss, data=SimpleNamespace(inputs=data.inputs, labels=data.levels), losses=losses, **options)


def evaluate(model: nn.Module, data: Samples) -> dict[str, float]:
    """R@1 and AP on the class, H-AP and NDCG on three levels. ``torch.nn.Identity()`` stands for the frozen features."""
    with one_thread(), torch.no_grad():
        embeddings = model(data.inputs)
        by_class = evaluate_retrieval(embeddings, data.labels, metrics=BY_CLASS)
        return by_class | evaluate_retrieval(embeddings, data.levels, metrics=BY_LEVELS)


run = partial(smooth_ap.run, losses=LOSSES, fit=fit, evaluate=evaluate)
stored = partial(smooth_ap.stored, name="hierarchies")
choose = partial(smooth_ap.choose, by=CHOSEN_BY)
main = partial(
    smooth_ap.main,
    name="hierarchies",
    losses=LOSSES,
    learning_rates=LEARNING_RATES,
    steps=STEPS,
    budgets=(),
    tuning_seeds=TUNING_SEEDS,
    test_seeds=TEST_SEEDS,
    run=run,
    chosen_by=CHOSEN_BY,
    command=COMMAND,
)


if __name__ == "__main__":
    command_line(__doc__, main, METRICS, reference="Smooth-AP")
