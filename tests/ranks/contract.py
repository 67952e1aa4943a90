"""The rankers, and what each of them promises. A new ranker joins `RANKERS` and gets the whole suite of test_contract.py."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch

import rankbook as rb
from rankbook.sorters.checkpoints import shipped_names
from rankbook.types import RankFn
from sorters.models import SMALL, small


@dataclass(frozen=True)
class Ranker:
    name: str
    soft: RankFn  # knob set so that scores from N(0, 1) mix with their neighbors
    sharp: RankFn | None  # knob so small that scores some 0.1 apart have their exact ranks; None: an untrained sorter, which has no idea
    ties: str = "average"  # whose exact ranks the sharp ranks are when items tie; "" if neither
    smooth: bool = True  # has the derivative that gradcheck can find
    in_range: bool = True  # 1 <= rank <= n
    slack: float = 1e-5  # by so many places the ranks may leave this range
    error: float = 0.0  # so far the sharp ranks may be from the exact ones, mean distance as a share of n
    sums: bool = True  # the ranks of a list sum to n (n + 1) / 2
    equivariant: bool = True  # the order of the items in the input does not matter
    shift: bool = True  # a number added to all scores changes nothing
    length: int | None = None  # the only number of items that it takes
    sublist: bool = True  # under `where` the items get the ranks of the list without the others
    knob: str = "tau"  # a float that must be above 0; "" if there is none
    tolerance: float = 1e-5  # for equalities between float32 results
    linear: bool = True  # the gradient is proportional to the incoming one, at any positive scale
    learned: bool = False  # a network

    def __str__(self) -> str:
        return self.name

    @property
    def covers(self) -> str:
        """The public ranker or the shipped sorter that is tried here."""
        function = getattr(self.soft, "func", self.soft)
        return getattr(function, "covers", function.__name__)


def _seeded(**knobs) -> RankFn:
    """Perturbed ranks with the same noise at each call."""

    def ranker(scores, relevance=None, *, where=None, **more):
        generator = torch.Generator(getattr(scores, "device", "cpu")).manual_seed(0)
        return rb.perturbed_ranks(scores, relevance, where=where, generator=generator, **{**knobs, **more})

    ranker.covers = "perturbed_ranks"
    return ranker


def _knobs(ranker: RankFn, soft: dict, sharp: dict) -> tuple[RankFn, RankFn]:
    return partial(ranker, **soft), partial(ranker, **sharp)


def _tau(ranker: RankFn, soft: float, sharp: float = 1e-4, **fixed) -> tuple[RankFn, RankFn]:
    return _knobs(ranker, {"tau": soft, **fixed}, {"tau": sharp, **fixed})


def _learned(make: Callable[[], rb.Sorter], name: str = "") -> RankFn:
    """A sorter on the device of the scores, with weights in double precision if the scores are."""

    @cache
    def sorter(dtype: torch.dtype, device: torch.device) -> rb.Sorter:
        return make().to(device, dtype)

    def ranker(scores, relevance=None, *, where=None):
        double = getattr(scores, "dtype", None) == torch.float64
        return sorter(torch.float64 if double else torch.float32, getattr(scores, "device", "cpu"))(scores, relevance, where=where)

    ranker.covers = name
    return ranker


def _straight_through(ranker: RankFn) -> RankFn:
    module = rb.straight_through(ranker)

    def through(scores, relevance=None, *, where=None):
        return module(scores, relevance, where=where)

    through.covers = "straight_through"
    return through


# What an architecture promises, trained or not. The gradient is that of the ranks at a fixed deviation and fixed widths, which
# gradcheck does not know: tests/sorters/test_gradients.py compares it with finite differences at that.
_ANY_ORDER = {"smooth": False, "sums": False, "knob": "", "slack": 0.5, "ties": "", "tolerance": 1e-4, "learned": True}
_IN_ORDER = {**_ANY_ORDER, "equivariant": False, "sublist": False, "shift": False}
PROMISES = {
    "KernelSorter": {**_ANY_ORDER, "sums": True, "ties": "average"},
    "KnotSorter": _ANY_ORDER,
    "SetTransformerSorter": _ANY_ORDER,
    "BiGRUSorter": {**_IN_ORDER, "shift": True},  # the only one of these that standardizes
    "ConvSorter": _IN_ORDER,
    "BiLSTMSorter": _IN_ORDER,
    "MLPSorter": _IN_ORDER,
}


def _untrained(architecture: type[rb.Sorter]) -> Ranker:
    name = architecture.__name__
    return Ranker(f"untrained-{name}", _learned(partial(small, architecture)), None, length=SMALL[architecture].get("n"), **PROMISES[name])


def _shipped(name: str) -> Ranker:
    """On even grids in random order the error may be 1.5 times what the card says, since the test has only a few lists."""
    card = rb.sorter_card(name)
    ranker = _learned(partial(rb.load_sorter, name), name)
    length = None if card["n"] == "any" else card["n"]
    error = 1.5 * card["error_by_kind"]["shuffled grid"]
    return Ranker(name, ranker, ranker, length=length, error=error, **PROMISES[card["architecture"]])


_BLACKBOX = {"ties": "max", "smooth": False, "sums": False, "knob": "strength"}
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
    # the papers' interpolation moves the scores by the incoming gradient itself: another scale of it is another strength
    Ranker("blackbox", *_knobs(rb.blackbox_ranks, {"strength": 1.0}, {}), linear=False, **_BLACKBOX),
    Ranker("blackbox-relative", *_knobs(rb.blackbox_ranks, {"strength": 1.0, "relative": True}, {}), **_BLACKBOX),
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
    Ranker(
        "straight-through",
        *(_straight_through(partial(rb.sigmoid_ranks, tau=tau)) for tau in (0.3, 1e-4)),
        ties="max",
        smooth=False,
        sums=False,
        knob="",
    ),
    *map(_untrained, SMALL),
    *map(_shipped, shipped_names()),
]
