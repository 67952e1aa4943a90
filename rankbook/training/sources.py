"""Where a training gets its batches: any iterable becomes endless pairs (inputs, labels) on the model's device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from rankbook.training.samplers import EpochSampler

#: What a batch of a loader holds -> (inputs, labels).
Pair = Callable[[Any], tuple[Any, Any]]


class Batches(Protocol):
    """Pairs (inputs, labels): an iterator, or an iterable such as a ``DataLoader``, which is iterated anew each epoch.

    The state is needed only to resume from a checkpoint. A method ``fingerprint()``, not required, returns what makes these
    batches these ones, as a dictionary of numbers and text: a checkpoint with others is refused.
    """

    def __iter__(self) -> Iterator[tuple[Any, Any]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class ResumableLoader:
    """A ``DataLoader`` over one of our samplers, which can go on in the middle of an epoch.

    It counts the batches that the training has taken, not those that workers have fetched ahead. The random state is the training's
    affair; that of augmentations inside of workers is lost.
    """

    def __init__(self, loader: DataLoader):
        self.loader, self.sampler = loader, loader.batch_sampler
        self.state, self.resumed = self.sampler.state_dict(), None

    def __iter__(self) -> Iterator[Any]:
        epoch, resumed, self.resumed = self.state, self.resumed, None
        for batch in self._epoch() if resumed is None else resumed:
            self.state = self.state | {"position": self.state["position"] + 1}
            yield batch
        self.state = epoch | {"epoch": epoch["epoch"] + 1, "position": 0}

    def state_dict(self) -> dict[str, int]:
        over = self.state["position"] == len(self.sampler)
        return self.state | {"epoch": self.state["epoch"] + over, "position": 0 if over else self.state["position"]}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.state = dict(state)
        # A loader draws from torch's generator when its epoch begins. That was before this state was saved: now, not at the next step.
        self.resumed = self._epoch() if state["position"] else None

    def fingerprint(self) -> dict[str, Any]:
        return {"sampler": type(self.sampler).__name__, **self.sampler.fingerprint()}

    def _epoch(self) -> Iterator[Any]:
        self.sampler.load_state_dict(self.state)
        return iter(self.loader)


def resumable(batches: Any) -> Any:
    """What a checkpoint can hold: the batches, or a loader and its place in the epoch. Other things come back as they are."""
    ours = isinstance(batches, DataLoader) and not hasattr(batches, "state_dict") and isinstance(batches.batch_sampler, EpochSampler)
    return ResumableLoader(batches) if ours else batches


def endless(batches: Iterable[Any], pair: Pair | None = None, device: torch.device | None = None) -> Iterator[tuple[Any, Any]]:
    """Pairs without an end, on the device (None: where they are); errors say what came instead.

    Raises:
        TypeError: ``batches`` is neither an iterator nor an iterable; a batch is no pair.
        ValueError: an iterator that ends, an iterable that is empty, a name in ``pair`` that a batch has not.
    """
    if not hasattr(batches, "__next__") and not hasattr(batches, "__iter__"):
        raise TypeError(
            "batches must be an iterator or an iterable of pairs (inputs, labels), such as rb.BalancedBatches or a DataLoader, "
            f"got {type(batches).__name__}" + ("; try DataLoader(batches, ...)" if hasattr(batches, "__getitem__") else "")
        )
    return _pairs(_once(batches) if hasattr(batches, "__next__") else _anew(batches), pair, device)


def _pairs(stream: Iterator[Any], pair: Pair | None, device: torch.device | None) -> Iterator[tuple[Any, Any]]:
    for batch in stream:
        inputs, labels = _pair(batch, pair)
        labels = columns(labels)
        yield (inputs, labels) if device is None else (moved(inputs, device), moved(labels, device))


def _once(batches: Iterator[Any]) -> Iterator[Any]:
    count = 0
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            raise ValueError(
                f"batches ended after {count}, before the last step; pass an iterable that can start anew, such as the DataLoader "
                "itself in place of iter(loader), or ask for fewer steps"
            ) from None
        yield batch
        count += 1


def _anew(batches: Iterable[Any]) -> Iterator[Any]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError(f"batches must hold at least one batch, but this {type(batches).__name__} is empty; look at drop_last")


def _pair(batch: Any, pair: Pair | None) -> tuple[Any, Any]:
    chosen = batch
    if pair is not None:
        try:
            chosen = pair(batch)
        except (KeyError, IndexError) as error:
            raise ValueError(f"pair finds no {error} in a batch: it is a {_shape(batch)}") from error
    if isinstance(chosen, (tuple, list)) and len(chosen) == 2:
        inputs, labels = chosen
        return inputs, labels
    if pair is not None:
        raise TypeError(f"pair must return (inputs, labels), got a {_shape(chosen)} from a {_shape(batch)}")
    names = [*map(repr, batch)][:2] if isinstance(batch, Mapping) and len(batch) > 1 else ["0", "1"]
    raise TypeError(
        f"batches must give pairs (inputs, labels), got a {_shape(batch)}; say which two are meant, such as "
        f"pair=operator.itemgetter({', '.join(names)})"
    )


def _shape(batch: Any) -> str:
    got = type(batch).__name__
    if isinstance(batch, (tuple, list)):
        return f"{got} of {len(batch)}"
    return f"{got} with {', '.join(map(str, batch))}" if isinstance(batch, Mapping) else got


def columns(labels: Any) -> Any:
    """Levels as [b, levels] where a loader has collated (fine, coarse) of each item to one tensor [b] a level."""
    if isinstance(labels, (tuple, list)) and len(labels) and all(isinstance(one, Tensor) and one.dim() == 1 for one in labels):
        return torch.stack(list(labels), dim=1)
    return labels


def moved(value: Any, device: torch.device) -> Any:
    """Tensors on the device, in whatever tuples, lists and dictionaries they stand; what is no tensor (texts) stays."""
    if isinstance(value, Tensor) or callable(getattr(value, "to", None)):
        return value.to(device)
    if isinstance(value, Mapping):
        return {name: moved(one, device) for name, one in value.items()}
    if isinstance(value, (tuple, list)) and not all(isinstance(one, (str, int, float)) for one in value):
        parts = [moved(one, device) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
