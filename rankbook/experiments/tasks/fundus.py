"""Toy fundus pictures, drawn: a disc with vessels and an optic disc, and in it a lesion, small or large, that is the class."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

SIZE = 48  # pixels, of each side
KINDS = ("none", "spot", "dots", "ring", "streak")
SHARES = (7770, 790, 720, 450, 270)  # of the kinds, as in the set of ASH's authors: healthy, myopia, AMD, glaucoma, DR
SPANS = (3, 5, 9, 15)  # pixels across a lesion
POINTS = 12  # that draw a lesion
BACKGROUND = (0.72, 0.34, 0.16)
BRIGHT, DARK, VESSEL = (0.28, 0.50, 0.35), (-0.45, -0.25, -0.10), (-0.30, -0.22, -0.10)


class Pictures(NamedTuple):
    """inputs: uint8 [n, 3, 48, 48]; labels: int64 [n], an index of `KINDS`; spans: int64 [n], of the lesion, 0 where there is none."""

    inputs: Tensor
    labels: Tensor
    spans: Tensor


def kinds_by_share(n: int) -> Tensor:
    """``[n]`` kinds in the unequal shares of the clinic, at least one of each.

    >>> from rankbook.experiments.tasks.fundus import kinds_by_share
    >>> kinds_by_share(1000).bincount().tolist()
    [777, 79, 72, 45, 27]
    """
    counts = [max(1, round(n * share / sum(SHARES))) for share in SHARES]
    counts[0] += n - sum(counts)
    return torch.arange(len(KINDS)).repeat_interleave(torch.tensor(counts))


def share_of_picture(span: int) -> float:
    """The share of the picture inside of the circle around a lesion of that span.

    >>> from rankbook.experiments.tasks.fundus import share_of_picture
    >>> round(share_of_picture(5), 4)
    0.0085
    """
    return math.pi / 4 * span**2 / SIZE**2


def draw_pictures(labels: Tensor, generator: torch.Generator, spans: tuple[int, ...] = SPANS) -> Pictures:
    """One picture for each kind in ``labels``; everything else is drawn at random, the span of the lesion from ``spans``.

    The same generator draws the same eyes for other labels and as many other spans: only the lesions differ.
    """
    n = len(labels)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=generator)

    axis = torch.linspace(-1, 1, SIZE)
    center = uniform(-0.04, 0.04, 2)
    y, x = axis[None, :, None] - center[:, 0, None, None], axis[None, None, :] - center[:, 1, None, None]
    radius = (x.square() + y.square()).sqrt()
    inside = ((0.94 - radius) * SIZE / 2).clamp(0, 1)  # a soft edge, a pixel wide

    slope = uniform(-0.18, 0.18, 2)  # light from one side, darker to the edge
    light = uniform(0.8, 1.05, 1, 1) + slope[:, 0, None, None] * y + slope[:, 1, None, None] * x - 0.25 * radius.square()

    side = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    disc = torch.stack([uniform(-0.25, 0.25), side * uniform(0.35, 0.6)], -1)
    t = torch.linspace(0, 1, 24)
    start = (torch.arange(6) / 6 * 2 * math.pi + uniform(0, 2 * math.pi, 1))[..., None] + uniform(-0.4, 0.4, 6, 1)
    turn = start + uniform(-1.5, 1.5, 6, 1) * t  # vessels leave the disc and bend
    length = 1.4 * t * uniform(0.6, 1.0, 6, 1)
    vessels = torch.stack([disc[:, 0, None, None] + length * turn.sin(), disc[:, 1, None, None] + length * turn.cos()], -1).flatten(1, 2)

    span = torch.tensor(spans)[torch.randint(len(spans), (n,), generator=generator)]
    size = span * 2 / (SIZE - 1)
    angle, far = uniform(0, 2 * math.pi), (0.88 - size / 2) * uniform(0, 1).sqrt()  # the whole lesion is inside
    middle = center + torch.stack([far * angle.sin(), far * angle.cos()], -1)
    offsets, width, strength = _lesion(labels, size, uniform(0, 2 * math.pi, 1))
    lesion = splat(middle[:, None] + offsets, width, strength)

    def of(color: tuple[float, float, float]) -> Tensor:
        return torch.tensor(color)[None, :, None, None]

    picture = of(BACKGROUND) * light[:, None]
    picture = picture + of(VESSEL) * splat(vessels, torch.full((n, 1), 0.035)).clamp(max=1)[:, None]
    picture = picture + of(BRIGHT) * splat(disc[:, None], torch.full((n, 1), 0.13))[:, None]
    bright = lesion.clamp(0, 1)[:, None]
    dark = (-lesion).clamp(0, 1)[:, None]
    picture = (picture + of(BRIGHT) * bright + of(DARK) * dark) * inside[:, None]
    picture = picture + 0.03 * torch.randn(picture.shape, generator=generator)
    return Pictures((255 * picture.clamp(0, 1)).byte(), labels, torch.where(labels == 0, 0, span))


def splat(points: Tensor, width: Tensor, strength: Tensor | None = None) -> Tensor:
    """Bumps ``[n, 48, 48]`` of a ``width`` ``[n, 1]`` at ``points`` ``[n, p, 2]``, of height 1 or ``strength`` ``[n, p]``; they add up."""
    axis = torch.linspace(-1, 1, SIZE)
    rows, columns = (torch.exp(-((axis - points[..., k, None]) / width[..., None]).square()) for k in (0, 1))
    return torch.einsum("npy,npx->nyx", rows if strength is None else rows * strength[..., None], columns)


def _lesion(labels: Tensor, size: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Offsets ``[n, p, 2]``, width ``[n, 1]`` and strength ``[n, p]`` of the points that draw each lesion, ``size`` ``[n]`` across."""
    place = torch.arange(POINTS) / POINTS * 2 * math.pi + turn
    circle = torch.stack([place.sin(), place.cos()], -1)
    along = torch.linspace(-1, 1, POINTS)[:, None] * torch.stack([turn.sin(), turn.cos()], -1)
    stroke = (size / 8).clamp(min=0.8 * 2 / (SIZE - 1))  # 0.8 pixels, or so wide that the points of a large ring still touch
    kind, half = labels[:, None, None], 0.8 * size[:, None, None] / 2
    offsets = torch.where(kind == 4, along, torch.where(kind == 1, 0.0, circle)) * half
    strength = torch.full((len(labels), POINTS), 1.0)
    strength[labels == 0] = 0.0
    strength[labels == 1] = 1 / POINTS  # all at one place
    strength[labels == 2] = -1.0 * (torch.arange(POINTS) % 3 == 0)  # four dark ones
    return offsets, torch.where(labels == 1, size / 3, stroke)[:, None], strength
