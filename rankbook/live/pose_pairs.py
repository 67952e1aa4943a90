"""Pairs of a simulated and a real picture of one pose, in a plane of two features: a term that draws pairs together, and how it is paid."""

from __future__ import annotations

import base64
from typing import Any

import torch
from torch import Tensor

from rankbook.live.figure import LiveFigure
from rankbook.live.pose_pictures import PICTURES, POSES
from rankbook.live.traits import choice, coded, number, numbers, whole

COUNT = 12  # pairs, and as many new real pictures
SIDE, BLOCK = 15, 5  # pixels; the inputs are the means of 3 x 3 blocks
LEVELS = 180  # of a byte, at the depth of the table
RIDGE = 1e-4  # so that there is one best map


class PosePairs(LiveFigure, module="pose_pairs"):
    r"""Drag the weight of the pairs: twins approach, and new real pictures are read better, until all features are nearly equal.

    Two features are linear in the means of 3 x 3 blocks of a depth picture, and the best for

    .. math:: \frac1n \sum_i \lVert \phi(x_i^s) - y_i \rVert^2 + \lambda \frac1n \sum_i \lVert \phi(x_i^s) - \phi(x_i^r) \rVert^2

    on 12 poses, with a small ridge. Then they are multiplied by ``size``, and what reads a pose off them divides by it.

    Traits:
        weight: :math:`\lambda`, from 0.01 to 1000.
        size: of the features, from 0.05 to 1; the predictions do not change.
        task: "both", or "pairs" for the second term alone.
        pose: 0 to 11, of the pair whose pictures are shown.
        blend: from 0, the simulated picture, to 1, the real one.
        pictures: base64 of 36 depth pictures of 15 x 15 bytes: 12 simulated, their real twins, 12 new real ones.
        poses: offsets of the hole, right and down, of the twins, then of the new ones.
    """

    weight = number(0.03, 0.01, 1000.0)
    size = number(1.0, 0.05, 1.0)
    task = choice("both", ("both", "pairs"))
    pose = whole(0, 0, COUNT - 1)
    blend = number(0.0, 0.0, 1.0)
    pictures = coded(PICTURES, (3 * COUNT, SIDE, SIDE), "picture by picture")
    poses = numbers(POSES, 4 * COUNT, 4 * COUNT, -1, 1)

    def readout(self) -> dict[str, Any]:
        poses = torch.tensor(self.poses, dtype=torch.float64).view(2, COUNT, 2)
        features, middle = learned(inputs(self.pictures), poses[0], self.weight, float(self.task == "both"))
        simulated, real, new = (self.size * features).split(COUNT)
        spread = 2 * simulated.square().sum(1).mean().item()
        apart = (simulated - real).square().sum(1).mean().item()
        return {
            **self.figure_state(),
            "simulated": simulated.flatten().tolist(),
            "real": real.flatten().tolist(),
            "at": torch.lerp(simulated[self.pose], real[self.pose], self.blend).tolist(),
            "apart": apart,
            "share": apart / spread if spread else None,
            "error_simulated": (simulated / self.size + middle - poses[0]).norm(dim=1).mean().item(),
            "error_new": (new / self.size + middle - poses[1]).norm(dim=1).mean().item(),
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            f"{COUNT} pairs of a simulated and a real depth picture in a plane of two features. With the pairs at weight {self.weight:g} "
            f"their loss is {now['apart']:.4f}; the pose is off by {now['error_simulated']:.2f} on simulated pictures, and by "
            f"{now['error_new']:.2f} on new real ones."
        )


def inputs(pictures: str) -> Tensor:
    """Means of blocks ``[36, 9]``."""
    bytes_of = torch.frombuffer(bytearray(base64.b64decode(pictures)), dtype=torch.uint8).double() / LEVELS
    blocks = SIDE // BLOCK
    return bytes_of.view(-1, blocks, BLOCK, blocks, BLOCK).mean((2, 4)).flatten(1)


def learned(x: Tensor, poses: Tensor, weight: float, task: float) -> tuple[Tensor, Tensor]:
    """The features ``[36, 2]`` that are best for the first poses and the pairs, and the mean pose that is added to read one off."""
    x = x - x[:COUNT].mean(0)
    known, gaps, middle = x[:COUNT], x[:COUNT] - x[COUNT : 2 * COUNT], poses.mean(0)
    of = task * known.T @ known / COUNT + weight * gaps.T @ gaps / COUNT + RIDGE * torch.eye(x.shape[1], dtype=x.dtype)
    return x @ torch.linalg.solve(of, task * known.T @ (poses - middle) / COUNT), middle
