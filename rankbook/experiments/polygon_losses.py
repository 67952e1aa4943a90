"""What a polygon is fitted to when its box alone is known: the terms of `rankbook.polygon_box_loss`, by themselves and together."""

from __future__ import annotations

from torch import Tensor, nn

from rankbook.polygons import polygon_box_loss


class BoxTerms(nn.Module):
    """`rankbook.polygon_box_loss` with these weights, and the size of the ellipse that a polygon starts as, in sizes of its box."""

    def __init__(
        self, unary: float = 1.0, local: float = 0.0, region: float = 0.0, tau: float = 0.5, sigma: float = 0.15, start: float = 0.9
    ):
        super().__init__()
        self.start, self.knobs = start, {"unary": unary, "local": local, "region": region, "tau": tau, "sigma": sigma}

    def forward(self, polygons: Tensor, images: Tensor, boxes: Tensor) -> Tensor:
        return polygon_box_loss(polygons, images, boxes, reduction="sum", **self.knobs)
