"""What the figures of trained sorters share: the networks that travel with the page, and which of them is on display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from rankbook.live.packed import check_networks, pack, unpack
from rankbook.live.traits import BadTrait, Checked
from rankbook.sorters import Sorter, load_sorter

#: The shipped sorters that a figure offers by default.
SHIPPED = ("kernel", "knots", "set-transformer-small", "gru")


class ChosenSorter(traitlets.HasTraits):
    """A figure with sorters to choose from: write it before `LiveFigure` among the bases.

    Traits:
        sorter: the name of the sorter on display.
        networks: the packed weights, made from ``sorters``.
    """

    networks = Checked([], check_networks)
    sorter = traitlets.Unicode().tag(sync=True)

    def __init__(self, sorters: Sequence[str] | Mapping[str, Sorter] = SHIPPED, **traits: Any):
        if "networks" not in traits:
            if not isinstance(sorters, (Mapping, list, tuple)) or not sorters:
                raise ValueError(f"sorters must be one or more names in a list, or a mapping from names to sorters, got {sorters!r:.40}")
            named = sorters if isinstance(sorters, Mapping) else {name: load_sorter(name) for name in sorters}
            traits["networks"] = [pack(name, sorter) for name, sorter in named.items()]
        traits["networks"] = check_networks("networks", traits["networks"])
        super().__init__(**{"sorter": traits["networks"][0]["name"]} | traits)

    def chosen(self) -> Sorter:
        """The sorter on display, in double precision, as the page computes it."""
        return unpack(next(network for network in self.networks if network["name"] == self.sorter))

    @traitlets.validate("networks", "sorter")
    def _check_sorter(self, proposal: Any) -> Any:
        now = {"networks": self.networks, "sorter": self.sorter} | {proposal["trait"].name: proposal["value"]}
        names = [network["name"] for network in now["networks"]]
        if now["sorter"] not in names:
            raise BadTrait(f"sorter must be one of {', '.join(names)}, got {now['sorter']!r}")
        return proposal["value"]
