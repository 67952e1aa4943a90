"""Weights of trained sorters on disk: safetensors and a card that says what they are and how good."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors.torch
import torch
from torch import Tensor, nn

from rankbook.archive import REPOSITORY, Archive
from rankbook.checks import check_instance
from rankbook.files import sha256, write_whole
from rankbook.sorters.card import ARCHITECTURES, build, digest, seal, unseal
from rankbook.sorters.sorter import Sorter

_CHECKSUMS = Path(__file__).with_name("sorters_sha256.txt")
_REBUILD = "python -m rankbook.experiments.sorters train"


def save_sorter(sorter: Sorter, folder: str | os.PathLike[str], arguments: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Write ``weights.safetensors`` and ``card.json`` into a folder; half precision, so that the weights are small.

    Args:
        sorter: one of rankbook's. **Its weights are rounded in place**, so that whatever is measured later holds for the file.
        folder: is made if it does not exist.
        arguments: with which the sorter was built; a network that they build anew is compared before anything is written.
        facts: more entries for the card, such as its error; anything that JSON can hold.

    Returns: the card.

    Raises:
        TypeError: another kind of sorter; a fact that JSON cannot hold.
        ValueError: a weight that is not finite in half precision; arguments of another sorter; a fact with the name of an entry.

    Each file is written whole or not at all, the weights first. A kill between the two leaves weights that the old card does not
    know, which `load_sorter` refuses; saving once more repairs it.

    >>> import tempfile
    >>> sorter = rb.KnotSorter(knots=40)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = rb.save_sorter(sorter, folder, {"knots": 40}, seed=0)
    ...     same = rb.load_sorter(folder)
    >>> bool((same(torch.arange(5.0)) == sorter(torch.arange(5.0))).all())
    True
    """
    kind = type(sorter).__name__
    if ARCHITECTURES.get(kind) is not type(sorter):
        raise TypeError(f"sorter must be one of {', '.join(ARCHITECTURES)}, got {kind}")
    weights = safetensors.torch.save({name: value.cpu().contiguous() for name, value in halved(sorter).items()})
    card = {
        "architecture": kind,
        "arguments": check_instance("arguments", arguments, dict, '{"hidden": 16}'),
        "weights": sum(value.numel() for value in sorter.parameters()),
        "sha256": digest(weights),
    }
    if taken := card.keys() & facts.keys():
        raise ValueError(f"facts must not be called {', '.join(sorted(taken))}, which the card has already")
    content = seal(card | facts)
    card = unseal(content, str(folder))  # as it will be read
    _try(sorter, card["arguments"], weights)
    folder = Path(folder)
    write_whole(folder / "weights.safetensors", weights)
    write_whole(folder / "card.json", content)
    return card


def halved(sorter: Sorter) -> dict[str, Tensor]:
    """The state in half precision, to which the weights of the sorter are rounded in place."""
    half = {name: value.half() if value.is_floating_point() else value for name, value in sorter.state_dict().items()}
    for name, value in half.items():
        if not value.isfinite().all():
            raise ValueError(f"the weights of sorter must be finite in half precision, but {name} is not; did the training diverge?")
    sorter.load_state_dict(half)
    return half


def _try(sorter: Sorter, arguments: dict[str, Any], weights: bytes) -> None:
    """Raise if the arguments make another network of these weights, as other ``heads`` do, whose shapes are the same."""
    advice = "arguments must be those that the sorter was built with"
    try:
        rebuilt = build(type(sorter).__name__, arguments, weights)
    except ValueError as error:
        raise ValueError(f"{advice}: {error}") from error
    for (name, ours), theirs in zip(sorter.named_modules(), rebuilt.modules(), strict=True):
        found = _settings(theirs)
        for key, value in _settings(ours).items():
            if found.get(key, value) != value:
                raise ValueError(f"{advice}: its {f'{name}.{key}'.lstrip('.')} is {value}, that of {arguments} is {found[key]}")


