"""Training a sorter on lists that are drawn as it goes."""

from __future__ import annotations

import numbers
import os
import time
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from torch.special import ndtri

from rankbook.checks import check_choice, check_count, check_instance, check_number, check_positive
from rankbook.ranks import exact_ranks
from rankbook.sorters.quality import rank_descent, rank_error
from rankbook.sorters.sorter import Sorter
from rankbook.sorters.synthetic import MIXTURES, synthetic_scores
from rankbook.training import train

_GUIDED = 16  # lists of a batch on which the gradient is judged
_CHECKED = 500  # lists of the validation error


def train_sorter(
    sorter: Sorter,
    *,
    steps: int,
    n: int | tuple[int, int] | None = None,
    batch: int = 64,
    lr: float = 1e-3,
    guidance: float = 0.0,
    mixture: str = "code",
    seed: int = 0,
    every: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    r"""Teach a sorter to imitate the ranks of synthetic scores, in place.

    .. math::
        \min_\Theta \; \mathbb{E}_s \; \tfrac{1}{n^2} \sum_i \left| f_\Theta(s)_i - \mathrm{rk}(s)_i \right|
        \; + \; \lambda \, \bigl(1 - \cos(-\nabla_s \ell,\; s^\star - s)\bigr)

    The first term is SoDeep's. The second is ours, and off unless asked for: :math:`\ell` is the squared distance of the ranks
    to a random goal and :math:`s^\star` are scores in that order (normal quantiles); so it asks that the gradient, not only
    the rank, leads where it should.

    Args:
        sorter: any; its weights change.
        steps: batches in the whole training, resumed or not, and the same when it resumes. Adam, with a learning rate that
            warms up over a tenth of them and goes to zero along a cosine; gradients are clipped at norm 1.
        n: items in a list; a pair (low, high): each batch draws its own number between them, evenly on a logarithmic scale.
            None: the sorter's own length, or 100.
        batch: lists in a batch.
        lr: the highest learning rate.
        guidance: the weight lambda. Larger gives a better gradient and a larger error; it needs second derivatives, about
            doubling the time.
        mixture: of `synthetic_scores`.
        seed: of the lists. The first weights come from torch's own generator when the sorter is built.
        every: a row of history and a checkpoint after so many steps; None: at the end only.
        checkpoint: file to resume from, see `rankbook.train`.

    Returns: history: ``step``, ``loss``, ``error`` (`rank_error` on 500 other lists), ``descent`` (`rank_descent` with other
    goals than those of the tests) and ``cpu_seconds`` of training alone.

    Cost: ``steps`` forward and backward passes of ``batch`` lists; each row of history takes about 150 passes of 16 lists more,
    which ``cpu_seconds`` leaves out.

    Raises:
        ValueError: ``n`` is not the length that the sorter was built for; a damaged checkpoint.
        FloatingPointError: the loss is NaN or infinite.

    Source: SoDeep (CVPR 2019), equation 1 and section 4.1.1.

    >>> sorter = rb.KnotSorter(knots=40)
    >>> history = rb.train_sorter(sorter, steps=40, n=20, every=20, lr=0.01)
    >>> history.columns.tolist()
    ['step', 'loss', 'error', 'descent', 'cpu_seconds']
    """
    check_instance("sorter", sorter, Sorter, "rb.KernelSorter()")
    low, high = _range(sorter, n)
    steps, batch, seed = check_count("steps", steps), check_count("batch", batch), check_count("seed", seed, at_least=0)
    lr, guidance = check_positive("lr", lr), check_number("guidance", guidance, at_least=0)
    check_choice("mixture", mixture, MIXTURES)
    batches = _SyntheticBatches(low, high, batch, mixture, seed, next(sorter.parameters()).device)
    optimizer = torch.optim.Adam(sorter.parameters(), lr=lr)
    optimizer.register_step_pre_hook(lambda *_: torch.nn.utils.clip_grad_norm_(sorter.parameters(), 1.0) and None)
    scheduler = _Schedule(optimizer, lr, total_steps=max(steps, 2), pct_start=0.1, cycle_momentum=False)
    others = _SyntheticBatches(high, high, _CHECKED, mixture, seed + 1, torch.device("cpu")).draw(high)

    def evaluate(sorter: Sorter) -> dict[str, float]:
        batches.pause()
        error = rank_error(lambda s: sorter(s.to(batches.device)).cpu(), others).mean().item()
        return {"error": error, "descent": _descent(sorter, high, batches.device, seed + 1), "cpu_seconds": batches.seconds}

    loss_fn = partial(_imitation, sorter=sorter, guidance=guidance)
    return train(
        sorter, loss_fn, batches, optimizer, steps=steps, scheduler=scheduler, evaluate=evaluate, every=every, checkpoint=checkpoint
    )


def _imitation(ranks: Tensor, lesson: _Lesson, *, sorter: Sorter, guidance: float) -> Tensor:
    loss = (ranks - lesson.ranks).abs().mean() / ranks.shape[-1]
    return loss if guidance == 0 else loss + guidance * (1 - _guide(sorter, lesson))


class _Schedule(torch.optim.lr_scheduler.OneCycleLR):
    """Of so many steps. A checkpoint of a training with more or fewer of them belongs to another schedule."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["total_steps"] != self.total_steps:
            raise ValueError(f"steps must be {state['total_steps']}, as when the checkpoint was written, got {self.total_steps}")
        super().load_state_dict(state)


class _Lesson(NamedTuple):
    """What a batch teaches: the ranks of its lists; and lists with the places where they should go."""

    ranks: Tensor
    start: Tensor
    goal: Tensor


class _SyntheticBatches:
    """Endless (scores, lesson). It also keeps the time, so that a resumed training goes on counting."""

    def __init__(self, low: int, high: int, batch: int, mixture: str, seed: int, device: torch.device):
        self.low, self.high, self.batch, self.mixture, self.device = low, high, batch, mixture, device
        self.generator = torch.Generator("cpu").manual_seed(seed)
        self.random = {"generator": self.generator, "device": "cpu", "dtype": torch.float32}  # whatever torch's defaults are
        self.seconds, self.since = 0.0, None

    def draw(self, n: int) -> Tensor:
        return synthetic_scores(n, self.batch, mixture=self.mixture, **self.random)

    def pause(self) -> None:
        """Stop the clock until the next batch."""
        if self.since is not None:
            self.seconds += time.process_time() - self.since
        self.since = None

    def __next__(self) -> tuple[Tensor, _Lesson]:
        if self.since is None:
            self.since = time.process_time()
        u = torch.rand((), **self.random).item()
        n = round(self.low * (self.high / self.low) ** u)
        scores = self.draw(n)
        # spread from 1 to 2: lists that have begun to move apart, as they do on the way to a goal
        spread = 2 ** torch.rand(_GUIDED, 1, **self.random)
        start = spread * torch.randn(_GUIDED, n, **self.random)
        goal = torch.rand(_GUIDED, n, **self.random).argsort(-1).to(start.dtype) + 1
        lesson = _Lesson(*(x.to(self.device) for x in (exact_ranks(scores, ties="average"), start, goal)))
        return scores.to(self.device), lesson

    def fingerprint(self) -> dict[str, Any]:
        seed = self.generator.initial_seed()
        return {"n": (self.low, self.high), "batch": self.batch, "mixture": self.mixture, "seed": seed}

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state(), "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.set_state(state["generator"])
        self.seconds = state["seconds"]


def _range(sorter: Sorter, n: int | tuple[int, int] | None) -> tuple[int, int]:
    if n is None:
        n = sorter.length or 100
    pair = n if isinstance(n, (tuple, list)) else (n, n)
    counts = [one for one in pair if isinstance(one, numbers.Integral) and not isinstance(one, bool)]
    if len(pair) != 2 or len(counts) != 2 or not 1 <= counts[0] <= counts[1] or counts[1] < 2:
        raise ValueError(f"n must be at least 2, or a pair (low, high) that rises from 1 or more, got {n}")
    low, high = map(int, counts)
    if sorter.length is not None and (low, high) != (sorter.length, sorter.length):
        raise ValueError(f"n must be {sorter.length}, the length that this {type(sorter).__name__} was built for, got {n}")
    return low, high


def _guide(sorter: Sorter, lesson: _Lesson) -> Tensor:
    """Mean cosine between the way that the gradient shows and the way to the goal."""
    start = lesson.start.clone().requires_grad_()
    n = start.shape[-1]
    distance = ((sorter(start) - lesson.goal) / n).square().sum()
    (gradient,) = torch.autograd.grad(distance, start, create_graph=True)
    quantiles = 2 * ndtri((n + 0.5 - lesson.goal) / n)  # as far apart as the widest start
    return cosine_similarity(-gradient, quantiles - lesson.start, dim=-1).mean()


def _descent(sorter: Sorter, n: int, device: torch.device, seed: int) -> float:
    return rank_descent(lambda s: sorter(s.to(device)).cpu(), n=n, seed=seed)
