"""The trainings: every loss and batch size embeds the same number of items, on a head that starts with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from time import process_time
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rankbook.datasets import Samples
from rankbook.experiments.gap.draws import draw
from rankbook.experiments.tasks.retrieval import Head
from rankbook.losses import CalibrationLoss, ROADMAPLoss, SmoothAPLoss, SupAPLoss
from rankbook.scale import CrossBatchMemory, two_pass_backward
from rankbook.training import BalancedBatches

ITEMS = 16_000  # embedded by each training: 125 batches of 128
OUTPUTS = 128
PER_CLASS = 4  # items of a class in a batch, as in ROADMAP; more where the classes run out
MEMORY = 1024  # embeddings of the last 8 batches of 128
ONE_PASS = 400  # larger batches go through two passes, in chunks of 256
CHUNK = 256
SHARES = (0.25, 0.5, 1.0)  # of the training, where it is measured

#: Each with its published knobs: tau .01 for ranks; rho 100, delta .05; margins .9 and .6.
LOSSES: dict[str, Callable[[], nn.Module]] = {
    "Smooth-AP": lambda: SmoothAPLoss(tau=0.01),
    "Smooth-AP, tau .1": lambda: SmoothAPLoss(tau=0.1),
    "SupAP": SupAPLoss,
    "ROADMAP .1": lambda: ROADMAPLoss(0.1),
    "ROADMAP .5": lambda: ROADMAPLoss(0.5),
    "calibration": CalibrationLoss,
    "Smooth-AP, memory": lambda: SmoothAPLoss(tau=0.01),
}


class Training(NamedTuple):
    """What makes a training this one; ``batch`` None is the whole set."""

    data: str
    loss: str
    batch: int | None
    lr: float
    seed: int


class Trained(NamedTuple):
    """Weights by share of the training, those of the steps before them (the last first), and what it took."""

    weights: dict[float, Tensor]
    trail: dict[float, list[Tensor]]
    cpu_seconds: float


def first_weights(inputs: int, seed: int, outputs: int = OUTPUTS) -> Head:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Head(inputs, outputs)


def shape(batch: int, labels: Tensor) -> tuple[int, int]:
    """(classes, items a class) of a batch of about so many items."""
    classes = min(batch // PER_CLASS, len(labels.unique()))
    return classes, round(batch / classes)


def batches(data: Samples, batch: int | None, seed: int) -> Iterator[Tensor]:
    """Endless batches, as rows of the samples."""
    if batch is None:
        while True:
            yield torch.arange(len(data))
    classes, per_class = shape(batch, data.labels)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(len(data))
    for items, _ in BalancedBatches(rows, data.labels, classes=classes, per_class=per_class, generator=generator):
        yield items


@lru_cache(maxsize=2)
def trained(training: Training, root: Path | None, trail: int = 0) -> Trained:
    """Train, keeping the weights at `SHARES` and ``trail`` steps before each. The same call gives the same weights.

    AdamW; the learning rate falls to 0 along a cosine.
    """
    data = draw(training.data, root, training.seed).train
    size = training.batch or len(data)
    steps = max(1, round(ITEMS / size))
    stops = {share: max(1, round(share * steps)) for share in SHARES}
    start = process_time()
    head = first_weights(data.inputs.shape[1], training.seed)
    loss = LOSSES[training.loss]()
    memory = CrossBatchMemory(MEMORY, OUTPUTS) if training.loss.endswith("memory") else None
    optimizer = torch.optim.AdamW(head.parameters(), lr=training.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    weights, kept, last = {}, {}, []
    for step, rows in zip(range(1, steps + 1), batches(data, training.batch, training.seed), strict=False):
        optimizer.zero_grad()
        backward(head, loss, memory, data, rows)
        last = [head.linear.weight.detach().clone(), *last][:trail] if trail else []
        optimizer.step()
        scheduler.step()
        for share in [share for share, stop in stops.items() if stop == step]:
            weights[share], kept[share] = head.linear.weight.detach().clone(), list(last)
    return Trained(weights, kept, process_time() - start)


def backward(head: Head, loss: nn.Module, memory: CrossBatchMemory | None, data: Samples, rows: Tensor) -> None:
    """Add the gradient of one batch."""
    inputs, labels = data.inputs[rows], data.labels[rows]
    if memory is not None:
        memory(loss, head(inputs), labels, rows).backward()
    elif len(rows) > ONE_PASS:
        two_pass_backward(head, inputs, lambda embeddings: loss(embeddings, labels), chunk_size=CHUNK)
    else:
        loss(head(inputs), labels).backward()


@torch.no_grad()
def head_of(weight: Tensor) -> Head:
    """A head with these weights."""
    head = Head(weight.shape[1], weight.shape[0])
    head.linear.weight.copy_(weight)
    return head