def _settings(module: nn.Module) -> dict[str, Any]:
    """What a module holds beside weights and modules: numbers, words and switches."""
    return {
        key: value for key, value in vars(module).items() if key != "training" and isinstance(value, (int, float, str, tuple, type(None)))
    }


def load_sorter(name: str | os.PathLike[str], *, device: torch.device | str = "cpu") -> Sorter:
    """A trained sorter, frozen and in evaluation mode: a ranker that is ready for any metric.

    Args:
        name: one of `list_sorters`; or a folder that `save_sorter` wrote.
        device: where the weights go. They are in single precision, whatever torch's default is.

    Raises:
        ValueError: no such sorter or device; a damaged file (every file is checked by its hash, nothing is unpickled); a card whose
            network is another than that of the weights, which is noticed before it takes memory.
        FileNotFoundError: a file is missing.

    To train it further call ``.requires_grad_(True)`` first; to let it learn along with a model see `UpdatingSorter`.

    >>> rb.load_sorter("kernel")(torch.tensor([0.2, 0.9, 0.5])).round(decimals=1)
    tensor([2.8000, 1.2000, 2.0000])
    """
    card = sorter_card(name)
    weights = _reader(name)("weights.safetensors")
    if digest(weights) != card["sha256"]:
        raise ValueError(
            f"the weights of {name} are damaged, or a save was interrupted: expected sha256 {card['sha256']}, found {digest(weights)}; "
            "save the sorter anew with rb.save_sorter"
        )
    try:
        sorter = build(card["architecture"], card["arguments"], weights)
    except ValueError as error:
        raise ValueError(f"the card of {name} does not belong to its weights: {error}; save the sorter anew with rb.save_sorter") from error
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'device must be a device of torch, such as "cpu" or "cuda:0", got {device!r}') from error
    return sorter.eval().requires_grad_(False).to(device)


def sorter_card(name: str | os.PathLike[str]) -> dict[str, Any]:
    """What is known about a trained sorter: architecture, training, errors, descent, hash, and the command that made it.

    Args:
        name: as for `load_sorter`, with the same errors.

    >>> rb.sorter_card("kernel")["architecture"]
    'KernelSorter'
    """
    return unseal(_reader(name)("card.json"), str(name))


def list_sorters() -> pd.DataFrame:
    """The shipped sorters, one a row, the most exact first.

    Returns: a table indexed by name: ``architecture``; ``n``, a number or "any"; ``weights``, how many; ``error``
    (`rank_error`) and ``descent`` (`rank_descent`), both at n = 100; ``cpu_seconds`` of training.

    >>> "kernel" in rb.list_sorters().index
    True
    """
    columns = ["architecture", "n", "weights", "error", "descent", "cpu_seconds"]
    cards = {name: sorter_card(name) for name in shipped_names()}
    return pd.DataFrame.from_dict(cards, orient="index")[columns].sort_values("error")


def shipped_names() -> list[str]:
    """What `load_sorter` knows by name."""
    return sorted({Path(file).parent.name for file in _archive().registry})


def _archive() -> Archive:
    return Archive("sorters", _CHECKSUMS, rebuild=_REBUILD)


def _reader(name: str | os.PathLike[str]) -> Callable[[str], bytes]:
    """A function that reads the named file of a sorter."""
    if isinstance(name, str) and name in shipped_names():
        archive = _archive()
        return lambda file: archive.read(f"{name}/{file}")
    known = f"name must be one of {', '.join(shipped_names())}, or a folder that save_sorter wrote, got {name!r}"
    if not isinstance(name, (str, os.PathLike)):
        raise TypeError(known)
    folder = Path(name)
    if not folder.is_dir():
        raise ValueError(known)
    return lambda file: (folder / file).read_bytes()


def write_checksums(folder: Path = REPOSITORY / "data" / "sorters", to: Path = _CHECKSUMS) -> None:
    """Record the hashes of all shipped files; for those who train them."""
    files = sorted([*folder.glob("*/card.json"), *folder.glob("*/weights.safetensors")])
    lines = [f"{file.relative_to(folder).as_posix()} {sha256(file.read_bytes())}\n" for file in files]
    write_whole(to, "".join(lines).encode())
