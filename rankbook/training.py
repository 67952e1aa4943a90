"""One visible training loop, and the batches that ranking losses need: several items of each class."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm.auto import tqdm

from rankbook.checks import check_tensor


class Batches(Protocol):
    """Endless (inputs, labels). The state is needed only to resume from a checkpoint."""

    def __next__(self) -> tuple[Any, Tensor]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def train(
    model: nn.Module,
    loss_fn: Callable[..., Tensor],
    batches: Batches,
    optimizer: Optimizer,
    *,
    steps: int,
    scheduler: LRScheduler | None = None,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    every: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Minimize ``loss_fn(model(inputs), labels)``.

    Args:
        model: inputs -> embeddings.
        loss_fn: (embeddings, labels) -> loss, such as `rankbook.SmoothAPLoss`.
        batches: an iterator of (inputs, labels), such as `BalancedBatches`.
        optimizer, scheduler: of torch; the scheduler steps after each batch.
        steps: length of the whole training, resumed or not.
        evaluate: model -> numbers for the history; called in evaluation mode, without gradients.
        every: a row of history and a checkpoint after so many steps; None: at the end only.
        checkpoint: file that holds the state. If it exists, training goes on from there, and ends in the same bits as one
            that was never interrupted.

    Returns: the history, one row each ``every`` steps: step, mean loss since the row before, and what ``evaluate`` returns.

    Raises:
        FloatingPointError: the loss is NaN or infinite.
        ValueError: a damaged checkpoint, or one of another training.

    Set the environment variable ``TQDM_DISABLE=1`` for no progress bar.

    >>> embeddings, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    >>> head = torch.nn.Linear(4, 2, bias=False)
    >>> batches = rb.BalancedBatches(embeddings, labels, classes=2, per_class=2, generator=torch.Generator())
    >>> history = rb.train(head, rb.SmoothAPLoss(tau=0.1), batches, torch.optim.Adam(head.parameters(), lr=0.1), steps=20, every=10)
    >>> history["step"].tolist()
    [10, 20]
    """
    state = [model, optimizer, batches] + ([scheduler] if scheduler is not None else [])
    history = _resume(checkpoint, state) if checkpoint is not None else []
    done = history[-1]["step"] if history else 0
    if done > steps:
        raise ValueError(f"checkpoint {checkpoint} is at step {done}, beyond steps={steps}; ask for more steps or delete it")
    total, since = 0.0, done
    model.train()
    quiet = bool(os.environ.get("TQDM_DISABLE"))  # the notebook bar of tqdm does not read it
    for step in tqdm(range(done + 1, steps + 1), initial=done, total=steps, unit="step", leave=None, disable=quiet):
        inputs, labels = next(batches)
        loss = loss_fn(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        total += loss.item()
        if not math.isfinite(total):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; try a lower learning rate or look at the batch")
        if step == steps or (every and step % every == 0):
            row = {"step": step, "loss": total / (step - since)}
            total, since = 0.0, step
            if evaluate is not None:
                model.eval()
                with torch.no_grad():
                    row |= evaluate(model)
                model.train()
            history.append(row)
            if checkpoint is not None:
                _save(checkpoint, state, history)
    model.eval()
    return pd.DataFrame(history)


def _save(path: str | os.PathLike[str], state: list[Any], history: list[dict[str, float]]) -> None:
    """Write to a temporary file, then rename: a kill at any moment leaves the old checkpoint or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    torch.save({"state": [part.state_dict() for part in state], "random": torch.get_rng_state(), "history": history}, temporary)
    os.replace(temporary, path)


def _resume(path: str | os.PathLike[str], state: list[Any]) -> list[dict[str, float]]:
    """Load the state in place and return the history; nothing happens if there is no checkpoint yet."""
    if not all(hasattr(part, "load_state_dict") for part in state):
        raise TypeError("batches must have state_dict() and load_state_dict(), or training cannot resume from a checkpoint")
    if not Path(path).exists():
        return []
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        for part, values in zip(state, saved["state"], strict=True):
            part.load_state_dict(values)
        torch.set_rng_state(saved["random"])  # dropout goes on where it was
        return saved["history"]
    except Exception as error:  # zip, unpickling, missing keys, shapes: whatever it is, the answer is the same
        raise ValueError(f"checkpoint {path} is damaged or belongs to another training; delete it to start anew") from error


class BalancedBatches:
    """Endless batches of ``classes`` classes with ``per_class`` items each, so that each query has a positive.

    Each epoch covers every class: the classes are shuffled and dealt out; the last batch is filled up with classes from the
    first. A class with fewer items gives all it has. No item comes twice in a batch.

    Args:
        inputs: anything that an index tensor selects from: a tensor ``[n, ...]``, or your own container.
        labels: ``[n]``, integers; or ``[n, levels]``, balanced on the finest level.
        classes, per_class: the shape of a batch.
        generator: source of all randomness; its state is part of ``state_dict``.

    Yields: ``(inputs[items], labels[items])``.

    >>> batches = rb.BalancedBatches(torch.arange(6), torch.tensor([0, 0, 1, 1, 2, 2]), classes=3, per_class=2, generator=torch.Generator())
    >>> sorted(next(batches)[1].tolist())
    [0, 0, 1, 1, 2, 2]
    """

    def __init__(self, inputs: Any, labels: Tensor, *, classes: int, per_class: int, generator: torch.Generator):
        check_tensor("labels", labels)
        if labels.dim() not in (1, 2) or labels.is_floating_point() or len(labels) != len(inputs):
            raise ValueError(f"labels must be integers, one for each of the {len(inputs)} inputs, got {labels.dtype} {tuple(labels.shape)}")
        finest = labels if labels.dim() == 1 else labels[:, 0]
        names, class_of = finest.cpu().unique(return_inverse=True)
        if not 1 <= classes <= len(names):
            raise ValueError(f"classes must be from 1 to the {len(names)} classes of labels, got {classes}")
        if per_class < 1:
            raise ValueError(f"per_class must be at least 1, got {per_class}")
        self.inputs, self.labels, self.generator = inputs, labels, generator
        self.class_of, self.sizes = class_of, class_of.bincount()
        self.classes, self.per_class = classes, per_class
        self._start_epoch()

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        return self

    def __next__(self) -> tuple[Any, Tensor]:
        if self.position == len(self.epoch):
            self._start_epoch()
        items = self.epoch[self.position]
        self.position += 1
        return self.inputs[items], self.labels[items]

    def state_dict(self) -> dict[str, Any]:
        return {"random": self.random, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.set_state(state["random"])
        self._start_epoch()
        self.position = state["position"]

    def _start_epoch(self) -> None:
        self.random, self.position = self.generator.get_state(), 0
        # the items of each class together, in random order
        shuffled = torch.randperm(len(self.class_of), generator=self.generator)
        shuffled = shuffled[self.class_of[shuffled].argsort(stable=True)]
        first = self.sizes.cumsum(0) - self.sizes
        order = torch.randperm(len(self.sizes), generator=self.generator)
        order = torch.cat([order, order[: -len(order) % self.classes]])
        self.epoch = [
            torch.cat([shuffled[first[c] : first[c] + min(self.per_class, self.sizes[c])] for c in batch])
            for batch in order.split(self.classes)
        ]
