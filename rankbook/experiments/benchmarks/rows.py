"""What a line of the benchmark is made of: a batch, a step of a loss, and a verdict."""

from __future__ import annotations

import importlib
import statistics
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rankbook.experiments.benchmarks.measures import Work


class Row(NamedTuple):
    """One line of the table: the median ratio, the middle half, the goal, and "met" or "short"."""

    what: str
    peer: str
    size: str
    ratio: float
    low: float
    high: float
    goal: str
    verdict: str


def batch(size: int, dimensions: int = 128, per_class: int = 4) -> tuple[Tensor, Tensor]:
    """Unit vectors that need a gradient, and sorted labels, as the peers want them."""
    generator = torch.Generator().manual_seed(size)
    embeddings = torch.nn.functional.normalize(torch.randn(size, dimensions, generator=generator), dim=1)
    return embeddings.requires_grad_(), torch.arange(size) // per_class


def step(loss: Callable[..., Tensor], size: int, dimensions: int = 128) -> Work:
    """One forward and backward pass."""
    embeddings, labels = batch(size, dimensions)

    def work() -> None:
        embeddings.grad = None
        loss(embeddings, labels).backward()

    return work


def rank_step(ranker: Callable[..., Tensor], lists: int, n: int) -> Work:
    scores = torch.randn(lists, n, generator=torch.Generator().manual_seed(n)).requires_grad_()
    weight = torch.randn(lists, n, generator=torch.Generator().manual_seed(1))

    def work() -> None:
        scores.grad = None
        (ranker(scores) * weight).sum().backward()

    return work


def row(what: str, peer: str, size: str, found: list[float], at_least: float | None = None, at_most: float | None = None) -> Row:
    low, ratio, high = statistics.quantiles(found, n=4) if len(found) > 1 else found * 3
    goal = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}"
    met = ratio >= at_least if at_least is not None else ratio <= at_most
    return Row(what, peer, size, ratio, low, high, goal, "met" if met else "short")


def installed(name: str) -> Any | None:
    """The module, or None with a line that names it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"left out: {name} is not installed", file=sys.stderr)
        return None
