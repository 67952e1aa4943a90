"""What is measured on a GPU: batch losses, rankers and the evaluation, each next to a floor, the first three next to plain forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.benchmarks import peers
from rankbook.experiments.benchmarks.gpu_measures import Work, megabytes, milliseconds, unchecked, waits
from rankbook.experiments.benchmarks.rows import batch
from rankbook.losses import (
    BlackBoxAPLoss,
    CalibrationLoss,
    FastAPLoss,
    RecallAtKLoss,
    ROADMAPLoss,
    SmoothAPLoss,
    SmoothNDCGLoss,
    SoftBinAPLoss,
    SupAPLoss,
    SupConLoss,
    SupHAPLoss,
    SupNDCGLoss,
    SupRecallLoss,
)
from rankbook.ranks import (
    box_ranks,
    exact_ranks,
    laplace_ranks,
    neuralsort_ranks,
    projection_ranks,
    sigmoid_ranks,
    softsort_ranks,
    sup_ranks,
)

PER_CLASS = 4
RELEVANT = 10  # one item of so many in a list
_BLOCK = 1 << 28  # scores that a floor holds at once
_NONE = float("nan")

Loss = Callable[[], nn.Module]
MAIN: tuple[Loss, ...] = (SmoothAPLoss, SupAPLoss, RecallAtKLoss)
OTHERS: tuple[Loss, ...] = (
    ROADMAPLoss,
    SupRecallLoss,
    SmoothNDCGLoss,
    SupNDCGLoss,
    SupHAPLoss,
    FastAPLoss,
    SoftBinAPLoss,
    BlackBoxAPLoss,
    CalibrationLoss,
    SupConLoss,
)
#: The published algorithm with plain tensors, cubes [B, B, B] or a loop over the queries.
PLAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "SmoothAPLoss": peers.cubic_smooth_ap,
    "SupAPLoss": peers.cubic_sup_ap,
    "RecallAtKLoss": peers.looped_recall_at_k,
}
#: name -> the ranker, and the share of all pairs that it compares; those that compare none sort.
RANKERS: dict[str, tuple[Callable[..., Tensor], float]] = {
    "exact_ranks": (exact_ranks, 0),
    "sigmoid_ranks": (partial(sigmoid_ranks, tau=0.1), 1),
    "sup_ranks": (partial(sup_ranks, tau=0.1), 1 / RELEVANT),
    "laplace_ranks": (partial(laplace_ranks, tau=0.1), 0),
    "box_ranks": (partial(box_ranks, width=0.1), 0),
    "projection_ranks": (projection_ranks, 0),
    "softsort_ranks": (partial(softsort_ranks, tau=0.1), 1),
    "neuralsort_ranks": (partial(neuralsort_ranks, tau=0.1), 1),
}


class Sizes(NamedTuple):
    """How large everything is; ``plain`` is the largest batch that the plain forms get."""

    batches: tuple[int, ...] = (4096, 1024, 16384, 65536)
    dimensions: tuple[int, ...] = (512, 128)
    others: int = 4096
    plain: int = 1024
    lists: tuple[tuple[int, int], ...] = ((16, 1000), (1, 100_000))
    gallery: int = 60_000


QUICK = Sizes((16, 32), (8,), 16, 16, ((2, 20), (1, 50)), 40)


class Line(NamedTuple):
    """A line of the table; NaN where there is no such figure."""

    what: str
    size: str
    milliseconds: float
    floor_milliseconds: float
    over_floor: float
    plain_milliseconds: float  # the plain form, where it fits the memory
    megabytes: float
    waits: float
    waits_unchecked: float
    waits_cpu_labels: float  # checks off, labels on the CPU


def jobs(sizes: Sizes, device: str) -> Iterator[tuple[str, Callable[[], Line]]]:
    """What a line is called, and what makes it; the most important first."""
    for d in sizes.dimensions:
        for size in sizes.batches:
            for make in MAIN:
                yield f"{make.__name__} B={size}, d={d}", partial(of_loss, make, size, d, device, plain=size <= sizes.plain)
    for make in OTHERS:
        size, d = sizes.others, sizes.dimensions[0]
        yield f"{make.__name__} B={size}, d={d}", partial(of_loss, make, size, d, device)
    yield "evaluate_retrieval", partial(of_evaluation, sizes.gallery, sizes.dimensions[0], device)
    for lists, n in sizes.lists:
        for name in RANKERS:
            yield f"{name} [{lists}, {n}]", partial(of_ranker, name, lists, n, device)


def of_loss(make: Loss, size: int, d: int, device: str, *, plain: bool = False) -> Line:
    name = make.__name__
    work, least = step(make(), size, d, device), least_of_loss(size, d, device)
    time = milliseconds(work)
    return Line(
        name,
        f"B={size}, d={d}",
        time,
        least,
        time / least,
        of_plain(PLAIN[name], size, d, device) if plain and name in PLAIN else _NONE,
        megabytes(work),
        waits(work),
        waits(unchecked(work)),
        waits_with_cpu_labels(make(), size, d, device),
    )


@cache
def least_of_loss(size: int, d: int, device: str) -> float:
    return milliseconds(floor(size, d, device))


def floor(size: int, d: int, device: str, positives: int = PER_CLASS - 1) -> Work:
    """Three matrix products and a `torch.sigmoid` of B^2 scores for each positive, in blocks of rows that fit the memory."""
    x = torch.nn.functional.normalize(torch.randn(size, d, device=device), dim=1)
    rows = min(size, max(256, _BLOCK // size))

    def work() -> None:
        grad = torch.zeros_like(x)
        for part in x.split(rows):
            scores = part @ x.T
            for _ in range(positives):
                scores.sigmoid_()
            grad.addmm_(scores.T, part)
            scores @ x

    return work


def step(loss: Callable[..., Tensor], size: int, d: int, device: str, labels_on: str | None = None, *, sort: bool = False) -> Work:
    """One forward and backward pass, on classes in random order (or sorted)."""
    embeddings, labels = batch(size, d, PER_CLASS)
    embeddings = embeddings.detach().to(device).requires_grad_()
    labels = labels if sort else labels[torch.randperm(size, generator=torch.Generator().manual_seed(size))]
    labels = labels.to(labels_on or device)

    def work() -> None:
        embeddings.grad = None
        loss(embeddings, labels).backward()

    return work


def of_plain(loss: Callable[..., Tensor], size: int, d: int, device: str) -> float:
    work = step(loss, size, d, device, sort=True)
    try:
        with torch.device(device):  # the peers make their masks where torch puts them
            return milliseconds(work, repeat=3)
    except torch.cuda.OutOfMemoryError:
        return _NONE
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def waits_with_cpu_labels(loss: nn.Module, size: int, d: int, device: str) -> float:
    """Labels that stay on the CPU need no transfer; NaN where they are refused."""
    try:
        return waits(unchecked(step(loss, size, d, device, labels_on="cpu")))
    except ValueError:
        return _NONE


def of_ranker(name: str, lists: int, n: int, device: str) -> Line:
    ranker, pairs = RANKERS[name]
    work, least = rank_step(ranker, lists, n, device), milliseconds(rank_floor(lists, n, device, pairs=pairs))
    time = milliseconds(work)
    return Line(name, f"[{lists}, {n}]", time, least, time / least, _NONE, megabytes(work), waits(work), waits(unchecked(work)), _NONE)


def rank_step(ranker: Callable[..., Tensor], lists: int, n: int, device: str) -> Work:
    """Ranks of lists, and the gradient of a weighted sum."""
    generator = torch.Generator().manual_seed(n)
    scores = torch.randn(lists, n, generator=generator).to(device).requires_grad_()
    weight = torch.randn(lists, n, generator=generator).to(device)
    relevance = (torch.arange(n, device=device) % RELEVANT == 0).expand(lists, n)

    def work() -> None:
        scores.grad = None
        ranks = ranker(scores, relevance)
        if ranks.requires_grad:
            (ranks * weight).sum().backward()

    return work


def rank_floor(lists: int, n: int, device: str, *, pairs: float) -> Work:
    """One sort; of a ranker that compares pairs, two sigmoids a pair, one for the ranks and one for the slopes."""
    scores = torch.randn(lists, n, device=device)
    if not pairs:
        return lambda: scores.sort(-1)
    many = round(pairs * lists * n)  # rows of pairs
    rows = torch.randn(min(many, max(1, _BLOCK // n)), n, device=device)

    def work() -> None:
        for _ in range(2):
            for start in range(0, many, len(rows)):
                rows[: many - start].sigmoid_()

    return work


def of_evaluation(size: int, d: int, device: str) -> Line:
    """The default metrics of a whole gallery, next to its scores alone."""
    embeddings, labels = (x.detach().to(device) for x in batch(size, d, PER_CLASS))

    work = partial(evaluate_retrieval, embeddings, labels)

    def scores() -> None:
        for part in embeddings.split(min(size, _BLOCK // size)):
            part @ embeddings.T

    least, time = milliseconds(scores), milliseconds(work)
    return Line("evaluate_retrieval", f"N={size}, d={d}", time, least, time / least, _NONE, megabytes(work), waits(work), _NONE, _NONE)
