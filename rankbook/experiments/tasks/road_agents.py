"""Rank the agents of a road scene by how much the plan depends on them; judged by the order, and by plans that know the first alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rankbook.experiments.road_losses import AgentLoss
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.experiments.tasks.road_driving import KEPT, driven, first
from rankbook.experiments.tasks.road_rankers import AgentScorer, Seen, Trees, looked_at
from rankbook.experiments.tasks.road_scenes import Scenes, drawn
from rankbook.metrics import ndcg, recall_at_k
from rankbook.road import needed_order, total_costs

#: Peak learning rate of the network whose picture trees look at.
_PICTURE_RATE = 0.01


class Taught(NamedTuple):
    """The labels of a batch ``[s, 16]``, and which agents there are."""

    relevance: Tensor
    there: Tensor


@dataclass(frozen=True)
class RoadAgents:
    """Give the agents of a scene a score, from noisy velocities; the truth of the planner judges.

    A seed draws its own scenes of all three splits, so the seeds say what other scenes, other weights and other batches would have done.

    Args:
        labels: "ablation": the levels of I; "set": the order in which a plan needs the agents, see `rankbook.road.needed_order`.
        scenes: to train; half as many choose, and as many judge.
        batch: scenes in a step.

    ``NDCG@5``: of the levels of I; ``recall@3``: the share of the very relevant agents (level 2) among the first three; ``avoided@K``: a
    plan that knows the first K agents alone, judged by all: the share of the regret of a plan that knows none which it avoids.
    ``driven@K``, ``safe@K``: the same of drives that plan anew ten times, and the share of them without a collision: see `driven`.
    """

    labels: str = "ablation"
    scenes: int = 1000
    batch: int = 32

    metrics: ClassVar[tuple[str, ...]] = (
        *("NDCG@5", "recall@3"),
        *(f"avoided@{k}" for k in (1, 2, 3, 5, 8)),
        *(f"{what}@{k}" for what in ("driven", "safe") for k in KEPT),
    )

    def drawn(self, seed: int, split: str) -> Scenes:
        return drawn(seed, split, self.scenes // 2 if split == "validation" else self.scenes)

    def taught(self, scenes: Scenes) -> Tensor:
        """The labels ``[s, 16]``: levels 0 to 2, or 4 for the agent that the plan needs first, then 3, 2 and 1 for all others it needs."""
        if self.labels == "ablation":
            return scenes.level
        place = needed_order(scenes.base, scenes.costs, scenes.there)
        return torch.where(place > 0, (5 - place).clamp(min=1), 0)

    def fit(self, loss: AgentLoss, *, lr: float, steps: int, seed: int) -> nn.Module:
        """Train a ranker; the same call gives the same one.

        Args:
            loss: (scores, labels, where=) -> loss, that says by ``inputs`` what the ranker looks at, and whether by ``trees``.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine. Trees are shrunk to ten times as much.
            steps: batches; a fifth as many trees.
            seed: of the scenes, the first weights and the batches.
        """
        scenes = self.drawn(seed, "train")
        seen, taught = looked_at(scenes, loss.inputs), Taught(self.taught(scenes), scenes.there)
        if not loss.trees:
            return self._network(loss, loss.inputs, seen, taught, lr=lr, steps=steps, seed=seed)
        picture = None
        if loss.inputs == "both":
            picture = self._network(loss, "picture", seen, taught, lr=_PICTURE_RATE, steps=steps, seed=seed)
        trees = Trees(picture, seed)
        with one_thread():
            trees.grow(seen, taught.there, lambda scores: loss(scores, *taught), rate=10 * lr, count=steps // 5)
        return trees

    def measure(self, model: nn.Module, split: str) -> dict[str, float]:
        """The metrics on the scenes of a split that the model's seed draws."""
        scenes = self.drawn(model.seed, split)

        def rank(some: Scenes) -> Tensor:
            return model(looked_at(some, model.inputs))

        with one_thread(), torch.no_grad():
            return judged(rank(scenes), scenes) | driven(rank, model.seed, split, len(scenes.speed))

    def _network(self, loss: AgentLoss, inputs: str, seen: Seen, taught: Taught, *, lr: float, steps: int, seed: int) -> AgentScorer:
        with seeded(seed) as generator:
            model = AgentScorer(inputs, seen.numbers.shape[2], seed)
            batches = self._batches(seen, taught, generator)
            minimize(model, loss, batches, lr=lr, steps=steps, call=lambda scores, some: loss(scores, *some))
        return model.eval()

    def _batches(self, seen: Seen, taught: Taught, generator: torch.Generator) -> Iterator[tuple[Seen, Taught]]:
        while True:
            for rows in torch.randperm(len(taught.there), generator=generator).split(self.batch):
                yield Seen(*(part[rows] for part in seen)), Taught(*(part[rows] for part in taught))


def judged(scores: Tensor, scenes: Scenes) -> dict[str, float]:
    """The metrics of `RoadAgents` for scores ``[s, 16]``. Scenes without a relevant agent are in no NDCG and no recall."""
    there = scenes.there
    found = {
        "NDCG@5": ndcg(scores, scenes.level, k=5, where=there).item(),
        "recall@3": recall_at_k(scores, scenes.level == 2, k=3, where=there).item(),
    }
    without = regret(scenes, torch.zeros_like(there)).mean()
    return found | {f"avoided@{k}": (1 - regret(scenes, first(scores, there, k)).mean() / without).item() for k in (1, 2, 3, 5, 8)}


def regret(scenes: Scenes, known: Tensor) -> Tensor:
    """What the best plan of those who know the agents of a mask ``[s, 16]`` costs more, with all there, than the best of all: ``[s]``."""
    true = total_costs(scenes.base, scenes.costs, scenes.there)
    plan = total_costs(scenes.base, scenes.costs, known).argmin(1, keepdim=True)
    return true.gather(1, plan).squeeze(1) - true.amin(1)
