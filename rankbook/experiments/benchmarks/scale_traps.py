"""What goes wrong in a loss of several processes, in numbers: each mistake next to one process that has the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rankbook.experiments.benchmarks.processes import together
from rankbook.losses import SmoothAPLoss
from rankbook.scale import DistributedLoss, gather_with_grad, two_pass_backward

WORLD, BATCH, CHUNK, SEEDS = 2, 1024, 8, (0, 1, 2, 3, 4)
LOSS = SmoothAPLoss(tau=0.1)

Step = Callable[[nn.Module, Tensor, Tensor], Tensor]


def whole(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The loss of all rows: each process its own queries, against the gallery of all."""
    return _backward(DistributedLoss(LOSS)(_unit(model(x)), y))


def own_batches(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Each process ranks its own rows only."""
    return _backward(LOSS(_unit(model(x)), y))


def plain_gather(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """An all-gather has no gradient; the own rows are put back, with theirs."""
    mine, labels = _unit(model(x)), gather_with_grad(y)
    parts = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, mine.detach())
    parts[dist.get_rank()] = mine
    return _backward(LOSS(torch.cat(parts), labels))


def times_world(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The average over the processes is "made up for", although a gather whose gradient is summed has done so."""
    everything, labels = gather_with_grad(_unit(model(x))), gather_with_grad(y)
    return _backward(dist.get_world_size() * LOSS(everything, labels))


def finds_itself(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gallery of all is handed over as a reference set, and no ``self_index`` says where each query stands in it."""
    mine = _unit(model(x))
    return _backward(LOSS(mine, y, gather_with_grad(mine), gather_with_grad(y)))


def chunk_by_chunk(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Two passes by hand under DistributedDataParallel: each chunk's backward pass averages all gradients."""
    with torch.no_grad():
        leaf = _unit(model.module(x))
    leaf.requires_grad_()
    value = _backward(DistributedLoss(LOSS)(leaf, y))
    for rows, part in zip(x.split(CHUNK), leaf.grad.split(CHUNK), strict=True):
        _unit(model(rows)).backward(part)
    return value


def two_passes(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Two passes of the package."""
    loss = DistributedLoss(LOSS)
    return two_pass_backward(model, x, lambda e: loss(_unit(e), y), chunk_size=CHUNK)


STEPS: dict[str, Step] = {
    step.__name__: step for step in (whole, own_batches, plain_gather, times_world, finds_itself, chunk_by_chunk, two_passes)
}


def traps() -> pd.DataFrame:
    """A line for each step, the means over seeds.

    ``value``: the mean of the processes' losses, over that of one process; ``length``: that of the gradient after the average of
    DistributedDataParallel, over that of one process, and ``cosine`` of the two; ``all_reduces`` of gradients in a step.
    """
    (found, *_) = together(run, WORLD)
    lines = pd.DataFrame(found).groupby("step", sort=False).mean().drop(columns="seed").reset_index()
    return lines.assign(processes=WORLD, batch=BATCH, chunk=CHUNK, seeds=len(SEEDS))


def run(rank: int, world: int, seeds: Sequence[int] = SEEDS, steps: Mapping[str, Step] = STEPS) -> list[dict[str, Any]]:
    """Every step on every seed, in this process."""
    return [{"step": name, "seed": seed, **_one(step, seed, rank, world)} for seed in seeds for name, step in steps.items()]


def _one(step: Step, seed: int, rank: int, world: int) -> dict[str, float]:
    torch.manual_seed(seed)
    labels = torch.arange(BATCH) % (BATCH // 4)  # the items of a class are shared by the processes
    inputs = (torch.randn(BATCH // 4, 32)[labels] + torch.randn(BATCH, 32)).double()
    plain, model = (nn.Linear(32, 16, bias=False).double() for _ in range(2))
    model.load_state_dict(plain.state_dict())
    true = _backward(LOSS(_unit(plain(inputs)), labels))
    shared, counted = DistributedDataParallel(model), []

    def average(state, bucket):  # without annotations: torch compares them with classes, and here they are texts
        counted.append(bucket.index())
        return dist.all_reduce(bucket.buffer() / world, async_op=True).get_future().then(lambda future: future.value()[0])

    shared.register_comm_hook(None, average)
    value = step(shared, inputs.chunk(world)[rank], labels.chunk(world)[rank])
    value = gather_with_grad(value.reshape(1)).mean()
    ours, theirs = model.weight.grad.flatten(), plain.weight.grad.flatten()
    return {
        "value": float(value / true),
        "length": float(ours.norm() / theirs.norm()),
        "cosine": float(nn.functional.cosine_similarity(ours, theirs, dim=0)),
        "all_reduces": len(counted),
    }


def _unit(x: Tensor) -> Tensor:
    return nn.functional.normalize(x, dim=1)


def _backward(loss: Tensor) -> Tensor:
    loss.backward()
    return loss.detach()
