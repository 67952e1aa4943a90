"""A drawn eye with a lesion of a size that the reader drags, and how much an attention without weights counts each place."""

from __future__ import annotations

import base64
import math
from typing import Any

import torch
import traitlets
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from rankbook.live.eye_picture import MIDDLE, PICTURE, STEM
from rankbook.live.figure import LiveFigure
from rankbook.live.traits import BadTrait, choice, coded, number

SIDE, CHANNELS = 48, 16  # pixels; of the convolution
NUMBERS = CHANNELS * 27 + 3 * CHANNELS
COLORS = {"bright": (0.28, 0.5, 0.35), "dark": (-0.45, -0.25, -0.1)}  # added where the lesion is full


class EyeAttention(LiveFigure, module="eye_attention"):
    r"""Drag the size of the lesion: the picture, and at each of 12 x 12 places :math:`A = \sigma(\mathrm{mean}_c(x)\, \max_c(x))`.

    x are 16 channels of the picture: a convolution, ReLU, a max pooling and a batch normalization, as they were trained.

    Traits:
        span: pixels across the lesion, of the 48 of the picture; 1 to 20.
        look: the lesion is "bright" or "dark".
        picture: the healthy eye, as base64 of 48 x 48 x 3 bytes, row by row.
        stem: base64 of 480 float32: kernels ``[16, 3, 3, 3]``, biases, scales, shifts; normalizations are folded into them.
    """

    span = number(5.0, 1.0, 20.0)
    look = choice("bright", tuple(COLORS))
    picture = coded(PICTURE, (SIDE, SIDE, 3), "row by row")
    stem = coded(STEM, (NUMBERS, 4), "float32")

    @traitlets.validate("stem")
    def _check_stem(self, proposal: Any) -> Any:
        if not decoded(proposal["value"]).isfinite().all():
            raise BadTrait("stem must hold finite numbers, got NaN or infinity")
        return proposal["value"]

    def weights(self) -> Tensor:
        """A ``[12, 12]``."""
        colors = torch.frombuffer(bytearray(base64.b64decode(self.picture)), dtype=torch.uint8).view(SIDE, SIDE, 3)
        pixel = torch.arange(SIDE, dtype=torch.float64)
        squares = (pixel[:, None] - MIDDLE[0]).square() + (pixel - MIDDLE[1]).square()
        lesion = torch.exp(-squares / (self.span / 3) ** 2)[..., None] * torch.tensor(COLORS[self.look], dtype=torch.float64)
        seen = (colors.double() / 255 + lesion).clamp(0, 1).permute(2, 0, 1)
        kernel, bias, scale, shift = decoded(self.stem).split([CHANNELS * 27, *[CHANNELS] * 3])
        found = conv2d(seen[None] - 0.5, kernel.view(CHANNELS, 3, 3, 3), bias, stride=2, padding=1).relu()
        found = max_pool2d(found, 3, stride=2, padding=1)[0] * scale[:, None, None] + shift[:, None, None]
        return (found.mean(0) * found.amax(0)).sigmoid()

    def readout(self) -> dict[str, Any]:
        weights = self.weights()
        place = 4 * torch.arange(len(weights))  # the pixel in the middle of what each sees
        off = ((place[:, None] - MIDDLE[0]).square() + (place - MIDDLE[1]).square()).sqrt()
        there = off <= max(self.span / 2, 2)
        return self.figure_state() | {
            "weights": weights.flatten().tolist(),
            "at_lesion": weights[there].mean().item(),
            "elsewhere": weights[~there].mean().item(),
            "least": weights.min().item(),
            "most": weights.max().item(),
            "share": math.pi / 4 * self.span**2 / SIDE**2,
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            f"A drawn eye with a {self.look} lesion of {self.span:g} pixels, {100 * now['share']:.1f} % of the picture. The attention "
            f"counts its place {now['at_lesion']:.2f}, the mean of all others {now['elsewhere']:.2f}; all lie from {now['least']:.2f} to "
            f"{now['most']:.2f}."
        )


def decoded(stem: str) -> Tensor:
    """The 480 numbers, in float64."""
    return torch.frombuffer(bytearray(base64.b64decode(stem)), dtype=torch.float32).double()
