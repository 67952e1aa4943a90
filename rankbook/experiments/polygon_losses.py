"""What a polygon is pulled by when its box alone is known, the terms of `rankbook.polygon_box_loss`, and by a mask, for comparison."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from rankbook.polygons import polygon_box_loss, soft_inside


class BoxTerms(nn.Module):
    """`rankbook.polygon_box_loss` with these weights, and the size of the ellipse that a polygon starts as, in sizes of its box."""

    #: What of the pictures, a field of `rankbook.experiments.tasks.scenes.Scenes`, it is called with between polygons and boxes.
    sees: ClassVar[str] = "images"

    def __init__(
        self, unary: float = 1.0, local: float = 0.0, region: float = 0.0, tau: float = 0.5, sigma: float = 0.15, start: float = 0.9
    ):
        super().__init__()
        self.start, self.knobs = start, {"unary": unary, "local": local, "region": region, "tau": tau, "sigma": sigma}

    def forward(self, polygons: Tensor, images: Tensor, boxes: Tensor) -> Tensor:
        return polygon_box_loss(polygons, images, boxes, reduction="sum", **self.knobs)


class MaskOverlap(nn.Module):
    """1 less the IoU of the soft mask of a polygon with the mask of the thing: no box loss, but what masks would teach, a ceiling."""

    sees: ClassVar[str] = "masks"

    def __init__(self, tau: float = 0.5, start: float = 0.9):
        super().__init__()
        self.start, self.tau = start, tau

    def forward(self, polygons: Tensor, masks: Tensor, boxes: Tensor) -> Tensor:
        inside, truth = soft_inside(polygons, *masks.shape[1:], tau=self.tau), masks.to(polygons.dtype)
        both = (inside * truth).sum((1, 2))
        return (1 - both / (inside.sum((1, 2)) + truth.sum((1, 2)) - both)).sum()
