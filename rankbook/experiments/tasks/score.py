"""Ranking by a score: a small network on frozen features is trained on some items, and judged by Spearman's rho on others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.experiments.tasks.rated import Rated, warm_emoji
from rankbook.metrics import kendall, spearman


class Scorer(nn.Module):
    """Features ``[b, d]`` -> scores ``[b]``; it remembers the seed, which says on which items it was trained."""

    def __init__(self, inputs: int, hidden: int, dropout: float, seed: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1))
        self.seed = seed

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features).squeeze(-1)


class Data(NamedTuple):
    """Items of one seed: standardized features, the standardized score that training sees, the score that judges, rows by split."""

    features: Tensor
    taught: Tensor
    judged: Tensor
    rows: dict[str, Tensor]


@dataclass(frozen=True)
class ScoreRanking:
    """Give items a score so that their order is that of a measured one.

    A fifth of the items is the validation set of every seed. A quarter of the others, drawn anew by each seed, is its test set; the rest
    trains. So no item that chose a setting is judged, and the seeds say what other items and other first weights would have done.

    Args:
        load: () -> `Rated`; with a ``root``, root -> `Rated`.
        batch: items in a step, which are one list.
        hidden: units of the one hidden layer.
        dropout: share of the features and of the hidden units that a step leaves out.
        root: the folder of the data, where they do not come with the package.
    """

    load: Callable[..., Rated] = warm_emoji
    batch: int = 100
    hidden: int = 64
    dropout: float = 0.3
    root: Path | None = field(default=None, compare=False)

    metrics: ClassVar[tuple[str, ...]] = ("Spearman", "Kendall")

    def data(self, seed: int) -> Data:
        return prepared(self.load, self.root, seed)

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> Scorer:
        """Train a scorer; the same call gives the same scorer.

        Args:
            loss: (scores, target) -> loss; its own parameters, if any, are trained too.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: batches.
            seed: of the items, the first weights and the batches; they are the same for every loss.
        """
        data = self.data(seed)
        with seeded(seed) as generator:
            scorer = Scorer(data.features.shape[1], self.hidden, self.dropout, seed)
            minimize(scorer, loss, lists(data, self.batch, generator), lr=lr, steps=steps, weight_decay=0.1)
        return scorer.eval()

    def measure(self, model: Scorer, split: str) -> dict[str, float]:
        """Rank correlation with the score that judges, over all items of a split."""
        data = self.data(model.seed)
        rows = data.rows[split]
        with one_thread(), torch.no_grad():
            scores, target = model(data.features[rows]), data.judged[rows]
            return {"Spearman": spearman(scores, target).item(), "Kendall": kendall(scores, target).item()}


def lists(data: Data, batch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless lists of ``batch`` training items; an epoch's rest that is too short for a list is left out."""
    while True:
        order = data.rows["train"][torch.randperm(len(data.rows["train"]), generator=generator)]
        for rows in order.split(batch):
            if len(rows) == batch:
                yield data.features[rows], data.taught[rows]


@lru_cache(maxsize=16)
def prepared(load: Callable[..., Rated], root: Path | None, seed: int) -> Data:
    """The items of a seed, split; a process prepares a seed once, not once a run."""
    rated = load() if root is None else load(root)
    rows = split_rows(rated.n, seed)
    features = standard(rated.features(rows["train"]), rows["train"])
    taught, judged = rated.scores(seed)
    return Data(features, standard(taught, rows["train"]).float(), judged, rows)


def split_rows(n: int, seed: int) -> dict[str, Tensor]:
    """Rows of the three splits: validation is the same in every seed."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    validation, others = order[: n // 5], order[n // 5 :]
    others = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(seed + 1))]
    test = len(others) // 4
    return {"validation": validation, "test": others[:test], "train": others[test:]}


def standard(x: Tensor, rows: Tensor) -> Tensor:
    """Mean 0 in each column and mean square 1 in all, over some rows: columns keep their weights."""
    centered = x - x[rows].mean(0)
    return centered / centered[rows].square().mean().sqrt()
