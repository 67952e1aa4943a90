"""Ways to a large batch, and what one step of each takes in a process: memory, time, and how far its gradient is from one pass's."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rankbook.experiments.benchmarks.measures import Work, peak_bytes, reset_peak
from rankbook.losses import SmoothAPLoss
from rankbook.scale import CrossBatchMemory, DistributedLoss, two_pass_backward

#: Items of a chunk of the two passes, and of the batch beside a memory.
CHUNK = 256
DIM, PER_CLASS, _SIDE = 128, 4, 16
_TIMED = 1024  # items: so many calls of a smaller batch are timed, one of a larger one
LOSS = SmoothAPLoss(tau=0.1)

Way = Callable[[nn.Module, Tensor, Tensor, int, int], Work]


def big() -> nn.Module:
    """Four convolutions of 32 channels on 16 x 16 pixels: one pass takes some 220 kB an item, against 512 bytes of embedding."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU()]
    for _ in range(3):
        layers += [nn.Conv2d(32, 32, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(32 * 16, DIM), Unit())


def small() -> nn.Module:
    """One linear layer: its graph holds little more than the embeddings."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * _SIDE**2, DIM), Unit())


class Unit(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=1)


ENCODERS = {"big": big, "small": small}


def seeded_images(size: int) -> tuple[Tensor, Tensor]:
    """Noise around a center for each class; the items of a class lie far apart, so that processes share it."""
    generator = torch.Generator().manual_seed(size)
    labels = torch.arange(size) % (size // PER_CLASS)
    centers = torch.randn(size // PER_CLASS, 3, _SIDE, _SIDE, generator=generator)
    return centers[labels] + torch.randn(size, 3, _SIDE, _SIDE, generator=generator), labels


def one_pass(model: nn.Module, inputs: Tensor, labels: Tensor, rank: int, world: int) -> Work:
    return lambda: LOSS(model(inputs), labels).backward()


def two_passes(model: nn.Module, inputs: Tensor, labels: Tensor, rank: int, world: int) -> Work:
    return lambda: two_pass_backward(model, inputs, lambda x: LOSS(x, labels), chunk_size=CHUNK)


def memory(model: nn.Module, inputs: Tensor, labels: Tensor, rank: int, world: int) -> Work:
    """The first chunk is the batch; all others are in the memory, of the same weights: as fresh as no training has it."""
    x, y = inputs[:CHUNK], labels[:CHUNK]
    held = CrossBatchMemory(max(len(inputs) - CHUNK, 1), DIM)
    with torch.no_grad():
        for at in range(CHUNK, len(inputs), CHUNK):
            held(lambda embeddings, *_, **__: embeddings.sum(), model(inputs[at : at + CHUNK]), labels[at : at + CHUNK])
    held.eval()  # the batch does not enter, so that each step is the same
    return lambda: held(LOSS, model(x), y).backward()


def gathered(model: nn.Module, inputs: Tensor, labels: Tensor, rank: int, world: int) -> Work:
    shared, loss = DistributedDataParallel(model), DistributedLoss(LOSS)
    x, y = inputs.chunk(world)[rank], labels.chunk(world)[rank]
    return lambda: loss(shared(x), y).backward()


#: What it is called -> (the way, the number of processes).
WAYS: dict[str, tuple[Way, int]] = {
    "one pass": (one_pass, 1),
    "two passes": (two_passes, 1),
    "memory": (memory, 1),
    "gathered": (gathered, 2),
}


def measure(rank: int, world: int, encoder: str, way: str, sizes: Sequence[int]) -> list[dict[str, float]]:
    """One step of a way in this process, for batches of growing size.

    Returns: for each size ``megabytes``, the peak above weights, inputs and what the first call of all keeps; CPU ``seconds``, the
        median of some calls for small batches. In the first process, which does one pass of the whole batch beside it, also ``over``,
        the ratio of the two times; ``error``, the distance of the gradient from that of one pass, as a share of the latter; and
        ``cosine`` of the two.
    """
    torch.manual_seed(0)
    make, model, batches = WAYS[way][0], ENCODERS[encoder](), [seeded_images(size) for size in sizes]
    make(copy.deepcopy(model), *seeded_images(8 * PER_CLASS), rank, world)()  # what the first call loads is no part of a step
    found = []
    before = reset_peak()
    for inputs, labels in batches:  # the smallest first: what it leaves behind is below the peak of the next
        copied = copy.deepcopy(model)
        step = make(copied, inputs, labels, rank, world)
        reset_peak()
        step()
        found.append({"megabytes": (peak_bytes() - before) / 2**20})
    for told, (inputs, labels) in zip(found, batches, strict=True):
        plain, copied = copy.deepcopy(model), copy.deepcopy(model)
        step, reference = make(copied, inputs, labels, rank, world), one_pass(plain, inputs, labels, rank, world)
        ours, theirs = [], []
        for _ in range(max(1, _TIMED // len(inputs))):
            ours.append(_seconds(copied, step))
            if rank == 0:
                theirs.append(_seconds(plain, reference))
        told["seconds"] = statistics.median(ours)
        if rank == 0:
            mine, other = gradient(copied), gradient(plain)
            told["over"] = statistics.median(one / another for one, another in zip(ours, theirs, strict=True))
            told["error"] = float((mine - other).norm() / other.norm())
            told["cosine"] = float(nn.functional.cosine_similarity(mine, other, dim=0))
    return found


def gradient(model: nn.Module) -> Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).double()


def _seconds(model: nn.Module, step: Work) -> float:
    model.zero_grad()
    start = time.process_time()
    step()
    return time.process_time() - start
