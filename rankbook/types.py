"""The three kinds of callables that the whole package is made of.

A *ranker* turns scores into ranks, a *metric* turns ranks into a number, a *loss* is what a model minimizes.
Any ranker goes with any metric; `rankbook.as_loss` joins the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from torch import Tensor

#: How per-list values become one: a name, or a callable ``(values[...], defined[...]) -> Tensor``,
#: where ``defined`` is False for the lists on which the metric has no value (no positive).
Reduction = Literal["mean", "sum", "none"] | Callable[[Tensor, Tensor], Tensor]


class RankFn(Protocol):
    """Scores in, ranks out: 1 is the best, the highest score has the lowest rank."""

    def __call__(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor: ...


class MetricFn(Protocol):
    """Scores and relevance in, quality out: 1 is perfect."""

    def __call__(
        self,
        scores: Tensor,
        relevance: Tensor,
        *,
        rank_fn: RankFn,
        where: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor: ...


class LossFn(Protocol):
    """Scores and relevance in, loss out: 0 is perfect."""

    def __call__(self, scores: Tensor, relevance: Tensor, *, where: Tensor | None = None) -> Tensor: ...
