"""A policy that sees where the hole is and moves the peg there, learned from many simulated pictures and few real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor, nn

from rankbook.experiments.runs import one_thread
from rankbook.experiments.servo_losses import apart, spread
from rankbook.experiments.tasks.depth_pictures import (
    KNOWN,
    NOVEL,
    SIZE,
    Camera,
    Parts,
    draw_cameras,
    draw_offsets,
    draw_parts,
    seen,
    simulated,
)
from rankbook.experiments.tasks.fitting import minimize, seeded

TRIALS = 500  # pictures, and rides to the hole, that judge
MOVES = 4  # of a ride, each by the offset that the policy sees
DOCKED = 0.1  # what is nearer to the hole than this slides in
#: Seeds of what judges; those of training are smaller.
SPLITS = {"validation": (10_000, KNOWN), "test": (20_000, NOVEL)}
#: Draws clean depth ``[n, 1, 24, 24]`` of parts with offsets ``[n, 2]``.
World = Callable[[Parts, Tensor], Tensor]


class Scenes(NamedTuple):
    """n parts, the offsets ``[n, 2]`` of their holes, and the cameras that look at them."""

    parts: Parts
    offsets: Tensor
    cameras: Camera


def draw_scenes(n: int, draw: Generator, category: dict[str, tuple[float, float]]) -> Scenes:
    return Scenes(draw_parts(n, draw, **category), draw_offsets(n, draw), draw_cameras(n, draw))


class Policy(nn.Module):
    """Depth pictures ``[n, 1, 24, 24]`` -> features ``[n, 48]``; ``readout`` makes the offset of them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * (SIZE // 4) ** 2, 48),
            nn.ReLU(),
        )
        self.readout = nn.Linear(48, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.body(1 - pictures)  # the table is 0

    def offsets(self, pictures: Tensor) -> Tensor:
        """Where the policy sees the hole, ``[n, 2]``."""
        return self.readout(self(pictures))


@dataclass(frozen=True)
class Servo:
    """Learn the offset of a hole from depth, and ride to it.

    Args:
        pairs: real pictures for training. Each has a twin among the simulated ones, of the same part in the same pose.
        pictures: simulated pictures for training.
        batch: labeled pictures of a step; a loss with a weight sees half as many pairs besides.
        reality: what draws the depth that the camera spoils: the formulas of the simulation again, or
            `rankbook.experiments.tasks.rendered_parts.rendered`, where perspective and walls part the two worlds besides.
        moves: of a ride.
        gain: the share of the offset seen that a move takes; smaller moves look more often before they arrive.

    A loss is called with ``(predicted [n, 2], offsets [n, 2], twins [2, p, 48])`` and says by ``lr`` and ``real`` how it trains, see
    `rankbook.experiments.servo_losses.ServoLoss`.

    ``docked``: the share of rides that end within 0.1 of the hole. ``error``: the mean distance between seen and true offset on real
    pictures. ``apart`` and ``spread`` of the features of those pictures and their twins: see `rankbook.experiments.servo_losses`.
    """

    pairs: int = 50
    pictures: int = 4000
    batch: int = 32
    reality: World = simulated
    moves: int = MOVES
    gain: float = 1.0

    metrics: ClassVar[tuple[str, ...]] = ("docked", "error")

    def fit(self, loss: nn.Module, *, steps: int, seed: int) -> Policy:
        """Train a policy; the same call gives the same.

        Args:
            loss: as above.
            steps: batches.
            seed: of the pictures, the first weights and the batches; they are the same for every loss.
        """
        with seeded(seed) as generator:
            batches = self.batches(loss, *_drawn(self, seed), generator)
            policy = Policy()
            minimize(policy, loss, batches, lr=loss.lr, steps=steps, call=partial(_called, loss, policy))
        return policy

    def draw(self, seed: int) -> tuple[Tensor, Tensor]:
        """Pictures ``[pictures + pairs, 1, 24, 24]`` and offsets for training: the simulated ones, then the twins of the first of them."""
        draw = torch.Generator().manual_seed(seed)
        parts, offsets, cameras = draw_scenes(self.pictures, draw, KNOWN)
        clean = simulated(parts, offsets)
        twins = self.reality(Parts(*(one[: self.pairs] for one in parts)), offsets[: self.pairs])
        real = seen(torch.cat([twins, clean[self.pairs :]]), cameras, draw)[: self.pairs]  # few are some of many
        return torch.cat([clean, real]), torch.cat([offsets, offsets[: self.pairs]])

    def batches(self, loss: nn.Module, pictures: Tensor, offsets: Tensor, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """(labeled pictures, then those of pairs, simulated first; the offsets of the labeled ones), for ever."""
        share = self.pairs / len(pictures) if loss.real is None else loss.real
        while True:
            of_real = torch.rand(self.batch, generator=generator) < share
            rows = torch.randint(self.pictures, (self.batch,), generator=generator)
            twins = torch.randint(self.pairs, (self.batch,), generator=generator)
            rows = torch.where(of_real, self.pictures + twins, rows)
            which = torch.randint(self.pairs, (self.batch // 2 if loss.weight else 0,), generator=generator)
            yield pictures[torch.cat([rows, which, self.pictures + which])], offsets[rows]

    def measure(self, model: Policy, split: str) -> dict[str, float]:
        """The metrics on parts that training has not seen, of the test also of shapes that it has not."""
        scenes, clean, real, draw = _judges(split, self.reality)
        with one_thread(), torch.no_grad():
            error = (model.offsets(real) - scenes.offsets).norm(dim=1).mean().item()
            again = torch.Generator().set_state(draw)
            left = ride(model, scenes, again, moves=self.moves, gain=self.gain, reality=self.reality)
            twins = torch.stack([model(clean), model(real)])
            return {
                "docked": (left.norm(dim=1) < DOCKED).float().mean().item(),
                "error": error,
                "apart": apart(twins),
                "spread": spread(twins[0]),
            }


def ride(model: Policy, scenes: Scenes, draw: Generator, *, moves: int = MOVES, gain: float = 1.0, reality: World = simulated) -> Tensor:
    """The offsets ``[n, 2]`` that are left when the peg has moved by what the policy sees, some times; the camera sees anew each time."""
    parts, offsets, cameras = scenes
    for _ in range(moves):
        offsets = offsets - gain * model.offsets(seen(reality(parts, offsets), cameras, draw))
    return offsets


def _called(loss: nn.Module, policy: Policy, features: Tensor, offsets: Tensor) -> Tensor:
    labeled, twins = features[: len(offsets)], features[len(offsets) :]
    return loss(policy.readout(labeled), offsets, twins.unflatten(0, (2, len(twins) // 2)))


@lru_cache(maxsize=8)
def _drawn(task: Servo, seed: int) -> tuple[Tensor, Tensor]:
    """A process draws the pictures of a seed once, not once a run."""
    return task.draw(seed)


@lru_cache(maxsize=4)
def _judges(split: str, reality: World) -> tuple[Scenes, Tensor, Tensor, Tensor]:
    """Scenes, their simulated and their real pictures, and the random state of what a ride sees."""
    seed, category = SPLITS[split]
    draw = torch.Generator().manual_seed(seed)
    scenes = draw_scenes(TRIALS, draw, category)
    parts, offsets, cameras = scenes
    return scenes, simulated(parts, offsets), seen(reality(parts, offsets), cameras, draw), draw.get_state()
