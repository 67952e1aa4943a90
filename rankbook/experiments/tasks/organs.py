"""Which patients to recommend for an organ: the outcomes of few pairs are known, and an old score chose those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rankbook.experiments.organ_losses import History
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.experiments.tasks.kidneys import DEVIATION, MEAN, World, world
from rankbook.metrics import kendall, ndcg


class Matcher(nn.Module):
    r"""What is predicted of organs and patients ``[m, n]``, in deviations of the outcome.

    .. math:: \hat y_{ij} = c + \gamma s_{ij} + (1, a_i)^\top A\, (1, b_j) + \beta_j + u_i^\top v_j

    Args:
        world: as it is.
        seed: of the world.
        covariates: has :math:`\gamma` and A, which starts at 0.
        factors: has :math:`\beta`, u and v. An organ without an outcome has u = 0.
        width: of u and v.
    """

    def __init__(self, world: World, seed: int, *, covariates: bool, factors: bool, width: int):
        super().__init__()
        self.world, self.seed = world, seed
        patients = len(world.patients)
        self.level = nn.Parameter(torch.zeros(()))
        self.slope = nn.Parameter(torch.zeros(())) if covariates else None
        self.bilinear = nn.Parameter(torch.zeros(world.organs.shape[1] + 1, world.patients.shape[1] + 1)) if covariates else None
        self.organ = nn.Parameter(0.1 * torch.randn(len(world.seen), width)) if factors else None
        self.patient = nn.Parameter(0.1 * torch.randn(patients, width)) if factors else None
        self.bias = nn.Parameter(torch.zeros(patients)) if factors else None

    def forward(self, part: str) -> Tensor:
        world = self.world
        rows = world.rows[part]
        found = self.level.expand(len(rows), len(world.patients))
        if self.bilinear is not None:
            found = found + self.slope * world.score[rows] + _with_one(world.organs[rows]) @ self.bilinear @ _with_one(world.patients).T
        if self.bias is not None:
            found = found + self.bias
            if part == "train":
                found = found + self.organ @ self.patient.T
        return found

    def penalty(self) -> Tensor:
        """The sum of squares of A, u, v and the biases."""
        return sum(one.square().sum() for one in (self.bilinear, self.organ, self.patient, self.bias) if one is not None)


@dataclass(frozen=True)
class Organs:
    """Recommend N of 400 patients for an organ of which no outcome is known yet.

    A loss is called with what the model predicts for past organs and their `History`; it says by ``covariates``, ``factors`` and
    ``decay`` what model it trains.

    Args:
        misfit: of the world; see `rankbook.experiments.tasks.kidneys.world`.
        n: N, patients that are recommended.
        width: of the factors.

    The metrics are those of new organs over all patients, against what is expected of each pair. ``NDCG@10``: an outcome's relevance is
    how many deviations it lies above the organ's worst. ``P@10``: the share of the best N that is recommended. ``outcome``: the mean of
    the recommended. ``RMSE``: of all pairs, after a line through the known outcomes, so that scores without a unit can be compared.
    ``Kendall``: of all patients.
    """

    misfit: float = 3.0
    n: int = 10
    width: int = 4

    metrics: ClassVar[tuple[str, ...]] = ("NDCG@10", "P@10", "outcome", "RMSE", "Kendall")

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> Matcher:
        """Train a model; the same call gives the same one.

        Args:
            loss: as above.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: each on all known outcomes.
            seed: of the world, the first weights and what the loss draws.
        """
        known = world(seed, self.misfit)
        with seeded(seed) as generator:
            model = Matcher(known, seed, covariates=loss.covariates, factors=loss.factors, width=self.width)
            past = known.score[known.rows["train"]]
            history = History(known.seen, (known.outcome - MEAN) / DEVIATION, past, generator)

            def whole(predicted: Tensor, history: History) -> Tensor:
                return loss(predicted, history) + loss.decay * model.penalty() / history.seen.numel()

            minimize(model, loss, repeat(("train", history)), lr=lr, steps=steps, weight_decay=0.0, call=whole)
        return model

    def measure(self, model: Matcher, split: str) -> dict[str, float]:
        with one_thread(), torch.no_grad():
            return self.judged(model.world, split, model(split), model("train"))

    def judged(self, world: World, split: str, scores: Tensor, past: Tensor) -> dict[str, float]:
        """The metrics of any scores: of the organs of a split ``[50, 400]`` and of past organs ``[150, 400]``."""
        truth = world.truth[world.rows[split]]
        x, y = past.gather(1, world.seen).flatten().double(), world.outcome.flatten().double()
        slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
        line = y.mean() + slope * (scores.double() - x.mean())
        first, best = (one.topk(self.n, dim=1).indices for one in (scores, truth))
        return {
            f"NDCG@{self.n}": self._ndcg(scores, truth),
            f"P@{self.n}": (first[:, :, None] == best[:, None, :]).any(2).double().mean().item(),
            "outcome": truth.gather(1, first).mean().item(),
            "RMSE": (line - truth).square().mean().sqrt().item(),
            "Kendall": kendall(scores, truth).mean().item(),
        }

    def _ndcg(self, scores: Tensor, truth: Tensor) -> float:
        return ndcg(scores, (truth - truth.amin(1, keepdim=True)) / DEVIATION, k=self.n).item()


class Recommended(NamedTuple):
    """A world, and the scores of all its organs and patients ``[m, n]``."""

    world: World
    scores: Tensor


@dataclass(frozen=True)
class OrganLibraries(Organs):
    """`Organs` for recommenders of libraries, in place of a loss; see `rankbook.experiments.organ_libraries`."""

    def fit(self, recommender: Callable[..., np.ndarray], *, steps: int, seed: int) -> Recommended:
        """What a recommender says of the world of a seed, by its own ``steps`` and seed; the same call gives the same."""
        known = world(seed, self.misfit)
        with one_thread():
            return Recommended(known, torch.from_numpy(recommender(known, steps=steps, seed=seed)))

    def measure(self, model: Recommended, split: str) -> dict[str, float]:
        scores = (model.scores[model.world.rows[part]] for part in (split, "train"))
        with one_thread():
            return self.judged(model.world, split, *scores)


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([torch.ones(len(x), 1), x], 1)
