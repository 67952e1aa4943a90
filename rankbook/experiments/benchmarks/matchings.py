"""The matching gap of k views next to what it saves, the tensor of all tuples, and next to what it replaces, InfoNCE of the pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rankbook.experiments.benchmarks import peers
from rankbook.experiments.benchmarks.measures import Work, fresh_peak, ratios
from rankbook.experiments.benchmarks.rows import Row, row
from rankbook.experiments.view_losses import PairwiseInfoNCE
from rankbook.losses import MultiMarginalMatchingGap

FULL, PAIRS = "full tensor, n^k", "InfoNCE of the pairs"


def matchings() -> Iterator[Row]:
    """The matching gap of k views: against the tensor of all tuples in time and memory, and against InfoNCE of the pairs."""
    ours = MultiMarginalMatchingGap()
    for k, n, goal, most in ((3, 64, 2, 10), (4, 24, 2, 10)):
        found = ratios(view_step(peers.full_matching_gap, k, n), view_step(ours, k, n), pairs=5)
        yield row("MultiMarginalMatchingGap", FULL, f"k={k}, n={n}", found, at_least=goal)
        found = ratios(view_step(ours, k, n), view_step(PairwiseInfoNCE(0.1), k, n), pairs=11)
        yield row("MultiMarginalMatchingGap", PAIRS, f"k={k}, n={n}", found, at_most=most)
    full, ours = peak_of_views("peers.full_matching_gap", 3, 128), peak_of_views("MultiMarginalMatchingGap()", 3, 128)
    yield row("MultiMarginalMatchingGap", f"memory of the {FULL}", "k=3, n=128", [full / ours], at_least=5)


def some_views(k: int, n: int, dimensions: int = 128) -> Tensor:
    """Unit vectors ``[k, n, d]`` that need a gradient: k noisy views of each item, whose cosine is a half."""
    generator = torch.Generator().manual_seed(n)
    items = torch.randn(n, dimensions, generator=generator)
    views = items + torch.randn(k, n, dimensions, generator=generator)
    return torch.nn.functional.normalize(views, dim=2).requires_grad_()


def view_step(loss: Callable[[Tensor], Tensor], k: int, n: int) -> Work:
    """One forward and backward pass."""
    views = some_views(k, n)

    def work() -> None:
        views.grad = None
        loss(views).backward()

    return work


def peak_of_views(loss: str, k: int, n: int) -> float:
    prepare = (
        "import torch\nfrom rankbook.experiments.benchmarks import matchings, peers\nfrom rankbook.losses import MultiMarginalMatchingGap\n"
        f"torch.set_num_threads(1)\nloss = {loss}\nmatchings.view_step(loss, k={k}, n=8)()\nwork = matchings.view_step(loss, k={k}, n={n})"
    )
    return fresh_peak(prepare, "work()")
