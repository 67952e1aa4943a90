"""Trained sorters in the page: the ranks that they predict, and the gradient that they give."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from torch import nn

from rankbook.live.figure import LiveFigure, check_relevance, check_scores
from rankbook.ranks import exact_ranks
from rankbook.sorters import BiGRUSorter, KernelSorter, KnotSorter, SetTransformerSorter, Sorter, load_sorter

#: The shipped sorters that the figure offers by default.
SHIPPED = ("kernel", "knots", "set-transformer-small", "gru")
#: What ``js/networks.js`` can run: class -> the arguments that build one like the given sorter.
ARCHITECTURES: dict[type[Sorter], Callable[[Any], dict[str, Any]]] = {
    KernelSorter: lambda sorter: {"hidden": sorter.widths[0].out_features},
    KnotSorter: lambda sorter: {"knots": len(sorter.place)},
    SetTransformerSorter: lambda sorter: {
        "hidden": len(sorter.place),
        "layers": len(sorter.blocks),
        "inducing": len(sorter.blocks[0].points),
        "heads": sorter.blocks[0].gather.heads,
    },
    BiGRUSorter: lambda sorter: {
        "hidden": sorter.gru.hidden_size,
        "layers": sorter.gru.num_layers,
        "standardized": sorter.standardized,
    },
}
#: A push against the item's label counts if it is at least this share of the hardest one.
FELT = 0.05


class LearnedSorters(LiveFigure, module="learned_sorters"):
    """Choose a trained sorter, drag items, shuffle the input: predicted ranks against exact ones, and the gradient on each item.

    The browser runs the network itself: its weights are part of the figure, in half precision like the shipped files.
    An arrow is minus the gradient of the mean rank of the relevant items, SoDeep's loss.

    Args:
        sorters: names of shipped sorters, or a mapping from names to sorters: `rankbook.KernelSorter`, `rankbook.KnotSorter`,
            `rankbook.SetTransformerSorter` or `rankbook.BiGRUSorter`. The figure keeps a copy of their weights.

    Traits:
        scores: 2 to 8 numbers in [0, 1].
        relevance: as many, 1 (relevant) or 0.
        sorter: the name of the sorter on display.
        shuffles: how often the input was riffled like a deck of cards before the network reads it.
        networks: the packed weights, made from ``sorters``.
    """

    scores = traitlets.List(traitlets.Float(), [0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20]).tag(sync=True)
    relevance = traitlets.List(traitlets.Int(), [1, 0, 1, 0, 0, 1, 0, 0]).tag(sync=True)
    shuffles = traitlets.Int(0).tag(sync=True)
    networks = traitlets.List(traitlets.Dict()).tag(sync=True)
    sorter = traitlets.Unicode().tag(sync=True)

    def __init__(self, sorters: Sequence[str] | Mapping[str, Sorter] = SHIPPED, **traits: Any):
        if "networks" not in traits:
            named = sorters if isinstance(sorters, Mapping) else {name: load_sorter(name) for name in sorters}
            if not named:
                raise ValueError("sorters: expected at least one sorter, got none")
            traits["networks"] = [pack(name, sorter) for name, sorter in named.items()]
        super().__init__(**{"sorter": traits["networks"][0]["name"]} | traits)

    @traitlets.validate("scores")
    def _check_scores(self, proposal: Any) -> list[float]:
        return check_scores("scores", proposal["value"], most=8, least=2)

    @traitlets.validate("relevance")
    def _check_relevance(self, proposal: Any) -> list[int]:
        return check_relevance(proposal["value"], len(self.scores))

    @traitlets.validate("shuffles")
    def _check_shuffles(self, proposal: Any) -> int:
        if proposal["value"] < 0:
            raise ValueError(f"shuffles: expected a number of shuffles, 0 or more, got {proposal['value']}")
        return proposal["value"]

    @traitlets.validate("sorter")
    def _check_sorter(self, proposal: Any) -> str:
        names = [network["name"] for network in self.networks]
        if proposal["value"] not in names:
            raise ValueError(f"sorter: expected one of {', '.join(names)}, got {proposal['value']!r}")
        return proposal["value"]

    def readout(self) -> dict[str, Any]:
        sorter = unpack(next(network for network in self.networks if network["name"] == self.sorter))
        scores = torch.tensor(self.scores, dtype=torch.float64, requires_grad=True)
        relevant = torch.tensor(self.relevance) > 0
        order = torch.tensor(riffled(len(self.scores), self.shuffles))
        ranks = torch.zeros_like(scores).index_copy(0, order, sorter(scores[order]))
        exact = exact_ranks(scores.detach())
        push = torch.zeros_like(scores)
        if relevant.any():
            push = -torch.autograd.grad(ranks[relevant].mean(), scores)[0]
        against = torch.where(relevant, -push, push)
        error = (ranks.detach() - exact).abs()
        return {
            "scores": self.scores,
            "relevance": self.relevance,
            "sorter": self.sorter,
            "shuffles": self.shuffles,
            "order": order.tolist(),
            "ranks": ranks.tolist(),
            "push": push.tolist(),
            "mean_rank": ranks[relevant].mean().item() if relevant.any() else None,
            "exact_mean_rank": exact[relevant].mean().item() if relevant.any() else None,
            "rank_error": error.mean().item(),
            "against": int((against >= FELT * push.abs().max()).sum()) if push.any() else 0,
            "order_effect": (ranks - sorter(scores)).abs().mean().item(),
        }

    def describe(self) -> str:
        now = self.readout()
        shuffled = f"; in a shuffled order the same scores get ranks that are {now['order_effect']:.3f} away" if self.shuffles else ""
        return (
            "Trained networks sort the scores here, and their gradient pushes each item: a small rank error does not make a good gradient. "
            f"The sorter {self.sorter} is off by {now['rank_error']:.3f} places on average and pushes {now['against']} of "
            f"{len(self.scores)} items against their label{shuffled}."
        )


def riffled(n: int, shuffles: int) -> list[int]:
    """The items 0 to n - 1 after as many perfect riffles: cut in half, then one from the lower half, one from the upper, and so on."""
    order = list(range(n))
    for _ in range(shuffles):
        order = [order[place // 2 + (0 if place % 2 else n // 2)] for place in range(n)]
    return order


def pack(name: str, sorter: Sorter) -> dict[str, Any]:
    """A sorter as JSON: its weights as base64 of float16, one tensor after the other, a vector as one row."""
    if type(sorter) not in ARCHITECTURES:
        known = ", ".join(kind.__name__ for kind in ARCHITECTURES)
        raise TypeError(f"sorters[{name!r}]: expected one of {known}, got {type(sorter).__name__}")
    weights = nn.utils.parameters_to_vector(sorter.parameters()).detach().cpu().half()
    if not weights.isfinite().all():
        raise ValueError(f"sorters[{name!r}]: expected weights that half precision can hold (below 65504), got larger ones")
    return {
        "name": name,
        "architecture": type(sorter).__name__,
        "options": ARCHITECTURES[type(sorter)](sorter),
        "layout": [[key, *[1, 1, *value.shape][-2:]] for key, value in sorter.named_parameters()],
        "data": base64.b64encode(weights.numpy().astype("<f2").tobytes()).decode(),
    }


def unpack(network: Mapping[str, Any]) -> Sorter:
    """The sorter that `pack` packed, its weights rounded to half precision, computing in double precision."""
    kind = next(kind for kind in ARCHITECTURES if kind.__name__ == network["architecture"])
    sorter = kind(**network["options"]).double().requires_grad_(False)
    weights = np.frombuffer(base64.b64decode(network["data"]), "<f2").astype(np.float64)
    nn.utils.vector_to_parameters(torch.from_numpy(weights), sorter.parameters())
    return sorter.eval()
