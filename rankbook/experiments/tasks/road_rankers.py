"""What ranks the agents of a road scene: a network, or boosted trees, on numbers, on a picture, or on both."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rankbook.experiments.tasks.road_scenes import Scenes, cells, numbers, pictures

_FILTERS, _HIDDEN = 16, 64


class Seen(NamedTuple):
    """What a ranker is given: numbers ``[s, 16, 21]``, pictures ``[s, 5, 40, 40]``, the cell of each agent ``[s, 16]`` twice."""

    numbers: Tensor
    pictures: Tensor
    row: Tensor
    column: Tensor


def looked_at(scenes: Scenes, inputs: str) -> Seen:
    """What a ranker of these inputs sees; no pictures are made for one that looks at none."""
    made = torch.empty(len(scenes.speed), 0) if inputs == "numbers" else pictures(scenes)
    return Seen(numbers(scenes), made, *cells(scenes))


class AgentScorer(nn.Module):
    """`Seen` -> scores ``[s, 16]``: from the numbers, from what a convolution makes of the agent's cell, or from both."""

    def __init__(self, inputs: str, features: int, seed: int):
        super().__init__()
        self.inputs, self.seed = inputs, seed
        width = features * (inputs != "picture") + _FILTERS * (inputs != "numbers")
        self.layers = nn.Sequential(nn.Linear(width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))
        self.picture = nn.Sequential()
        if inputs != "numbers":
            for channels, apart in ((5, 1), (_FILTERS, 2), (_FILTERS, 4)):  # each cell sees 15 by 15 others
                self.picture.append(nn.Conv2d(channels, _FILTERS, 3, padding=apart, dilation=apart))
                self.picture.append(nn.ReLU())

    def features(self, seen: Seen) -> Tensor:
        """What the layers are given of each agent, ``[s, 16, width]``."""
        parts = [] if self.inputs == "picture" else [seen.numbers]
        if self.inputs != "numbers":
            scene = torch.arange(len(seen.row))[:, None]
            parts.append(self.picture(seen.pictures).permute(0, 2, 3, 1)[scene, seen.row, seen.column])
        return torch.cat(parts, dim=2)

    def forward(self, seen: Seen) -> Tensor:
        return self.layers(self.features(seen)).squeeze(-1)


class Trees(nn.Module):
    """Boosted trees behind the same call: of the numbers, and of what a trained network makes of the picture, if there is one."""

    def __init__(self, picture: AgentScorer | None, seed: int):
        super().__init__()
        self.picture, self.seed, self.trees = picture, seed, []
        self.inputs = "numbers" if picture is None else "both"

    def features(self, seen: Seen) -> Tensor:
        return seen.numbers if self.picture is None else torch.cat([seen.numbers, self.picture.features(seen)], dim=2)

    def grow(self, seen: Seen, there: Tensor, loss: Callable[[Tensor], Tensor], *, rate: float, count: int) -> None:
        """Each tree fits the loss's negative gradient at the scores so far: gradient boosting, for any loss that torch derives.

        Args:
            there: which agents there are, ``[s, 16]``.
            loss: of scores ``[s, 16]``.
            rate: by which a tree is shrunk; the gradients are in units of the first one's size (root mean square).
            count: of trees, of at most 15 leaves each.

        Raises:
            ModuleNotFoundError: no scikit-learn.
        """
        try:
            from sklearn.ensemble import HistGradientBoostingRegressor
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("the trees of this study need scikit-learn; try `pip install scikit-learn`") from error
        with torch.no_grad():
            rows = self.features(seen)[there].numpy()
        scores, size = torch.zeros(there.shape), None
        for _ in range(count):
            with torch.enable_grad():
                at = scores.clone().requires_grad_()
                (slope,) = torch.autograd.grad(loss(at), at)
            size = slope[there].square().mean().sqrt() if size is None else size
            tree = HistGradientBoostingRegressor(learning_rate=rate, max_iter=1, max_leaf_nodes=15, early_stopping=False, random_state=0)
            self.trees.append(tree.fit(rows, (-slope[there] / size).numpy()))
            scores[there] += torch.from_numpy(tree.predict(rows)).float()

    def forward(self, seen: Seen) -> Tensor:
        rows = self.features(seen).flatten(0, 1).numpy()
        return torch.from_numpy(sum(tree.predict(rows) for tree in self.trees)).float().view(seen.row.shape)
