"""The card of a trained sorter, and the network that it describes: nothing is built before it is known to fit its weights."""

from __future__ import annotations

import json
import math
import numbers
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from rankbook.files import sha256
from rankbook.sorters.equivariant import KnotSorter, SetTransformerSorter
from rankbook.sorters.fixed import BiGRUSorter, BiLSTMSorter, ConvSorter, MLPSorter
from rankbook.sorters.kernel import KernelSorter
from rankbook.sorters.sorter import Sorter

ARCHITECTURES = {
    kind.__name__: kind for kind in (BiGRUSorter, BiLSTMSorter, ConvSorter, KernelSorter, KnotSorter, MLPSorter, SetTransformerSorter)
}
_SEAL = "card_sha256"
_NEEDED = {"architecture", "arguments", "sha256", _SEAL}


def seal(card: dict[str, Any]) -> bytes:
    """The card as it stands on disk, with a checksum of all its other entries as the last one.

    Raises:
        TypeError: an entry that JSON cannot hold.
    """
    try:
        plain = json.loads(_text(card))
    except (TypeError, ValueError) as error:
        raise TypeError(f"facts must be what JSON can hold: numbers, text, lists and dictionaries of them; {error}") from error
    return _text(plain | {_SEAL: digest(_text(plain))})


def unseal(content: bytes, name: str) -> dict[str, Any]:
    """The card that `seal` wrote: of other bytes not even the spaces are accepted.

    Raises:
        ValueError: it is not; the message says what to do.
    """
    again = "save the sorter anew with rb.save_sorter"
    try:
        card = json.loads(content)
        missing = _NEEDED - set(card)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"the card of {name} is damaged: expected JSON, got {error}; {again}") from error
    if missing or not isinstance(card, dict):
        raise ValueError(f"the card of {name} is damaged, or of an older rankbook: it has no {', '.join(sorted(missing))}; {again}")
    expected = digest(_text({key: value for key, value in card.items() if key != _SEAL}))
    if card[_SEAL] != expected or _text(card) != content:
        raise ValueError(f"the card of {name} is damaged: its own checksum does not fit; {again}")
    return card


def build(architecture: Any, arguments: Any, weights: bytes) -> Sorter:
    """The network of a card with the weights of a safetensors file: on the CPU, in single precision, whatever torch's defaults are.

    The shapes in the head of the file are compared with those of a network that has no memory yet.

    Raises:
        ValueError: they differ, or there is no such network.
    """
    shapes = _shapes(weights)
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES or not isinstance(arguments, dict):
        raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)} with a dictionary of arguments, got {architecture!r}")
    most = {"layers": len(shapes)}
    for key, value in arguments.items():  # each of them is paid for in weights: no network has more layers than tensors
        limit = most.get(key, sum(map(math.prod, shapes.values())))
        if isinstance(value, numbers.Real) and key != "width" and value > limit:
            raise ValueError(f"the weights are too few for {key}={value}")
    try:
        with torch.device("meta"):
            sorter = ARCHITECTURES[architecture](**arguments)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"no {architecture} has these arguments: {error}") from error
    expected = {key: tuple(value.shape) for key, value in sorter.state_dict().items()}
    for key in expected | shapes:
        if expected.get(key) != shapes.get(key):
            raise ValueError(f"{architecture} has {key} of shape {expected.get(key)}, the weights {shapes.get(key)}")
    with torch.inference_mode(False):  # or nothing could ever be differentiated through it
        values = safetensors.torch.load(weights)
        sorter.load_state_dict({key: _single(value) for key, value in values.items()}, assign=True)
    return sorter


def digest(content: bytes) -> str:
    """The bare checksum, as cards write it."""
    return sha256(content).removeprefix("sha256:")


def _shapes(weights: bytes) -> dict[str, tuple[int, ...]]:
    """From the head of a safetensors file: a length, then JSON."""
    size = int.from_bytes(weights[:8], "little")
    try:
        head = json.loads(weights[8 : 8 + size])
        return {key: tuple(entry["shape"]) for key, entry in head.items() if key != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError("the weights are no safetensors file") from error


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _text(card: dict[str, Any]) -> bytes:
    return (json.dumps(card, indent=1, default=_number) + "\n").encode()


def _number(value: Any) -> int | float:
    """What numpy and torch call a number."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Tensor) and value.numel() == 1:
        return value.item()
    raise TypeError(f"got {type(value).__name__}")
