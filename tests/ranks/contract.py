"""The rankers, and what each of them promises. A new ranker joins `RANKERS` and gets the whole suite of test_contract.py."""

from dataclasses import dataclass
from functools import partial

import torch

import rankbook as rb
from rankbook.types import RankFn


@dataclass(frozen=True)
class Ranker:
    name: str
    soft: RankFn  # knob set so that scores from N(0, 1) mix with their neighbors
    sharp: RankFn | None  # knob so small that scores some 0.1 apart have their exact ranks
    ties: str = "average"  # whose exact ranks the sharp ranks are when items tie; "" if neither
    smooth: bool = True  # has the derivative that gradcheck can find
    in_range: bool = True  # 1 <= rank <= n
    sums: bool = True  # the ranks of a list sum to n (n + 1) / 2
    equivariant: bool = True  # the order of the items in the input does not matter
    sublist: bool = True  # under `where` the items get the ranks of the list without the others
    knob: str = "tau"  # a float that must be above 0; "" if there is none
    tolerance: float = 1e-5  # for equalities between float32 results

    def __str__(self) -> str:
        return self.name


def _seeded(**knobs) -> RankFn:
    """Perturbed ranks with the same noise at each call."""

    def ranker(scores, relevance=None, *, where=None, **more):
        return rb.perturbed_ranks(scores, relevance, where=where, generator=torch.Generator().manual_seed(0), **{**knobs, **more})

    return ranker


def _knobs(ranker: RankFn, soft: dict, sharp: dict) -> tuple[RankFn, RankFn]:
    return partial(ranker, **soft), partial(ranker, **sharp)


def _tau(ranker: RankFn, soft: float, sharp: float = 1e-4, **fixed) -> tuple[RankFn, RankFn]:
    return _knobs(ranker, {"tau": soft, **fixed}, {"tau": sharp, **fixed})


RANKERS = [
    Ranker("exact", rb.exact_ranks, rb.exact_ranks, ties="max", smooth=False, sums=False, knob=""),
    Ranker("sigmoid", *_tau(rb.sigmoid_ranks, 0.3)),
    Ranker("laplace", *_tau(rb.laplace_ranks, 0.3)),
    Ranker("box", *_knobs(rb.box_ranks, {"width": 0.7}, {"width": 1e-4}), knob="width"),
    Ranker("projection-l2", *_tau(rb.projection_ranks, 3.0)),
    Ranker("projection-kl", *_tau(rb.projection_ranks, 1.0, regularization="kl")),
    Ranker("neuralsort", *_tau(rb.neuralsort_ranks, 0.3), sums=False),
    Ranker("softsort", *_tau(rb.softsort_ranks, 0.3), sums=False),
    Ranker("sinkhorn", *_tau(rb.sinkhorn_ranks, 0.3), sums=False),
    Ranker("network-odd_even", *_tau(rb.network_ranks, 0.1, 1e-9), ties="", equivariant=False),
    Ranker("network-bitonic", *_tau(rb.network_ranks, 0.1, 1e-9, network="bitonic"), ties="", equivariant=False),
    Ranker("blackbox", *_knobs(rb.blackbox_ranks, {"strength": 1.0}, {}), ties="max", smooth=False, sums=False, knob="strength"),
    Ranker(
        "perturbed",
        *(_seeded(sigma=sigma, samples=8) for sigma in (0.3, 1e-4)),
        smooth=False,
        equivariant=False,
        sublist=False,
        knob="sigma",
    ),
    Ranker(
        "suprank",
        *_knobs(rb.sup_ranks, {"tau": 0.3, "rho": 2.0, "delta": 0.5}, {"tau": 1e-4}),
        ties="max",
        in_range=False,
        sums=False,
    ),
]
