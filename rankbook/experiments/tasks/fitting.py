"""How every task trains: one seed for the first weights and the batches, AdamW, a learning rate that falls to 0 along a cosine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rankbook.experiments.runs import one_thread
from rankbook.training import train


@contextmanager
def seeded(seed: int) -> Iterator[torch.Generator]:
    """On one thread, with torch's random state set for the first weights; gives a generator of the same seed, for the batches.

    The random state of the caller is as before when it ends.

    >>> from rankbook.experiments.tasks.fitting import seeded
    >>> with seeded(3) as generator:
    ...     torch.rand(1) == torch.rand(1, generator=generator)
    tensor([True])
    """
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


def minimize(
    model: nn.Module,
    loss: nn.Module,
    batches: Iterable,
    *,
    lr: float,
    steps: int,
    weight_decay: float = 0.01,
    call: Callable[..., Tensor] | None = None,
) -> None:
    """Train a model and the loss's own weights.

    Args:
        loss: called as ``loss(model(inputs), labels)``, or by ``call`` of the same two.
        lr: peak learning rate of AdamW.
        weight_decay: of AdamW; its default is torch's.
    """
    optimizer = torch.optim.AdamW([*model.parameters(), *loss.parameters()], lr=lr, weight_decay=weight_decay)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    train(model, loss if call is None else call, batches, optimizer, steps=steps, scheduler=scheduler)
