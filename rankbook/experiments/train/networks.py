"""What is trained: a linear head on features, a small network on pixels."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from rankbook.experiments.tasks.retrieval import Head

_GROUPS = 8  # of group normalization: unlike batch normalization it treats items alone, so processes can share a batch


class Pixels(nn.Module):
    """Four convolutions, each halving the picture, and the mean over places, on the unit sphere.

    Pictures are bytes from 0 to 255 or floats from 0 to 1, ``[b, channels, height, width]``, of any size.
    """

    def __init__(self, channels: int = 3, outputs: int = 256, width: int = 32):
        super().__init__()
        sizes = [channels, width, 2 * width, 4 * width, 8 * width]
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.GroupNorm(_GROUPS, b), nn.ReLU())
                for a, b in pairwise(sizes)
            )
        )
        self.linear = nn.Linear(sizes[-1], outputs, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        images = images if images.is_floating_point() else images.float() / 255
        return nn.functional.normalize(self.linear(self.blocks(images).mean((2, 3))), dim=-1)


class Patches(nn.Module):
    """Two layers of patches that do not overlap, 6 x 6 pixels and then 2 x 2 patches, and a linear map to the unit sphere.

    A quarter of the time of `Pixels` on a CPU. It knows the place of each patch, so all pictures have one size, ``size`` x ``size``.
    """

    def __init__(self, size: int, channels: int = 3, outputs: int = 128, width: int = 32):
        super().__init__()
        if size % 12:
            raise ValueError(f"size must be a multiple of 12, as the patches are, got {size}")
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, side, stride=side, bias=False), nn.GroupNorm(_GROUPS, b), nn.ReLU())
                for a, b, side in ((channels, width, 6), (width, 2 * width, 2))
            )
        )
        self.linear = nn.Linear(2 * width * (size // 12) ** 2, outputs, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        images = images if images.is_floating_point() else images.float() / 255
        return nn.functional.normalize(self.linear(self.blocks(images).flatten(1)), dim=-1)


def network_for(inputs: Tensor, outputs: int) -> nn.Module:
    """What fits a batch of inputs.

    Raises:
        ValueError: inputs that are neither features ``[b, d]`` nor pictures ``[b, channels, height, width]``.
    """
    if inputs.dim() == 2 and inputs.is_floating_point():
        return Head(inputs.shape[1], outputs)
    if inputs.dim() == 4 and (inputs.is_floating_point() or inputs.dtype == torch.uint8):
        return Pixels(inputs.shape[1], outputs)
    raise ValueError(
        f"data must hold features [n, d] or pictures [n, channels, height, width], got {inputs.dtype} {['n', *inputs.shape[1:]]}"
    )
