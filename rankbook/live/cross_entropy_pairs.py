"""Cross-entropy trained on a circle, and the loss of pairs that it stays above."""

from __future__ import annotations

import math
from typing import Any

import torch
import traitlets
from torch.nn.functional import cross_entropy

from rankbook.live.figure import LiveFigure
from rankbook.live.forces import STUCK
from rankbook.live.traits import angles, as_many, labels, number, whole
from rankbook.losses import cross_entropy_bound

STEPS = 40  # of a training
RATE, TURN = 0.5, 4.0  # learning rates of the class vectors and of the angles, in radians


class CrossEntropyPairs(LiveFigure, module="cross_entropy_pairs"):
    """Train embeddings on a circle and two class vectors by cross-entropy with weight decay, and watch the pairs that bound it.

    Gradient descent begins with class vectors of 0. A point that is dragged begins a new training.

    Traits:
        angles: of 2 to 8 unit vectors before the training, in whole degrees from 0 to 359.
        labels: as many, 0 or 1.
        decay: weight decay of the class vectors, from 0.2 to 2; larger holds loss and bound closer together.
        steps: of the training that are done, from 0 to 40.
    """

    angles = angles([*STUCK])
    labels = labels([0, 0, 0, 0, 1, 1, 1, 1], 8)
    decay = number(0.5, 0.2, 2)
    steps = whole(0, 0, STEPS)

    @traitlets.validate("angles", "labels")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "angles", "labels")

    def trained(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings [n, 2] and class vectors [2, 2] after the steps, in float64."""
        turned = (torch.tensor(self.angles).double() * (math.pi / 180)).requires_grad_()
        vectors = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
        for _ in range(self.steps):
            slopes = torch.autograd.grad(self._loss(_units(turned), vectors), (turned, vectors))
            with torch.no_grad():
                turned -= TURN * slopes[0]
                vectors -= RATE * slopes[1]
        return _units(turned.detach()), vectors.detach()

    def readout(self) -> dict[str, Any]:
        z, vectors = self.trained()
        classes = torch.tensor(self.labels)
        products, same = z @ z.T / len(z) ** 2, classes[:, None] == classes
        return self.figure_state() | {
            "value": self._loss(z, vectors).item(),
            "cross_entropy": cross_entropy(z @ vectors.T, classes).item(),
            "bound": cross_entropy_bound(z, classes, classes=2, weight_decay=self.decay).item(),
            "pull": products[same].sum().item(),
            "push": products.sum().item() / 2,
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            f"{len(self.angles)} embeddings of two classes on a circle, after {self.steps} steps of cross-entropy with a weight decay of "
            f"{self.decay:g}. The loss is {now['value']:.3f}; no class vectors bring it below {now['bound']:.3f}, a loss of the pairs, "
            f"whose pull within the classes is {now['pull']:.3f} and whose push of all pairs is {now['push']:.3f}."
        )

    def _loss(self, z: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        return cross_entropy(z @ vectors.T, torch.tensor(self.labels)) + self.decay / 2 * vectors.square().sum()


def _units(turned: torch.Tensor) -> torch.Tensor:
    return torch.stack([turned.cos(), turned.sin()], dim=1)
