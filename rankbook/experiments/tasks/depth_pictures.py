"""Depth pictures of a part with a hole under a held peg: as a simulation draws them, and as a camera sees the same scene.

Lengths are in half widths of the picture, depths in distances to the table. Missing depth is 0, as depth cameras give it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor

SIZE = 24  # pixels a side
REACH = 0.5  # of the offsets, in each direction
LOOSE = 0.8  # size of the peg, in sizes of its hole
#: Of training and validation, and of the test: parts that are smaller, larger and more angular than all that training has seen.
KNOWN, NOVEL = {"radius": (0.25, 0.45), "power": (2.0, 4.0)}, {"radius": (0.22, 0.50), "power": (2.0, 8.0)}


class Parts(NamedTuple):
    """n parts, each a tensor ``[n]``.

    radius: of the hole
    power: of its shape: 2 is a disc, and the larger, the nearer a square
    wall: width of the ring around the hole
    height: of the ring over the table
    turn: in radians
    peg: depth of the top of the peg
    """

    radius: Tensor
    power: Tensor
    wall: Tensor
    height: Tensor
    turn: Tensor
    peg: Tensor


class Camera(NamedTuple):
    """What does not change while a camera looks at a part.

    gain: ``[n]``, factor of the depths
    shift: ``[n]``, added to them
    tilt: ``[n, 2]``, slope of the table along both sides of the picture
    """

    gain: Tensor
    shift: Tensor
    tilt: Tensor


def draw_parts(n: int, draw: Generator, *, radius: tuple[float, float], power: tuple[float, float]) -> Parts:
    """Parts of one category, such as ``**KNOWN``."""
    within = (radius, power, (0.12, 0.3), (0.15, 0.35), (0.0, torch.pi / 2), (0.35, 0.5))
    return Parts(*(_between(draw, low, high, n) for low, high in within))


def draw_offsets(n: int, draw: Generator) -> Tensor:
    """Where the hole is as seen from the peg, ``[n, 2]``: to the right and down."""
    return _between(draw, -REACH, REACH, n, 2)


def draw_cameras(n: int, draw: Generator) -> Camera:
    """Cameras that are off by as much as cheap ones are."""
    return Camera(_between(draw, 0.95, 1.05, n), _between(draw, -0.03, 0.03, n), _between(draw, -0.06, 0.06, n, 2))


def simulated(parts: Parts, offsets: Tensor, *, size: int = SIZE) -> Tensor:
    """Clean depth ``[n, 1, size, size]``: the table at 1, the ring above it, the peg in the middle, nearer still."""
    place = (torch.arange(size) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(place, place, indexing="ij")
    pixel = 2 / size

    def inside(center: Tensor, radius: Tensor) -> Tensor:
        """The share of each pixel ``[n, size, size]`` that a shape of that radius covers, about."""
        right, down = x - center[:, 0, None, None], y - center[:, 1, None, None]
        cosine, sine, power = (one[:, None, None] for one in (parts.turn.cos(), parts.turn.sin(), parts.power))
        along, across = (cosine * right + sine * down).abs(), (cosine * down - sine * right).abs()
        far = (along**power + across**power) ** (1 / power)
        return (0.5 - (far - radius[:, None, None]) / pixel).clamp(0, 1)

    ring = inside(offsets, parts.radius + parts.wall) * (1 - inside(offsets, parts.radius))
    peg = inside(torch.zeros_like(offsets), LOOSE * parts.radius)
    depth = 1 - parts.height[:, None, None] * ring
    return torch.lerp(depth, parts.peg[:, None, None].expand_as(depth), peg)[:, None]


def seen(pictures: Tensor, camera: Camera, draw: Generator) -> Tensor:
    """What a camera makes of clean depth: blurred, scaled and tilted, with noise, and holes where it cannot see.

    A camera that measures by two eyes is blind in a strip on one side of whatever stands out: here to the right of it.
    """
    n, _, size, _ = pictures.shape
    blur = torch.tensor([1.0, 2.0, 1.0]) / 4
    soft = torch.nn.functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
    soft = torch.nn.functional.conv2d(soft, (blur[:, None] * blur)[None, None])
    place = (torch.arange(size) + 0.5) * (2 / size) - 1
    plane = camera.tilt[:, 0, None, None] * place + camera.tilt[:, 1, None, None] * place[:, None]
    depth = camera.gain[:, None, None] * soft[:, 0] + camera.shift[:, None, None] + plane
    depth = depth * (1 + 0.01 * torch.randn(n, size, size, generator=draw))
    behind = torch.nn.functional.pad(pictures[:, 0, :, 1:] - pictures[:, 0, :, :-1], (1, 0)) > 0.08
    luck = torch.rand(n, size, size, generator=draw)
    return torch.where((behind & (luck < 0.5)) | (luck > 0.995), 0.0, depth)[:, None]


def _between(draw: Generator, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=draw)
