"""The state of a training on disk: it can be read back, it is whole, and it is of this training, or an error says what is not."""

from __future__ import annotations

import contextlib
import io
import numbers
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rankbook.described import described, layout
from rankbook.files import locked, probe, sha256, write_whole
from rankbook.training.together import Together

_PLAIN = (bool, int, float, complex, str, bytes, type(None), Tensor, nn.Parameter)
_HOW = {"params", "param_names", "foreach", "fused", "capturable", "differentiable"}  # say how an optimizer computes, not what
_CYCLED = {"momentum", "betas"}  # a scheduler may move them
_SHOWN = 5  # differences in an error
_LONG, _BEFORE = 80, 40  # letters of a difference, and those of them that both have


class Checkpoint:
    """A file with the states of the parts of a training, held by one process while the block runs. ``path`` None: nothing is kept.

    The file is what ``torch.save`` writes, so that ``torch.load(path, weights_only=True)`` reads it, and a last line with its
    checksum. Nothing in it is code.

    Of several processes that train together the one of rank 0 holds, writes and reads the file, which has what is each one's own too:
    its batches and its random state. So it is of one step for all, wherever one of them is killed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        parts: Mapping[str, Any],
        configuration: Callable[[], Mapping[str, str]],
        together: Together | None = None,
    ):
        self.path = None if path is None else Path(path)
        self.together = together or Together()
        if self.path is None:
            return
        for name, part in parts.items():
            if not (hasattr(part, "state_dict") and hasattr(part, "load_state_dict")):
                raise TypeError(
                    f"{name} must have state_dict() and load_state_dict(), or training cannot resume from a checkpoint, got "
                    f"{type(part).__name__}; leave checkpoint out, or take rb.BalancedBatches, "
                    "a DataLoader(batch_sampler=rb.BalancedBatchSampler(...)), or "
                    "the StatefulDataLoader of torchdata"
                )
        self.together.first("looking for the checkpoint's place", lambda: probe(self.path))
        self.parts = dict(parts)
        processes = {} if self.together.count == 1 else {"processes": str(self.together.count)}
        self.configuration = processes | dict(configuration())
        self.held = contextlib.ExitStack()

    def __enter__(self) -> Checkpoint:
        if self.path is not None:
            self.together.first("taking the checkpoint", lambda: self.held.enter_context(locked(self.path, wait=False)))
        return self

    def __exit__(self, *exception: Any) -> None:
        if self.path is not None:
            self.held.close()

    def save(self, history: list[dict[str, Any]]) -> None:
        if self.path is None:
            return
        own = self.together.each("saving its own state", lambda: self._state(["batches"] if self.together.rank else list(self.parts)))
        others = self.together.gather(own if self.together.rank else None)[1:]
        self.together.first("writing the checkpoint", lambda: self._write(own | {"history": history, "others": others}))

    def load(self) -> list[dict[str, Any]]:
        """Load the states in place and return the history; nothing happens if there is no checkpoint yet."""
        if self.path is None:
            return []
        content = self.together.first("reading the checkpoint", lambda: self.path.read_bytes() if self.path.exists() else None)
        content = self.together.from_first(content)
        return [] if content is None else self.together.each("going on from the checkpoint", lambda: self._restore(self._read(content)))

    def _state(self, names: list[str]) -> dict[str, Any]:
        state = {name: readable(f"the state of {name}", self.parts[name].state_dict()) for name in names}
        return {"configuration": self.configuration, "state": state, "random": _random_state()}

    def _write(self, saved: dict[str, Any]) -> None:
        file = io.BytesIO()
        torch.save(saved, file)
        content = file.getvalue()
        write_whole(self.path, content + b"\n" + sha256(content).encode())

    def _restore(self, saved: dict[str, Any]) -> list[dict[str, Any]]:
        own = ([saved, *saved["others"]] + [saved] * self.together.count)[self.together.rank]
        self._compare(own["configuration"])
        state = saved["state"] | own["state"]
        for name, part in self.parts.items():
            try:
                part.load_state_dict(state[name])
            except Exception as error:  # shapes, keys, values: each part has its own
                raise ValueError(
                    f"checkpoint {self.path} belongs to another training: the state of {name} does not fit: {error}; "
                    "choose another path, or delete it to start anew"
                ) from error
        torch.set_rng_state(own["random"]["cpu"])  # dropout goes on where it was
        if "cuda" in own["random"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(own["random"]["cuda"][: torch.cuda.device_count()])
        return saved["history"]

    def _read(self, content: bytes) -> dict[str, Any]:
        content, _, checksum = content.rpartition(b"\n")
        if sha256(content).encode() != checksum:
            raise ValueError(
                f"checkpoint {self.path} is damaged, or not one of this version of rankbook: its checksum does not fit; "
                "delete it to start anew"
            )
        try:
            saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            return {name: saved[name] for name in ("configuration", "state", "random", "history")} | {"others": saved.get("others", [])}
        except Exception as error:  # zip, unpickling, missing keys: the checksum holds, so someone else wrote it
            raise ValueError(f"checkpoint {self.path} is not one of rankbook's: {error}; choose another path") from error

    def _compare(self, before: Mapping[str, str]) -> None:
        now = self.configuration
        names = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
        if names:
            texts = {name: (before.get(name), now.get(name)) for name in names[:_SHOWN]}
            told = "; ".join(f"{name} was {_short(old, new)}, is now {_short(new, old)}" for name, (old, new) in texts.items())
            more = f"; and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise ValueError(
                f"checkpoint {self.path} belongs to another training: {told}{more}. Choose another path, or delete it to start anew"
            )


def configure(model: nn.Module, loss_fn: Any, batches: Any, optimizer: Optimizer, scheduler: Any) -> dict[str, str]:
    """What makes a training this one: two with another entry do not continue each other. How many steps it has is not in it."""
    config = {f"model.{name}": layout(value) for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    config["loss"] = described(loss_fn)
    if isinstance(loss_fn, nn.Module):
        config |= {f"loss.{name}": layout(value) for name, value in loss_fn.state_dict().items() if isinstance(value, Tensor)}
    config["optimizer"] = type(optimizer).__name__
    for place, group in enumerate(optimizer.param_groups):
        values = group | {key: optimizer.defaults[key] for key in _CYCLED & group.keys()} | {"lr": group.get("initial_lr", group.get("lr"))}
        config[f"optimizer.{place}.parameters"] = str(len(group["params"]))
        config |= {f"optimizer.{place}.{key}": described(value) for key, value in values.items() if key not in _HOW | {"initial_lr"}}
    config["scheduler"] = type(scheduler).__name__
    config["batches"] = type(batches).__name__
    if hasattr(batches, "fingerprint"):
        config |= {f"batches.{key}": str(value) for key, value in batches.fingerprint().items()}
    return config


def row_of(values: Any) -> dict[str, Any]:
    """What ``evaluate`` returned, as plain numbers and text.

    Raises:
        TypeError: it is no dictionary, or holds what is neither, such as a whole tensor.
        ValueError: a name that the history has already.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"evaluate must return a dictionary of numbers, got {type(values).__name__}")
    row = {}
    for name, value in values.items():
        if name in ("step", "loss"):
            raise ValueError(f'evaluate must not return "{name}", a column of the history; call it "validation {name}", say')
        if (isinstance(value, Tensor) and value.numel() == 1) or (isinstance(value, (np.ndarray, np.generic)) and value.size == 1):
            value = value.item()
        if isinstance(value, (numbers.Real, Decimal)) and type(value) not in (bool, int, float):
            value = float(value)
        if type(value) not in (bool, int, float, str, type(None)):
            raise TypeError(f"evaluate must return numbers, got {type(value).__name__} for {name!r}; try float(...) or .mean().item()")
        row[str(name)] = value
    return row


