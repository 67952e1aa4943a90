"""A polygon on a small picture, of which the box alone is known: what each of three terms pulls it to, and where it ends."""

from __future__ import annotations

import base64
import math
from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import LiveFigure
from rankbook.live.star_picture import BOX, PICTURE
from rankbook.live.traits import BadTrait, coded, number, numbers
from rankbook.polygons import polygon_box_terms, soft_inside

SIDE = 32  # pixels
TURN = math.pi / 180  # of the first ray from the top: no polygon is its own mirror image
TAU, SIGMA = 0.5, 0.1
# whose box is that of the star
ELLIPSE = (10, 10.09, 10.33, 10.64, 10.9, 11, 10.88, 10.6, 10.3, 10.08, 10, 10.09, 10.33, 10.64, 10.9, 11, 10.88, 10.6, 10.3, 10.08)


class PolygonFit(LiveFigure, module="polygon_fit"):
    """Drag a corner along its ray, or let the polygon descend the loss; bars say which term pulls a corner where.

    The terms are those of `rankbook.polygon_box_terms` at tau 0.5 and sigma 0.1. The mask of the picture judges; no term sees it.

    Traits:
        radii: 8 to 24 distances of corners to the middle of the box, 0.5 to 16 pixels; they stand on rays at equal angles.
        unary, local, region: weights of the terms, from 0 to 2, 2 and 20.
        picture: 32 x 32 pixels, as base64 of red, green, blue, and 1 or 0 for the mask.
        box: left, top, right, bottom in pixels.
    """

    radii = numbers(ELLIPSE, 8, 24, 0.5, 16)
    unary = number(1.0, 0.0, 2.0)
    local = number(0.5, 0.0, 2.0)
    region = number(5.0, 0.0, 20.0)
    picture = coded(PICTURE, (SIDE, SIDE, 4), "row by row")
    box = numbers(BOX, 4, 4, 0, SIDE)

    @traitlets.validate("box")
    def _check_box(self, proposal: Any) -> Any:
        left, top, right, bottom = proposal["value"]
        if left >= right or top >= bottom:
            raise BadTrait(f"box must be left, top, right, bottom with an area, got {proposal['value']}")
        return proposal["value"]

    def readout(self) -> dict[str, Any]:
        images, mask = seen(self.picture)
        radii = torch.tensor(self.radii, dtype=torch.float64, requires_grad=True)
        polygon, box = on_rays(radii, self.box), torch.tensor([self.box], dtype=torch.float64)
        terms = polygon_box_terms(polygon, images, box, tau=TAU, sigma=SIGMA)
        weights = (self.unary, self.local, self.region)
        pulls = [-weight * torch.autograd.grad(term, radii, retain_graph=True)[0] for weight, term in zip(weights, terms, strict=True)]
        inside = soft_inside(polygon.detach(), SIDE, SIDE, tau=TAU)[0] > 0.5
        either = (inside | mask).sum().item()
        return {
            "of_box": terms.unary.item(),
            "of_neighbors": terms.local.item(),
            "of_regions": terms.region.item(),
            "loss": sum(weight * term.item() for weight, term in zip(weights, terms, strict=True)),
            "box_pulls": pulls[0].tolist(),
            "neighbor_pulls": pulls[1].tolist(),
            "region_pulls": pulls[2].tolist(),
            "iou": (inside & mask).sum().item() / either if either else None,
            **self.figure_state(),
        }

    def describe(self) -> str:
        now = self.readout()
        judged = (
            "there is no mask to judge it by" if now["iou"] is None else f"its IoU with the mask, which no term sees, is {now['iou']:.2f}"
        )
        return (
            f"A polygon of {len(self.radii)} corners on a picture of {SIDE} by {SIDE} pixels. With the weights {self.unary:g} of the box, "
            f"{self.local:g} of the neighbors and {self.region:g} of the regions its loss is {now['loss']:.3f}; {judged}."
        )


def seen(picture: str) -> tuple[Tensor, Tensor]:
    """Colors from 0 to 1 ``[1, 3, 32, 32]`` and the mask ``[32, 32]``."""
    found = torch.frombuffer(bytearray(base64.b64decode(picture)), dtype=torch.uint8).view(SIDE, SIDE, 4)
    return found[..., :3].permute(2, 0, 1)[None].double() / 255, found[..., 3] > 0


def on_rays(radii: Tensor, box: list[float]) -> Tensor:
    """Corners ``[1, v, 2]`` at these distances from the middle of the box, clockwise, the first one almost above it."""
    angles = TURN - math.pi / 2 + torch.arange(len(radii), dtype=radii.dtype) * (2 * math.pi / len(radii))
    middle = torch.tensor([[box[0] + box[2], box[1] + box[3]]], dtype=radii.dtype) / 2
    return (middle + radii[:, None] * torch.stack([angles.cos(), angles.sin()], 1))[None]
