"""Outlines of pictures that nothing was fitted to: a small network predicts them, trained on other pictures and their boxes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn

from rankbook.experiments.polygon_losses import BoxTerms
from rankbook.experiments.tasks.fitting import seeded
from rankbook.experiments.tasks.outlines import TUNING, ellipses, fitted, measured
from rankbook.experiments.tasks.scenes import Scenes, emoji_apart

#: Of the steps of a fit to one picture, and of its Adam in pixels: as in the study `polygons`.
FIT = {"steps": 100, "lr": 0.25}
#: How far the network sees from the middle of a box, in half sizes of the box; the corners of a box are 1.41 away. And in how many steps.
REACH, RADII = 1.5, 24
#: Of the last layer: without it and without the norms, first steps of Adam that are too long left some networks at the ellipse for good.
STRIDE = 0.1


class PolygonNetwork(nn.Module):
    """A picture and a box -> a polygon: an ellipse in the box, whose corners the network moves.

    The network looks along rays from the middle of the box, two for each corner, 24 pixels each, in sizes of the box: things of all
    sizes and places look alike to it. Three convolutions run along the rays and around, where the last is next to the first; then each
    corner has what its ray shows and the mean over all rays, and a residual layer says how far it moves. At first weights none does.

    Args:
        corners: of the polygon.
        start: size of the ellipse, in sizes of the box.
        width: channels of the first convolution.
    """

    def __init__(self, corners: int = 16, start: float = 0.9, width: int = 16):
        super().__init__()
        self.corners, self.start = corners, start
        self.blocks = nn.Sequential(_around(6, width, 1, 2), _around(width, 2 * width, 1, 1), _around(2 * width, 4 * width, 2, 2))
        hidden = 8 * width
        self.seen = nn.Sequential(nn.Linear(2 * 4 * width * (RADII // 4), hidden), nn.LayerNorm(hidden), nn.ReLU())
        self.layer = nn.Sequential(nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.ReLU())
        self.moves = nn.Linear(hidden, 2)
        nn.init.zeros_(self.moves.weight)
        nn.init.zeros_(self.moves.bias)

    def forward(self, images: Tensor, boxes: Tensor) -> Tensor:
        """Pictures ``[b, 3, height, width]`` and boxes ``[b, 4]`` -> polygons ``[b, corners, 2]``, in pixels."""
        rays = self.blocks(along_rays(images, boxes, 2 * self.corners)).permute(0, 2, 1, 3).flatten(2)  # [b, corners, features]
        seen = self.seen(torch.cat([rays, rays.mean(1, keepdim=True).expand_as(rays)], 2))
        out, around = (STRIDE * self.moves(seen + self.layer(seen))).unbind(2)  # in half sizes of the box, outwards and around
        angles = torch.arange(self.corners) * (2 * math.pi / self.corners)
        x, y = ((self.start + out) * angles.cos() - around * angles.sin(), (self.start + out) * angles.sin() + around * angles.cos())
        middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        return middle[:, None] + half[:, None] * torch.stack([x, y], 2)


def _around(channels: int, outputs: int, turn: int, out: int) -> nn.Sequential:
    """A convolution over rays, the last of which is next to the first, and radii; ``turn`` and ``out`` are its strides."""
    convolution = nn.Conv2d(channels, outputs, 3, stride=(turn, out), padding=(0, 1), bias=False)
    return nn.Sequential(nn.CircularPad2d((0, 0, 1, 1)), convolution, nn.GroupNorm(8, outputs), nn.ReLU())


def along_rays(images: Tensor, boxes: Tensor, rays: int) -> Tensor:
    """The colors on rays from the middles of boxes ``[b, 4]``, ``RADII`` a ray, ``REACH`` half boxes long: ``[b, 3, rays, RADII]``."""
    angles = torch.arange(rays) * (2 * math.pi / rays)
    unit = torch.stack([angles.cos(), angles.sin()], 1)[:, None] * (torch.arange(RADII)[:, None] + 0.5) * (REACH / RADII)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    places = middle[:, None, None] + half[:, None, None] * unit  # [b, rays, RADII, 2], in pixels
    sizes = torch.tensor(images.shape[:1:-1])
    colors = nn.functional.grid_sample(images, 2 / sizes * places - 1, padding_mode="border", align_corners=False)
    return torch.cat([colors, colors - colors[..., -1:]], 1)


@dataclass(frozen=True)
class PredictedOutlines:
    """Train a network on pictures of the training split, by AdamW, a learning rate that falls to 0; judge it on others.

    Args:
        load: (part, seed, n) -> `Scenes`; its parts share nothing.
        pictures: that judge, of one seed.
        batch: pictures of a step, drawn anew at each.
        corners: of a polygon.
        lr: peak learning rate.
    """

    load: Callable[[str, int, int], Scenes] = emoji_apart
    pictures: int = 64
    batch: int = 16
    corners: int = 16
    lr: float = 3e-3

    metrics: ClassVar[tuple[str, ...]] = ("IoU", "boundary F", "kept")

    def fit(self, loss: nn.Module, *, steps: int, seed: int) -> PolygonNetwork:
        """The network after ``steps``.

        Args:
            loss: (polygons, images, boxes) -> the sum of the losses, or of masks where it says so: ``loss.sees``; ``loss.start`` is the
                size of the ellipse.
            steps: of training.
            seed: of the first weights and of the pictures.
        """
        with seeded(seed):
            network = PolygonNetwork(self.corners, loss.start)
            optimizer = torch.optim.AdamW(network.parameters(), lr=self.lr)
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
            for step in range(steps):
                scenes = self.load("train", seed * 100_000 + step, self.batch)
                optimizer.zero_grad()
                (loss(network(scenes.images, scenes.boxes), getattr(scenes, loss.sees), scenes.boxes) / self.batch).backward()
                optimizer.step()
                scheduler.step()
        network.seed = seed
        return network

    def measure(self, model: PolygonNetwork, split: str) -> dict[str, float]:
        """`measured` on pictures of the seed and split that no network has seen, and the same of `untaught` polygons.

        "box IoU" and "box boundary F" are those of the boxes taken for masks; "ellipse" and "fit" stand before those of `untaught`.
        """
        expected = "validation" if model.seed >= TUNING else "test"
        if split != expected:
            raise ValueError(f"split must be {expected!r}, which a network of seed {model.seed} is for, got {split!r}")
        scenes = self.load(split, model.seed, self.pictures)
        with seeded(model.seed), torch.no_grad():
            polygons = model(scenes.images, scenes.boxes)
        return measured(polygons, scenes) | untaught(self, split, model.seed)


@lru_cache(maxsize=16)
def untaught(task: PredictedOutlines, split: str, seed: int) -> dict[str, float]:
    """What no network is needed for, on the same pictures: the ellipse that fills the box, and a polygon fitted to each picture.

    The fit is that of the study `polygons` with all three terms, at the defaults of `rankbook.polygon_box_loss`, which it chose.
    """
    scenes = task.load(split, seed, task.pictures)
    loss = BoxTerms(local=0.3, region=10.0, tau=0.15, sigma=0.05)
    ways = {"ellipse": ellipses(scenes.boxes, task.corners, 1.0), "fit": fitted(loss, scenes, corners=task.corners, **FIT)}
    return {f"{way} {metric}": measured(polygons, scenes)[metric] for way, polygons in ways.items() for metric in task.metrics}
