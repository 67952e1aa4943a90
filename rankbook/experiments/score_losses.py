"""The losses that the study of scores compares, each with two settings of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from rankbook.experiments.parts import Contender
from rankbook.experiments.tasks.score_batches import InLists
from rankbook.losses import RankNetLoss, SpearmanLoss
from rankbook.ranks import box_ranks, exact_ranks, projection_ranks, sigmoid_ranks
from rankbook.sorters import UpdatingSorter, load_sorter
from rankbook.sorters.sorter import standardize


class Regression(nn.Module):
    """MSE or L1 between scores and target; ``of="rank"``: in the place of the target its rank within the list, mean 0 and deviation 1."""

    def __init__(self, distance: Callable[[Tensor, Tensor], Tensor], of: str):
        super().__init__()
        self.distance, self.of = distance, of

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        goal = target if self.of == "score" else standardize(-exact_ranks(target, ties="average"), None)
        return self.distance(scores, goal)


class Pairs(nn.Module):
    """RankNet; its grades start at 0, a standardized score does not."""

    def __init__(self, sigma: float):
        super().__init__()
        self.loss = RankNetLoss(sigma=sigma)

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        return self.loss(scores, target - target.min())


class Sorted(nn.Module):
    """SoDeep's loss: Spearman by a shipped sorter, with L1 to the target added in the first ``warm_up`` steps.

    Args:
        name: of the sorter.
        warm_up: steps with L1; the paper adds it in the first epoch.
        updated: the sorter goes on learning from the scores, a step after each batch, as in SoDeep's code.
    """

    def __init__(self, name: str, warm_up: int, updated: bool = False):
        super().__init__()
        sorter = load_sorter(name)
        self.loss = SpearmanLoss(UpdatingSorter(sorter) if updated else sorter)
        self.warm_up, self.updated, self.steps = warm_up, updated, 0

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        if self.updated and self.steps:  # its gradient has been taken: now the sorter may change
            self.loss.ranker.update()
        self.steps += 1
        loss = self.loss(scores, target)
        return loss + nn.functional.l1_loss(scores, target) if self.steps <= self.warm_up else loss


def spearman_by(ranker: Callable[..., Tensor], **knobs: float) -> SpearmanLoss:
    return SpearmanLoss(partial(ranker, **knobs))


WARM_UP = {"warm_up": (0, 50)}

MSE = Contender(partial(Regression, nn.functional.mse_loss), {"of": ("score", "rank")})
L1 = Contender(partial(Regression, nn.functional.l1_loss), {"of": ("score", "rank")})
RANKNET = Contender(Pairs, {"sigma": (1.0, 3.0)})
SIGMOID = Contender(partial(spearman_by, sigmoid_ranks), {"tau": (0.1, 0.5)})
PROJECTION = Contender(partial(spearman_by, projection_ranks), {"tau": (0.3, 3.0)})
BOX = Contender(partial(spearman_by, box_ranks), {"width": (0.3, 1.5)})


def sorter(name: str, *, updated: bool = False) -> Contender:
    return Contender(partial(Sorted, name, updated=updated), WARM_UP)


def in_lists(name: str, lists: int, long: int) -> Contender:
    """Spearman's loss by sigmoid ranks, or MSE, in batches of ``lists`` lists of ``long`` items."""
    one = {"Spearman": SIGMOID, "MSE": MSE}[name]
    return Contender(partial(_cut, one.make, lists, long), one.grid)


def _cut(make: Callable[..., nn.Module], lists: int, long: int, **knobs: float | str) -> InLists:
    return InLists(make(**knobs), lists, long)
