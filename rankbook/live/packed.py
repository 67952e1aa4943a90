"""Trained sorters as JSON that a page can carry: their weights as base64 of half precision."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from rankbook.checks import check_choice, check_count
from rankbook.sorters import BiGRUSorter, KernelSorter, KnotSorter, SetTransformerSorter, Sorter

#: What ``js/shared/networks.js`` can run: class -> the arguments that build one like the given sorter.
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
_KINDS = {kind.__name__: kind for kind in ARCHITECTURES}
_FIELDS = {"name", "architecture", "options", "layout", "data"}
#: No option of a network that a page can run is larger, and no page carries more of them.
LARGEST, MOST = 512, 16


def pack(name: str, sorter: Sorter) -> dict[str, Any]:
    """A sorter as JSON: its weights as base64 of float16, one tensor after the other, a vector as one row."""
    if type(sorter) not in ARCHITECTURES:
        raise TypeError(f"sorters[{name!r}]: expected one of {', '.join(_KINDS)}, got {type(sorter).__name__}")
    weights = nn.utils.parameters_to_vector(sorter.parameters()).detach().cpu().half()
    if not weights.isfinite().all():
        raise ValueError(f"sorters[{name!r}]: expected weights that half precision can hold (below 65504), got larger ones")
    return {
        "name": name,
        "architecture": type(sorter).__name__,
        "options": ARCHITECTURES[type(sorter)](sorter),
        "layout": _layout(sorter),
        "data": base64.b64encode(weights.numpy().astype("<f2").tobytes()).decode(),
    }


def unpack(network: Mapping[str, Any]) -> Sorter:
    """The sorter that `pack` packed, its weights rounded to half precision, computing in double precision."""
    sorter = _KINDS[network["architecture"]](**network["options"]).double().requires_grad_(False)
    weights = np.frombuffer(base64.b64decode(network["data"]), "<f2").astype(np.float64)
    nn.utils.vector_to_parameters(torch.from_numpy(weights), sorter.parameters())
    return sorter.eval()


def check_networks(name: str, networks: Any) -> list[dict[str, Any]]:
    """``networks`` if they are one or more sorters as `pack` makes them. Sizes are read before anything of that size is built."""
    if not isinstance(networks, (list, tuple)) or not 1 <= len(networks) <= MOST:
        raise ValueError(f"{name} must be a list of 1 to {MOST} packed sorters, got {networks!r:.40}")
    for i, network in enumerate(networks):
        said = f"{name}[{i}]"
        if not isinstance(network, Mapping) or network.keys() != _FIELDS or not isinstance(network["options"], Mapping):
            raise ValueError(f"{said} must be a packed sorter, a mapping with {', '.join(sorted(_FIELDS))}; got {network!r:.40}")
        kind = _KINDS[check_choice(f"{said}['architecture']", network["architecture"], list(_KINDS))]
        for option, value in network["options"].items():
            if not isinstance(value, bool):
                check_count(f"{said}['options'][{option!r}]", value, at_most=LARGEST)
        try:
            with torch.device("meta"):  # shapes, no memory
                layout = _layout(kind(**network["options"]))
            size = len(base64.b64decode(network["data"], validate=True))
        except (TypeError, ValueError, binascii.Error) as error:
            raise ValueError(f"{said} cannot be read: {error}") from None
        if network["layout"] != layout or size != 2 * sum(rows * columns for _, rows, columns in layout):
            raise ValueError(f"{said}: layout and data do not belong to a {kind.__name__} with {dict(network['options'])}")
    return [dict(network) for network in networks]


def _layout(sorter: Sorter) -> list[list[Any]]:
    return [[key, *[1, 1, *value.shape][-2:]] for key, value in sorter.named_parameters()]
