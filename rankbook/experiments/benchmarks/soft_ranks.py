"""Soft ranks next to their peers: the real packages where they are installed, the plain version of the algorithm everywhere.

torchsort needs a compiler, SoftTorch and torchpsort Python 3.12: none is in the extra ``bench``. All rank the same lists at the
same strength.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import torch
from torch import Tensor

from rankbook.experiments.benchmarks import rank_peers
from rankbook.experiments.benchmarks.measures import Work, fresh_milliseconds, fresh_peak, ratios
from rankbook.experiments.benchmarks.rows import Row, installed, rank_step, row
from rankbook.ranks import blackbox_ranks, box_ranks, neuralsort_ranks, perturbed_ranks, projection_ranks, softsort_ranks

SIZES = ((64, 100), (16, 1000), (1, 10_000))
#: The l2 strength and the kl strength, in units of the scores.
L2, KL = 0.01, 0.1

Ranker = Callable[[Tensor], Tensor]


def soft_ranks() -> Iterator[Row]:
    """Goals 5 and 9: rankers against packages and against the plain version, in time and in memory."""
    yield from _box()
    yield from _projections()
    yield from _against_plain(
        "neuralsort_ranks", partial(neuralsort_ranks, tau=0.1), "authors' way, n x n", rank_peers.plain_neuralsort, SIZES[:2]
    )
    yield from _against_plain(
        "softsort_ranks", partial(softsort_ranks, tau=0.1), "authors' way, n x n", rank_peers.plain_softsort, SIZES[:2]
    )
    yield from _against_plain("blackbox_ranks", blackbox_ranks, "plain, a sort each way", rank_peers.plain_blackbox, SIZES)
    perturbed = partial(perturbed_ranks, sigma=0.1)
    yield from _against_plain("perturbed_ranks", perturbed, "plain, all samples at once", rank_peers.plain_perturbed, SIZES)
    for name, knob in (("neuralsort", "tau"), ("softsort", "tau"), ("perturbed", "sigma")):
        ours = peak_of_ranks(f"partial(ranks.{name}_ranks, {knob}=0.1)", 16, 1000)
        plain = peak_of_ranks(f"rank_peers.plain_{name}", 16, 1000)
        yield row(f"{name}_ranks", "memory of the plain version", "[16, 1000]", [plain / ours], at_least=1)


def _box() -> Iterator[Row]:
    box = partial(box_ranks, width=0.1)

    def pairs_in_autograd(scores: Tensor) -> Tensor:
        return 0.5 + torch.sigmoid((scores.unsqueeze(-2) - scores.unsqueeze(-1)) / 0.1).sum(-1)

    found = ratios(rank_step(pairs_in_autograd, 16, 1000), rank_step(box, 16, 1000), pairs=5)
    yield row("box_ranks", "pair sigmoid, autograd", "[16, 1000]", found, at_least=50)
    if torchsort := installed("torchsort"):
        for lists, n in SIZES:
            peer = rank_step(partial(torchsort.soft_rank, regularization_strength=L2), lists, n)
            yield row("box_ranks", "torchsort l2", f"[{lists}, {n}]", ratios(rank_step(box, lists, n), peer, repeat=1), at_most=2.5)


def _projections() -> Iterator[Row]:
    for kind, strength in (("l2", L2), ("kl", KL)):
        peers: dict[str, Ranker] = {}
        if installed("sklearn.isotonic"):
            peers["scikit-learn's PAV, list by list"] = partial(rank_peers.plain_projection, strength=strength, kl=kind == "kl")
        if torchsort := installed("torchsort"):
            peers["torchsort (C++)"] = partial(torchsort.soft_rank, regularization=kind, regularization_strength=strength)
        for lists, n in SIZES:
            tau, size = strength * n if kind == "l2" else strength, f"[{lists}, {n}]"
            ours = rank_step(partial(projection_ranks, tau=tau, regularization=kind), lists, n)
            for name, peer in peers.items():
                yield row(f"projection {kind}", name, size, _shorter(rank_step(peer, lists, n), ours), at_least=1)
            alone = milliseconds_alone(f"partial(ranks.projection_ranks, tau={tau}, regularization={kind!r})", lists, n)
            for name, (package, peer) in COMPILED_AT_ONCE.items():
                if find_spec(package):
                    call = peer.format(kind=kind, strength=strength, mode={"l2": "c0", "kl": "smooth"}[kind])
                    theirs = milliseconds_alone(call, lists, n, package)
                    found = [t / o for t, o in zip(theirs, alone, strict=True)]
                    yield row(f"projection {kind}", name, size, found, at_least=1)
            if (lists, n) == (16, 1000):
                yield row(f"projection {kind}", "CPU milliseconds", size, alone, at_most=6)


#: Peers that numba compiles, each in a process of its own: behind its code torch's exponentials ran 250 times slower here in the
#: same process (the upper halves of vector registers stay in use), ours and those of other peers.
COMPILED_AT_ONCE = {
    "torchpsort (numba)": ("torchpsort", "partial(torchpsort.soft_rank, tau={strength}, reg='{kind}')"),
    "SoftTorch (numba)": (
        "softtorch",
        "partial(softtorch.rank, dim=-1, softness={strength}, method='fast_soft_sort', mode='{mode}', standardize=False)",
    ),
}


def milliseconds_alone(ranker: str, lists: int, n: int, package: str = "rankbook") -> list[float]:
    """CPU milliseconds of a ranker, a piece of Python, in a process of its own."""
    prepare = (
        f"from functools import partial\nimport torch, {package}\nfrom rankbook import ranks\n"
        f"from rankbook.experiments.benchmarks import rows\ntorch.set_num_threads(1)\nwork = rows.rank_step({ranker}, {lists}, {n})"
    )
    return fresh_milliseconds(prepare)


def _against_plain(what: str, ranker: Ranker, named: str, plain: Ranker, sizes: tuple[tuple[int, int], ...]) -> Iterator[Row]:
    for lists, n in sizes:
        found = _shorter(rank_step(plain, lists, n), rank_step(ranker, lists, n))
        yield row(what, named, f"[{lists}, {n}]", found, at_least=1)


def _shorter(peer: Work, ours: Work) -> list[float]:
    """Works of about a millisecond: many pairs, as many calls of the one as of the other."""
    return ratios(peer, ours, pairs=15, repeat=1, calls=3)


def peak_of_ranks(ranker: str, lists: int, n: int) -> float:
    prepare = (
        "from functools import partial\nimport torch\nfrom rankbook import ranks\n"
        "from rankbook.experiments.benchmarks import rank_peers, rows\n"
        f"torch.set_num_threads(1)\nranker = {ranker}\nrows.rank_step(ranker, 2, 4)()\nwork = rows.rank_step(ranker, {lists}, {n})"
    )
    return fresh_peak(prepare, "work()")
