"""By how much a metric changes when two items of a list trade places: for each pair, exactly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rankbook.metrics.cutoff import within_top_k
from rankbook.metrics.gains import Gain, list_gains, ndcg
from rankbook.metrics.precision import average_precision, reciprocal_rank
from rankbook.ranks.exact import exact_ranks
from rankbook.ranks.pairs import BLOCK, blocks_at_once
from rankbook.ranks.spacing import to_items
from rankbook.types import MetricFn


@torch.no_grad()
def swap_facts(metric: MetricFn, scores: Tensor, relevance: Tensor, where: Tensor | None) -> tuple[str, Tensor, Tensor]:
    """The kind of weights of `pair_terms`, the relevance that the metric tells apart, and the facts ``[..., c, n]`` for each item.

    The items stand in the worst order of their ties, the less relevant first: so they have places, and a tie has something to learn.
    """
    places = exact_ranks(scores, relevance, where=where, ties="worst")
    name, knobs = _unwrapped(metric)
    if name is ndcg and not knobs.keys() - {"k", "gain", "tau_rank"}:
        return "ndcg", relevance, torch.stack(_ndcg(places, relevance, where, **knobs), -2)
    if name is average_precision and not knobs:
        return "average_precision", (relevance > 0).long(), torch.stack(_average_precision(places, relevance, where), -2)
    if name is reciprocal_rank and not knobs:
        return "reciprocal_rank", (relevance > 0).long(), torch.stack(_reciprocal_rank(places, relevance, where), -2)
    return "matrix", relevance, _differences(metric, places, relevance, where)


def _unwrapped(metric: Callable[..., Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The function within ``functools.partial``, and its knobs that are not left as they are."""
    knobs: dict[str, Any] = {}
    while isinstance(metric, partial):
        metric, knobs = metric.func, {**metric.keywords, **knobs}
    return metric, {name: value for name, value in knobs.items() if value is not None}


def _ndcg(
    places: Tensor,
    relevance: Tensor,
    where: Tensor | None,
    *,
    k: int | None = None,
    gain: Gain = "exponential",
    tau_rank: float | None = None,
):
    discount = 1 / torch.log2(1 + places)
    gains, _ = list_gains(relevance, gain, places, where)
    steps = torch.arange(1, gains.shape[-1] + 1, dtype=gains.dtype, device=gains.device)
    ideal = gains.sort(-1, descending=True).values / torch.log2(1 + steps)
    if k is not None:
        discount, ideal = discount * within_top_k(places, int(k), tau_rank), ideal[..., : int(k)]
    ideal = ideal.sum(-1, keepdim=True)
    return gains / torch.where(ideal > 0, ideal, 1.0), discount


def _average_precision(places: Tensor, relevance: Tensor, where: Tensor | None):
    positive = (relevance > 0).to(places.dtype)
    order = places.argsort(-1)
    in_order = positive.gather(-1, order)
    p = torch.arange(1, places.shape[-1] + 1, dtype=places.dtype, device=places.device)
    a = to_items(in_order.cumsum(-1) / p - (in_order / p).cumsum(-1), order, places.dtype)
    count = positive.sum(-1, keepdim=True).clamp(min=1)
    return places, a / count, (a + 1 / places) / count


def _reciprocal_rank(places: Tensor, relevance: Tensor, where: Tensor | None):
    one_over = 1 / places
    of_positives = torch.where(relevance > 0, one_over, 0.0)
    first = of_positives.amax(-1, keepdim=True)
    second = of_positives.masked_fill(of_positives == first, 0.0).amax(-1, keepdim=True)
    return one_over, torch.where(of_positives == first, second, first), first.expand_as(one_over)


def _differences(metric: MetricFn, places: Tensor, relevance: Tensor, where: Tensor | None) -> Tensor:
    """Weights ``[..., n, n]`` for any metric: a swap of two places is a swap of two grades, and each is measured, many in one call."""
    n, leading = places.shape[-1], places.shape[:-1]
    scores, grades = -places.reshape(-1, n), relevance.expand_as(places).reshape(-1, n)
    there = None if where is None else where.reshape(-1, n)
    measure = partial(metric, rank_fn=exact_ranks, reduction="none")  # no ties are left
    before = measure(scores, grades, where=there)
    if before.shape != scores.shape[:1]:
        raise ValueError(
            f'metric must return one value for each list under reduction="none", shape {tuple(scores.shape[:1])}, got {tuple(before.shape)}'
        )
    own = torch.eye(n, dtype=torch.bool, device=places.device)
    size = BLOCK * blocks_at_once(places.device)
    lists, height = max(1, size // n**3), max(1, min(n, size // n**2))  # whole lists while they are short, else rows of one
    weights = [places.new_empty(0, n)]  # of no list
    for first in range(0, len(scores), lists):
        some, grade = slice(first, first + lists), grades[first : first + lists, None, None, :]
        for start in range(0, n, height):
            rows = slice(start, start + height)
            partner = torch.where(own, grades[some, rows, None, None], grade)
            swapped = torch.where(own[rows, None, :], grades[some, None, :, None], partner)  # [lists, rows, n, n]
            shape = swapped.shape
            after = measure(
                scores[some, None, None, :].expand(shape),
                swapped,
                where=None if there is None else there[some, None, None, :].expand(shape),
            )
            weights.append((after - before[some, None, None]).abs().to(places.dtype).flatten(0, 1))
    return torch.cat(weights).view(*leading, n, n)