def readable(name: str, value: Any) -> Any:
    """The value in types that a load without code reads back; what is so already stays the same object.

    Raises:
        TypeError: what cannot be made so, with its place.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (numbers.Real, Decimal)):
        return float(value)
    if isinstance(value, Mapping):
        parts = {readable(f"a key of {name}", key): readable(f"{name}[{key!r}]", one) for key, one in value.items()}
        same = all(new is old for old, new in zip((*value, *value.values()), (*parts, *parts.values()), strict=True))
        return value if same and (type(value) in (dict, OrderedDict) or _reads_back(value)) else parts
    if type(value) in (list, tuple, set):
        parts = [readable(f"{name}[{place}]", one) for place, one in enumerate(value)]
        return value if all(new is old for old, new in zip(value, parts, strict=True)) else type(value)(parts)
    if _reads_back(value):
        return value
    raise TypeError(
        f"{name} is a {type(value).__module__}.{type(value).__qualname__}, which no checkpoint can give back; "
        "state_dict() must hold tensors, numbers, text, and lists and dictionaries of them"
    )


def _reads_back(value: Any) -> bool:
    """By trying it: which types torch takes without code changes with its version."""
    file = io.BytesIO()
    try:
        torch.save(value, file)
        file.seek(0)
        torch.load(file, weights_only=True)
    except Exception:
        return False
    return True


def _random_state() -> dict[str, Any]:
    states: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _short(text: str | None, other: str | None) -> str:
    """Of a long text the part that differs from the other."""
    if text is None:
        return "absent"
    differs = next((place for place, (one, two) in enumerate(zip(text, other or "", strict=False)) if one != two), 0)
    start = max(0, differs - _BEFORE) if len(text) > _LONG else 0
    return "..." * (start > 0) + text[start : start + _LONG] + "..." * (len(text) > start + _LONG)
