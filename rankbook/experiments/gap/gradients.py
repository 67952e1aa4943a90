"""The gradient of a batch next to that of the whole set, at the same weights: how far off it is, and how much of that is bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rankbook.datasets import Samples
from rankbook.experiments.gap.draws import draw
from rankbook.experiments.gap.training import LOSSES, OUTPUTS, Training, batches, first_weights, head_of, trained
from rankbook.experiments.tasks.retrieval import Head
from rankbook.scale import CrossBatchMemory

GOAL = "Smooth-AP"  # whose gradient on the whole set is the second goal of every loss
TRAIL = 7  # batches in the memory, and steps ago that the oldest was embedded
DRAWN = {16: 48, 128: 24, 400: 8, 1000: 4}  # batch -> how many
BANK = "memory"
STALE = "stale memory"


@lru_cache(maxsize=1)
def states(data: str, root: Path | None, lr: float, seed: int) -> dict[float, list[Tensor]]:
    """Share of a Smooth-AP training with batches of 128 -> its weights, then those of the steps before."""
    training = trained(Training(data, GOAL, 128, lr, seed), root, trail=TRAIL)
    first = first_weights(draw(data, root, seed).train.inputs.shape[1], seed).linear.weight.detach()
    return {0.0: [first]} | {share: [weight, *training.trail[share]] for share, weight in training.weights.items()}


def gradient(head: Head, value: Callable[[Head], Tensor]) -> Tensor:
    """Of the weights, as one row."""
    return torch.autograd.grad(value(head), head.linear.weight)[0].flatten()


@lru_cache(maxsize=8)
def whole_gradient(data: str, root: Path | None, lr: float, seed: int, share: float, loss: str) -> Tensor:
    """Of the loss of the whole training set."""
    samples = draw(data, root, seed).train
    head = head_of(states(data, root, lr, seed)[share][0])
    return gradient(head, lambda head: LOSSES[loss]()(head(samples.inputs), samples.labels))


def measure_gradients(config: Mapping[str, Any], root: Path | None) -> dict[str, float]:
    """Batches of one size against the whole, in units of the whole gradient.

    Returns: ``cosine``, the mean of the single batches; ``cosine_ap``, that to the gradient of `GOAL` on the whole set; ``along`` and
    ``along_ap``, the component of the mean gradient in both directions; ``square``, the mean square of its length; ``mean_square``,
    the square of the length of the mean gradient, without the noise of the batches that are drawn (so it may be below 0 where it is
    lost in it); ``silent``, the share of batches without any gradient; ``items`` of a batch, and how many ``batches``.
    `cosine_of_average` makes the cosine of averages of these.
    """
    data, lr, seed, share = config["data"], config["lr"], config["seed"], config["share"]
    samples, weights = draw(data, root, seed).train, states(data, root, lr, seed)[share]
    own, goal = (whole_gradient(data, root, lr, seed, share, name) for name in (config["loss"], GOAL))
    loss, size = LOSSES[config["loss"]](), config["batch"]
    found, items = [], []
    stream = batches(samples, size, seed + 10_000)  # not those of the training
    for _ in range(DRAWN[size]):
        head = head_of(weights[0])
        if config["way"] == "batch":
            rows = next(stream)
            found.append(gradient(head, lambda head, rows=rows: loss(head(samples.inputs[rows]), samples.labels[rows])))
        else:
            old = weights[1:][::-1] if config["way"] == STALE else [weights[0]] * TRAIL
            memory = filled(loss, samples, [(head_of(weight), next(stream)) for weight in old])
            rows = next(stream)
            found.append(gradient(head, lambda head, rows=rows, m=memory: m(loss, head(samples.inputs[rows]), samples.labels[rows], rows)))
        items.append(len(rows))
    return summary(torch.stack(found), own, goal) | {"items": sum(items) / len(items), "batches": len(items)}


@torch.no_grad()
def filled(loss: nn.Module, samples: Samples, parts: list[tuple[Head, Tensor]]) -> CrossBatchMemory:
    """A memory that holds these batches, each embedded by a head of its own."""
    memory = CrossBatchMemory(sum(len(rows) for _, rows in parts), OUTPUTS)
    for head, rows in parts:
        memory(loss, head(samples.inputs[rows]), samples.labels[rows], rows)
    return memory.eval()


def summary(gradients: Tensor, own: Tensor, goal: Tensor) -> dict[str, float]:
    """Of the gradients of several batches [n, weights]; see `measure_gradients`."""
    gradients, own, goal = gradients.double(), own.double(), goal.double()
    n, unit = len(gradients), own.norm()
    squares = gradients.square().sum(1)
    silent = squares == 0
    toward = {"": gradients @ own / unit, "_ap": gradients @ goal / goal.norm()}
    lengths = squares.sqrt().masked_fill(silent, 1)  # without a gradient the cosine is 0
    sum_square = gradients.sum(0).square().sum()
    return {
        **{f"cosine{of}": (along / lengths).mean().item() for of, along in toward.items()},
        **{f"along{of}": (along.mean() / unit).item() for of, along in toward.items()},
        "square": (squares.mean() / unit**2).item(),
        "mean_square": ((sum_square - squares.sum()) / (n * (n - 1)) / unit**2).item(),
        "silent": silent.double().mean().item(),
    }


def cosine_of_average(line: Mapping[str, float], count: float, *, of: str = "") -> float:
    r"""The cosine of the average of so many batches, :math:`a / \sqrt{m + (s - m) / k}`; of infinitely many the limit.

    Args:
        line: of the table of gradients.
        count: k; ``math.inf`` gives the limit, which only bias keeps from 1.
        of: ``""`` for the loss's own gradient of the whole, ``"_ap"`` for that of `GOAL`.

    Returns: NaN where the noise of the batches drawn leaves no length of the mean gradient.

    >>> from rankbook.experiments.gap.gradients import cosine_of_average
    >>> line = {"along": 0.4, "square": 4.0, "mean_square": 0.25}
    >>> round(cosine_of_average(line, 1), 3), round(cosine_of_average(line, float("inf")), 3)
    (0.2, 0.8)
    """
    square = line["mean_square"] + (line["square"] - line["mean_square"]) / count
    return line[f"along{of}"] / square**0.5 if square > 0 else float("nan")
