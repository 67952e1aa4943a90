"""Clicks of lists: one network gives a logit, which ranks the items of a list and is read as a probability."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from rankbook.calibrated import MonotoneCalibration, evaluate_probabilities
from rankbook.experiments.click_losses import ClickBatch, CrossEntropy
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.click_logs import Log, simulated
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.lists import pad_lists

Inputs = tuple[Tensor, Tensor, Tensor]


class Ranker(nn.Module):
    """(query ``[..., f]``, item ``[..., d]``, number of the item ``[...]``) -> (logit, the probability that the map makes of it).

    One narrow hidden layer sees all three. The map sees the query, and the logit without its gradient.
    """

    def __init__(self, log: Log, width: int, seed: int):
        super().__init__()
        self.ids = nn.Embedding(log.items, 4)
        nn.init.normal_(self.ids.weight, std=0.01)
        inputs = log.query.shape[1] + log.item.shape[1] + 4
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 1))
        self.calibrate = MonotoneCalibration(log.query.shape[1], pieces=20)
        self.seed = seed

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        query, item, ids = inputs
        logits = self.layers(torch.cat([query, item, self.ids(ids)], -1)).squeeze(-1)
        probabilities = logits.detach().double().sigmoid().flatten()
        return logits, self.calibrate(probabilities, query.flatten(0, -2)).view_as(logits)


@dataclass(frozen=True)
class Clicks:
    """Rank the items of a list by the probability of a click, and have the probability right.

    A first slice of the log trains the deployed model, by cross-entropy, and a second one the model that is measured. Two more choose
    and judge.

    Args:
        load: (seed, root) -> `Log`.
        width: of the hidden layer; a narrow one cannot serve both masters.
        batch: lists in a step, or as many samples as so many full lists hold.
        root: the folder of the data, where they do not come with the package.
    """

    load: Callable[[int, Path | None], Log] = simulated
    width: int = 6
    batch: int = 20
    root: Path | None = field(default=None, compare=False)

    metrics: ClassVar[tuple[str, ...]] = ("GAUC", "AUC", "LogLoss", "ECE", "map GAUC", "map AUC", "map LogLoss", "map ECE")

    def log(self, seed: int) -> Log:
        return kept(self.load, self.root, seed)

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> Ranker:
        """Train a ranker and its map; the same call gives the same two.

        Args:
            loss: (logits, `ClickBatch`) -> loss, that says by ``batches`` what it sees: "samples", "logged" (samples, each with its
                list as the deployed model scored it) or "lists".
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: batches.
            seed: of the log, where it is drawn, the first weights and the batches.
        """
        shown = deployed(self, seed)[0] if loss.batches == "logged" else None
        return self._fit("train", loss, shown, lr, steps, seed)

    def measure(self, model: Ranker, split: str) -> dict[str, float]:
        """GAUC, AUC, LogLoss and ECE in 20 bins: of the logit's sigmoid, and of what the map makes of it."""
        log = self.log(model.seed)
        rows = log.rows[split]
        with one_thread(), torch.no_grad():
            logits, mapped = model((log.query[rows], log.item[rows], log.ids[rows]))
            found = {}
            for before, probabilities in (("", logits.double().sigmoid()), ("map ", mapped)):
                values = evaluate_probabilities(probabilities, log.labels[rows], log.judged[rows], bins=20)
                found |= {before + name: value for name, value in values.items()}
        return {name: found[name] for name in self.metrics}

    def _fit(self, part: str, loss: nn.Module, shown: Tensor | None, lr: float, steps: int, seed: int) -> Ranker:
        log = self.log(seed)
        with seeded(seed) as generator:
            model = Ranker(log, self.width, seed)

            def both(outputs: tuple[Tensor, Tensor], batch: ClickBatch) -> Tensor:
                logits, mapped = outputs
                return loss(logits, batch) + binary_cross_entropy(mapped[batch.where], batch.labels[batch.where].double())

            batches = (
                lists(log, part, self.batch, generator) if loss.batches == "lists" else samples(log, part, self.batch, generator, shown)
            )
            minimize(model, loss, batches, lr=lr, steps=steps, call=both)
        return model.eval()


@lru_cache(maxsize=16)
def kept(load: Callable[[int, Path | None], Log], root: Path | None, seed: int) -> Log:
    return load(seed, root)


def deployed(task: Clicks, seed: int) -> tuple[Tensor, Ranker]:
    """The logits ``[n]`` that the deployed model gives to the whole log, and the model: cross-entropy on the old slice, 200 batches."""
    return _deployed(task.load, task.root, task.width, task.batch, seed)


@lru_cache(maxsize=16)
def _deployed(load: Callable[[int, Path | None], Log], root: Path | None, width: int, batch: int, seed: int) -> tuple[Tensor, Ranker]:
    task = Clicks(load, width, batch, root)
    model = task._fit("old", CrossEntropy(), None, 0.01, 200, seed)
    log = task.log(seed)
    with one_thread(), torch.no_grad():
        return model((log.query, log.item, log.ids))[0], model


def lists(log: Log, part: str, size: int, generator: torch.Generator) -> Iterator[tuple[Inputs, ClickBatch]]:
    """Endless batches of ``size`` whole lists."""
    rows, there = pad_lists(log.rows[part], log.shown[log.rows[part]])
    while True:
        for some in torch.randperm(len(rows), generator=generator).split(size):
            at = rows[some]
            yield (log.query[at], log.item[at], log.ids[at]), ClickBatch(log.labels[at], there[some])


def samples(log: Log, part: str, size: int, generator: torch.Generator, shown: Tensor | None) -> Iterator[tuple[Inputs, ClickBatch]]:
    """Endless batches of shuffled samples, as many as ``size`` full lists hold; beside each its list, where ``shown`` has its scores."""
    rows = log.rows[part]
    table, there = pad_lists(rows, log.shown[rows])
    place = torch.zeros(int(log.shown.max()) + 1, dtype=torch.long)
    place[log.shown[table[:, 0]]] = torch.arange(len(table))
    while True:
        for some in torch.randperm(len(rows), generator=generator).split(size * table.shape[1]):
            at = rows[some]
            its, beside = place[log.shown[at]], ()
            if shown is not None:
                beside = (shown[table[its]], log.labels[table[its]], there[its])
            yield (log.query[at], log.item[at], log.ids[at]), ClickBatch(log.labels[at], torch.ones_like(at, dtype=torch.bool), *beside)
