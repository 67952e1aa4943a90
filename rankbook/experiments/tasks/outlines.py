"""Outlines: a polygon for each picture, from its box and its colors alone, judged by the mask that no loss sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.scenes import SIZE, Scenes, pasted_emoji
from rankbook.polygons import soft_inside

#: Seeds from here on draw validation pictures, those below test pictures: a picture that chose judges nothing.
TUNING = 100


class Fitted(nn.Module):
    """One polygon ``[n, v, 2]`` a picture, and the split that the pictures are of."""

    def __init__(self, polygons: Tensor, split: str, seed: int):
        super().__init__()
        self.polygons, self.split, self.seed = polygons, split, seed


@dataclass(frozen=True)
class Outlines:
    """Fit polygons to pictures, each by itself, all in one batch, by Adam.

    Args:
        load: (part, seed, n) -> `Scenes`.
        pictures: of one seed.
        corners: of a polygon.
        lr: of Adam, in pixels.
    """

    load: Callable[[str, int, int], Scenes] = pasted_emoji
    pictures: int = 16
    corners: int = 16
    lr: float = 0.25

    metrics: ClassVar[tuple[str, ...]] = ("IoU", "boundary F", "kept")

    def fit(self, loss: nn.Module, *, steps: int, seed: int) -> Fitted:
        """The polygons after ``steps`` on the pictures of a seed, from ellipses in their boxes.

        Args:
            loss: (polygons, images, boxes) -> the sum of the losses; ``loss.start`` is the size of the ellipse, in sizes of the box.
            steps: of Adam.
            seed: of the pictures: from 100 on of the validation, below of the test.
        """
        split = "validation" if seed >= TUNING else "test"
        scenes = self.load(split, seed, self.pictures)
        return Fitted(fitted(loss, scenes, corners=self.corners, steps=steps, lr=self.lr), split, seed)

    def measure(self, model: Fitted, split: str) -> dict[str, float]:
        """Means over the pictures; a polygon is *kept* unless it collapsed. "box IoU" and "box boundary F" are those of the boxes as masks.

        Raises:
            ValueError: the polygons were fitted to pictures of another split.
        """
        if split != model.split:
            raise ValueError(f"split must be {model.split!r}, of which the polygons of seed {model.seed} are, got {split!r}")
        return measured(model.polygons, self.load(split, model.seed, self.pictures))


def fitted(loss: nn.Module, scenes: Scenes, *, corners: int, steps: int, lr: float) -> Tensor:
    """Polygons ``[n, corners, 2]``, each fitted to its picture by itself; arguments as in `Outlines`."""
    with one_thread():
        polygons = ellipses(scenes.boxes, corners, loss.start).requires_grad_()
        optimizer = torch.optim.Adam([polygons], lr=lr)
        for _ in range(steps):
            optimizer.zero_grad()
            loss(polygons, scenes.images, scenes.boxes).backward()
            optimizer.step()
    return polygons.detach()


def measured(polygons: Tensor, scenes: Scenes) -> dict[str, float]:
    """The metrics of `Outlines`, and those of the boxes taken for masks.

    IoU of the pixels inside; boundary F with one pixel of tolerance; a polygon has collapsed when its pixels are less than a tenth of
    its box, or more than twice its box.
    """
    truth = scenes.masks.numpy()
    inside = (soft_inside(polygons, SIZE, SIZE) > 0.5).numpy()
    left, top, right, bottom = scenes.boxes.unbind(1)
    box = torch.stack([left, top, right, top, right, bottom, left, bottom], 1).view(-1, 4, 2)
    filled = (soft_inside(box, SIZE, SIZE) > 0.5).numpy()
    share = inside.sum((1, 2)) / filled.sum((1, 2))
    return {
        "IoU": iou(inside, truth),
        "boundary F": boundary_f(inside, truth),
        "kept": float(((share >= 0.1) & (share <= 2)).mean()),
        "box IoU": iou(filled, truth),
        "box boundary F": boundary_f(filled, truth),
    }


def ellipses(boxes: Tensor, corners: int, size: float) -> Tensor:
    """Polygons ``[n, corners, 2]`` on ellipses in the middle of boxes ``[n, 4]``, ``size`` times as large."""
    angles = torch.arange(corners) * (2 * math.pi / corners)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return middle[:, None] + size * half[:, None] * torch.stack([angles.cos(), angles.sin()], 1)


def iou(masks: np.ndarray, others: np.ndarray) -> float:
    """The mean IoU of masks ``[n, height, width]`` in pairs."""
    return float(((masks & others).sum((1, 2)) / (masks | others).sum((1, 2))).mean())


def boundary_f(masks: np.ndarray, others: np.ndarray) -> float:
    """The mean F of the boundaries of masks in pairs: the pixels of one that have a pixel of the other at most one step away."""
    edges, other_edges = _edges(masks), _edges(others)
    precision, recall = (_share(one, near) for one, near in ((edges, other_edges), (other_edges, edges)))
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).mean())


def _edges(masks: np.ndarray) -> np.ndarray:
    """Pixels of a mask that touch a pixel outside of it, or the rim of the picture."""
    return masks & ~ndimage.binary_erosion(masks, ndimage.generate_binary_structure(2, 1)[None])


def _share(edges: np.ndarray, others: np.ndarray) -> np.ndarray:
    near = ndimage.binary_dilation(others, np.ones((1, 3, 3)))
    return (edges & near).sum((1, 2)) / np.maximum(edges.sum((1, 2)), 1)
