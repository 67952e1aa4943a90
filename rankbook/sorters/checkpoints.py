"""Weights of trained sorters on disk: safetensors and a card that says what they are and how good."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors
import safetensors.torch
import torch

from rankbook.archive import REPOSITORY, Archive
from rankbook.sorters.equivariant import KnotSorter, SetTransformerSorter
from rankbook.sorters.fixed import BiGRUSorter, BiLSTMSorter, ConvSorter, MLPSorter
from rankbook.sorters.kernel import KernelSorter
from rankbook.sorters.sorter import Sorter

_ARCHITECTURES = {
    kind.__name__: kind for kind in (BiGRUSorter, BiLSTMSorter, ConvSorter, KernelSorter, KnotSorter, MLPSorter, SetTransformerSorter)
}
_CHECKSUMS = Path(__file__).with_name("sorters_sha256.txt")
_REBUILD = "python -m rankbook.experiments.sorters train"


def save_sorter(sorter: Sorter, folder: str | os.PathLike[str], arguments: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Write ``weights.safetensors`` and ``card.json`` into a folder; half precision, so that the weights are small.

    Args:
        sorter: one of rankbook's. **Its weights are rounded in place**, so that whatever is measured later holds for the file.
        folder: is made if it does not exist.
        arguments: with which the sorter was built; with others, loading would fail.
        facts: more entries for the card, such as its error; anything that JSON can hold.

    Returns: the card.

    Raises:
        TypeError: another kind of sorter.
        ValueError: a weight that is not finite in half precision.

    Each file is written aside and then renamed, the weights first. A kill between the two leaves weights that the old card
    does not know, which `load_sorter` refuses.

    >>> import tempfile
    >>> sorter = rb.KnotSorter(knots=40)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = rb.save_sorter(sorter, folder, {"knots": 40}, seed=0)
    ...     same = rb.load_sorter(folder)
    >>> bool((same(torch.arange(5.0)) == sorter(torch.arange(5.0))).all())
    True
    """
    if type(sorter).__name__ not in _ARCHITECTURES:
        raise TypeError(f"sorter must be one of {', '.join(_ARCHITECTURES)}, got {type(sorter).__name__}")
    half = {name: value.half() if value.is_floating_point() else value for name, value in sorter.state_dict().items()}
    for name, value in half.items():
        if not value.isfinite().all():
            raise ValueError(f"the weights of sorter must be finite in half precision, but {name} is not; did the training diverge?")
    sorter.load_state_dict(half)
    weights = safetensors.torch.save({name: value.cpu().contiguous() for name, value in half.items()})
    card = {
        "architecture": type(sorter).__name__,
        "arguments": arguments,
        "weights": sum(value.numel() for value in sorter.parameters()),
        "sha256": hashlib.sha256(weights).hexdigest(),
        **facts,
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "weights.safetensors", weights)
    _write(folder / "card.json", (json.dumps(card, indent=1) + "\n").encode())
    return card


def load_sorter(name: str | os.PathLike[str], *, device: torch.device | str = "cpu") -> Sorter:
    """A trained sorter, frozen and in evaluation mode: a ranker that is ready for any metric.

    Args:
        name: one of `list_sorters`, from the repository or, once, from its address; or a folder that `save_sorter` wrote.
        device: where the weights go.

    Raises:
        ValueError: no such sorter; a damaged file (every file is checked by its hash, nothing is unpickled).
        FileNotFoundError: a file is missing.

    To train it further call ``.requires_grad_(True)`` first; to let it learn along with a model see `UpdatingSorter`.

    >>> rb.load_sorter("kernel")(torch.tensor([0.2, 0.9, 0.5])).round(decimals=1)
    tensor([2.8000, 1.2000, 2.0000])
    """
    card = sorter_card(name)
    weights = _reader(name)("weights.safetensors")
    found = hashlib.sha256(weights).hexdigest()
    if found != card["sha256"]:
        raise ValueError(f"the weights of {name} are damaged: expected sha256 {card['sha256']}, found {found}; make or download them anew")
    try:
        with torch.random.fork_rng(devices=[]):  # first values, which the next line replaces
            sorter = _ARCHITECTURES[card["architecture"]](**card["arguments"])
        sorter.load_state_dict(safetensors.torch.load(weights))
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"the card of {name} does not belong to its weights; make or download them anew") from error
    return sorter.eval().requires_grad_(False).to(device)


def sorter_card(name: str | os.PathLike[str]) -> dict[str, Any]:
    """What is known about a trained sorter: architecture, training, errors, descent, hash, and the command that made it.

    Args:
        name: as for `load_sorter`, with the same errors.

    >>> rb.sorter_card("kernel")["architecture"]
    'KernelSorter'
    """
    try:
        card = json.loads(_reader(name)("card.json"))
        missing = {"architecture", "arguments", "sha256"} - set(card)
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ValueError(f"the card of {name} is damaged: expected JSON, got {error}; make or download it anew") from error
    if missing:
        raise ValueError(f"the card of {name} is damaged: it has no {', '.join(sorted(missing))}; make or download it anew")
    return card


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
    folder = Path(name)
    if not folder.is_dir():
        raise ValueError(f"name must be one of {', '.join(shipped_names())}, or a folder that save_sorter wrote, got {os.fspath(name)!r}")
    return lambda file: (folder / file).read_bytes()


def write_checksums(folder: Path = REPOSITORY / "data" / "sorters", to: Path = _CHECKSUMS) -> None:
    """Record the hashes of all shipped files; for those who train them."""
    files = sorted([*folder.glob("*/card.json"), *folder.glob("*/weights.safetensors")])
    lines = [f"{file.relative_to(folder).as_posix()} sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in files]
    _write(to, "".join(lines).encode())


def _write(path: Path, content: bytes) -> None:
    """To a temporary file that is then renamed."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)
