"""What a frozen encoder says of each picture, computed once and kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from reprlib import recursive_repr
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from rankbook.checks import check_count, check_finite, check_instance, warn
from rankbook.datasets.folder import ImageFiles
from rankbook.datasets.samples import Samples
from rankbook.described import bytes_of, described
from rankbook.files import check_path, locked, write_whole

_MODULE = frozenset(vars(nn.Module()))  # what every module has beside its own attributes


def features(encoder: nn.Module, data: Samples, *, cache: str | os.PathLike[str] | None = None, chunk_size: int = 64) -> Samples:
    """The same samples with what the encoder gives in place of their inputs; the encoder is not trained.

    Args:
        encoder: inputs ``[b, ...]`` -> features ``[b, d]``, any module: a pretrained network without its head, a first layer of your
            own. It is used in evaluation mode, on its own device, and left as it was.
        data: samples of `image_folder`, or with a tensor as inputs.
        cache: a folder; what was computed is found there by the next call. One file an encoder, safetensors, in which each picture
            stands under the sha256 of its bytes: a changed picture is computed anew, alone, a renamed one is not. The name of the
            file is that of the weights, the structure, the attributes and the source code of its modules, and the preparation of the
            pictures (source of the transform, the values that it takes from around it, and its ``repr``, which should tell its
            settings): change one, and all is computed anew. So it is for an encoder that counts its calls in an attribute. Files
            of encoders that are gone may be deleted.
        chunk_size: samples at a time.

    Returns: `Samples` with inputs float32 ``[n, d]`` on the CPU.

    Cost: one forward pass for each picture that is new; with a cache one reading of each file.

    Raises:
        TypeError: an encoder that is no module, or gives no tensor; data of another kind.
        ValueError: features that are not ``[b, d]`` or not finite; a damaged picture.
        OSError: a cache that cannot be written.

    >>> pixels = rb.datasets.Samples(torch.arange(12.0).reshape(3, 1, 2, 2), torch.tensor([0, 0, 1]))
    >>> rb.datasets.features(torch.nn.Flatten(), pixels).inputs.shape
    torch.Size([3, 4])
    """
    check_instance("encoder", encoder, nn.Module, "torch.nn.Flatten()")
    check_instance("data", data, Samples, "rb.datasets.image_folder('photos')")
    check_count("chunk_size", chunk_size)
    if not isinstance(data.inputs, (Tensor, ImageFiles)):
        raise TypeError(f"data must have a tensor or the pictures of image_folder as inputs, got {type(data.inputs).__name__}")
    if cache is None:
        found = _computed(encoder, data.inputs, list(range(len(data))), chunk_size)
    else:
        found = _through_cache(encoder, data.inputs, Path(check_path("cache", cache, "features")), chunk_size)
    return replace(data, inputs=found)


def _through_cache(encoder: nn.Module, inputs: Tensor | ImageFiles, folder: Path, chunk_size: int) -> Tensor:
    path = folder / f"features-{_name_of(encoder, inputs)}.safetensors"
    keys = [hashlib.sha256(_content(inputs, row)).hexdigest() for row in range(len(inputs))]
    with locked(path):
        known = _read(path)
    missing = list({key: row for row, key in enumerate(keys) if key not in known}.values())
    if missing:
        computed = _computed(encoder, inputs, missing, chunk_size)
        new = {keys[row]: feature for row, feature in zip(missing, computed, strict=True)}
        with locked(path):  # another process may have written since
            known = _read(path) | new
            _write(path, known)
    return torch.stack([known[key] for key in keys])


@torch.no_grad()
def _computed(encoder: nn.Module, inputs: Tensor | ImageFiles, rows: Sequence[int], chunk_size: int) -> Tensor:
    home = next(iter([*encoder.parameters(), *encoder.buffers()]), torch.empty(0, device="cpu")).device
    modes = {module: module.training for module in encoder.modules()}
    encoder.eval()
    parts = []
    try:
        quiet = bool(os.environ.get("TQDM_DISABLE"))
        for start in tqdm(range(0, len(rows), chunk_size), unit="chunk", leave=None, disable=quiet):
            chunk = rows[start : start + chunk_size]
            part = encoder(inputs[torch.tensor(chunk, device="cpu")].to(home))
            if not isinstance(part, Tensor):
                raise TypeError(f"encoder must return a tensor [b, d], got {type(part).__name__}; wrap it in a module that picks one")
            if part.dim() != 2 or len(part) != len(chunk):
                raise ValueError(
                    f"encoder must return features [b, d], got {tuple(part.shape)} of {len(chunk)} inputs; end it with "
                    "torch.nn.AdaptiveAvgPool2d(1) and torch.nn.Flatten(), or pass it without its head"
                )
            check_finite("features", part, advice=f" (chunk from {_called(inputs, chunk[0])})")
            parts.append(part.float().cpu())
    finally:
        for module, mode in modes.items():
            module.training = mode
    return torch.cat(parts)


def _content(inputs: Tensor | ImageFiles, row: int) -> bytes:
    if isinstance(inputs, ImageFiles):
        return inputs.content(row)
    return bytes_of(inputs[row])


def _called(inputs: Tensor | ImageFiles, row: int) -> str:
    return str(inputs.files[row]) if isinstance(inputs, ImageFiles) else f"row {row}"


def _name_of(encoder: nn.Module, inputs: Tensor | ImageFiles) -> str:
    """Half of the sha256 of all that makes the features of a picture these ones."""
    told = hashlib.sha256()
    prepared = (
        f"{inputs.size} {_source(inputs.transform)}" if isinstance(inputs, ImageFiles) else f"{inputs.dtype} {list(inputs.shape[1:])}"
    )
    classes = sorted({_source(type(module)) for module in encoder.modules()})
    settings = (f"{name}={_source(value)}" for module in encoder.modules() for name, value in vars(module).items() if name not in _MODULE)
    for text in (prepared, described(encoder), *settings, *classes):
        told.update(text.encode() + b"\0")
    for name, value in encoder.state_dict().items():
        told.update(f"{name} ".encode())
        told.update(bytes_of(value) if isinstance(value, Tensor) else described(value).encode())
    return told.hexdigest()[:32]


@recursive_repr()
def _source(thing: Any) -> str:
    """What it is; of functions and classes the code too, where that can be had, and the values that the code takes from around it."""
    if isinstance(thing, partial):
        return f"{described(thing)} {_source(thing.func)}"
    parts = [described(thing)]
    with contextlib.suppress(TypeError, OSError):
        parts.append(inspect.getsource(thing))
    if inspect.isfunction(thing):
        parts.append(described([thing.__defaults__, thing.__kwdefaults__]))
        with contextlib.suppress(ValueError):  # a name around it that has no value yet
            around = inspect.getclosurevars(thing)
            parts += [f"{name}={_source(value)}" for name, value in around.nonlocals.items()]
            parts += [f"{name}={described(value)}" for name, value in around.globals.items() if not inspect.ismodule(value)]
    return " ".join(parts)


def _read(path: Path) -> dict[str, Tensor]:
    """Digest of a picture -> its features; a file that is not what was written counts as none."""
    from safetensors.torch import load

    if not path.exists():
        return {}
    try:
        held = load(path.read_bytes())
        keys, values = held["keys"], held["features"]
        whole = bytes(held["sha256"].tolist()) == _checksum(keys, values)
    except Exception:  # a header that is cut or changed, a missing name
        whole = False
    if not whole:
        warn(f"the cache {path} is damaged: its checksum does not fit; what it held is computed anew")
        return {}
    return {bytes(key.tolist()).hex(): value for key, value in zip(keys, values, strict=True)}


def _write(path: Path, known: dict[str, Tensor]) -> None:
    from safetensors.torch import save

    keys = torch.tensor([list(bytes.fromhex(key)) for key in known], dtype=torch.uint8, device="cpu")
    values = torch.stack(list(known.values()))
    checksum = torch.tensor(list(_checksum(keys, values)), dtype=torch.uint8, device="cpu")
    write_whole(path, save({"keys": keys, "features": values, "sha256": checksum}))


def _checksum(keys: Tensor, values: Tensor) -> bytes:
    return hashlib.sha256(bytes_of(keys) + bytes_of(values)).digest()
