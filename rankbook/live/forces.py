"""Eight embeddings on a circle, and where each loss of a batch pushes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import DEAD, LiveFigure
from rankbook.live.traits import BadTrait, angles, choice, labels, number, whole
from rankbook.losses import CalibrationLoss, ROADMAPLoss, SmoothAPLoss, SupAPLoss, SupConLoss
from rankbook.metrics import average_precision
from rankbook.relevance import leave_query_out, same_label

#: One item of each class has strayed into the other. Smooth-AP with tau = 0.01 pushes nobody.
STUCK = (301, 326, 351, 105, 158, 171, 199, 88)
MARGIN = 0.2  # of the triplet, in units of the distance

#: Name -> loss at a temperature: (scores [n, n], labels [n]) -> loss. SupAP has its published shape, stretched to the temperature.
LOSSES: dict[str, Callable[[float], Callable[[Tensor, Tensor], Tensor]]] = {
    "Smooth-AP": lambda tau: _of_scores(SmoothAPLoss(tau=tau)),
    "SupAP": lambda tau: _of_scores(SupAPLoss(tau=tau, rho=1 / tau, delta=5 * tau)),
    "calibration": lambda tau: _of_scores(CalibrationLoss()),
    "ROADMAP": lambda tau: _of_scores(ROADMAPLoss(tau=tau, rho=1 / tau, delta=5 * tau)),
    "SupCon": lambda tau: _of_scores(SupConLoss(temperature=tau)),
    "triplet": lambda tau: hard_triplet,
}


def hard_triplet(scores: Tensor, labels: Tensor, margin: float = MARGIN) -> Tensor:
    """Batch hard: the farthest positive of each item, and its nearest negative, by Euclidean distance of unit vectors; the first of
    several. The mean over the items that violate the margin."""
    own = torch.eye(len(labels), dtype=torch.bool)
    same, other = same_label(labels) & ~own, ~same_label(labels)
    apart = 2 - 2 * scores > 0  # the root has no slope at 0
    distances = torch.where(apart, (2 - 2 * torch.where(apart, scores, 0)).sqrt(), 0)
    farthest = torch.where(same, distances.detach(), -torch.inf).argmax(1, keepdim=True)
    nearest = torch.where(other, distances.detach(), torch.inf).argmin(1, keepdim=True)
    excess = (distances.gather(1, farthest) - distances.gather(1, nearest) + margin).relu()[same.any(1) & other.any(1)]
    return excess.sum() / (excess > 0).sum().clamp(min=1)


def _of_scores(loss: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """A batch loss as a function of the cosines, so that two equal angles tie exactly: each row is a query, the gallery is the identity."""

    def of_scores(scores: Tensor, labels: Tensor) -> Tensor:
        n = len(scores)
        return loss(scores, labels, torch.eye(n, dtype=scores.dtype), labels, self_index=torch.arange(n))

    return of_scores


class Forces(LiveFigure, module="forces"):
    """Drag embeddings around the circle: an arrow on each shows minus the gradient of the loss, a list who pulls or pushes the query.

    Traits:
        angles: of 2 to 8 unit vectors, in whole degrees from 0 to 359.
        labels: as many, 0 or 1; one class has two items or more.
        loss: "Smooth-AP", "SupAP", "calibration", "ROADMAP", "SupCon" or "triplet" (batch hard).
        tau: temperature of Smooth-AP, SupAP (delta = 5 tau, rho = 1 / tau) and SupCon, from 0.01 to 0.3; no margin changes with it.
        query: the item whose list is shown; the one that was dragged last.
    """

    angles = angles([*STUCK])
    labels = labels([0, 0, 0, 0, 1, 1, 1, 1], 8)
    loss = choice("Smooth-AP", tuple(LOSSES))
    tau = number(0.01, 0.01, 0.3)
    query = whole(3, 0, 7)

    @traitlets.validate("angles", "labels", "query")
    def _check(self, proposal: Any) -> Any:
        now = {name: getattr(self, name) for name in ("angles", "labels", "query")} | {proposal["trait"].name: proposal["value"]}
        classes = now["labels"]
        if len(classes) != len(now["angles"]) or now["query"] >= len(classes) or max(map(classes.count, (0, 1))) < 2:
            raise BadTrait(
                f"{proposal['trait'].name} must fit: a label for each angle, two of one class, a query among them; got {now}; "
                "to change their number set them together inside `with figure.hold_trait_notifications():`"
            )
        return proposal["value"]

    def cosines(self) -> Tensor:
        """Of all pairs: [n, n] in float64. Two pairs at the same angle tie exactly."""
        angles = torch.tensor(self.angles)
        between = (angles[:, None] - angles).abs()
        return (torch.minimum(between, 360 - between).double() * (math.pi / 180)).cos()

    def readout(self) -> dict[str, Any]:
        scores, classes = self.cosines(), torch.tensor(self.labels)
        leaf = scores.clone().requires_grad_()
        value = LOSSES[self.loss](self.tau)(leaf, classes)
        (slopes,) = torch.autograd.grad(value, leaf)
        angles = torch.tensor(self.angles).double() * (math.pi / 180)
        turns = (angles[:, None] - angles).sin()
        couplings = slopes + slopes.T
        forces = (couplings * turns).sum(1)
        return self.figure_state() | {
            "value": value.item(),
            "ap": average_precision(scores, same_label(classes), where=leave_query_out(len(classes))).item(),
            "forces": forces.tolist(),
            "pulls": (-couplings * turns.abs())[self.query].tolist(),
            "felt": int((forces.abs() >= DEAD).sum()),
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            f"{len(self.angles)} embeddings of two classes on a circle, and where {self.loss} pushes each of them. AP is {now['ap']:.3f}, "
            f"the loss {now['value']:.3f}, and {now['felt']} of {len(self.angles)} feel a force; the strongest turns by "
            f"{max(map(abs, now['forces'])):.2g} for a unit step."
        )
