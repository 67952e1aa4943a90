"""The short lists of the positives, from which evaluation reads its metrics: many queries at a time, with known ranks in the gallery."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rankbook.precision import wide
from rankbook.ranks.pairs import count_exactly
from rankbook.retrieval.counts import leave_negatives, ranks_from_counts
from rankbook.retrieval.positives import Group, Positives
from rankbook.types import RankFn

_EIGHTHS = 3  # bits: eight lengths of lists in each octave, so that at most an eighth of a list is filling


def short_lists(positives: Positives, at_once: int) -> Iterator[Group]:
    """Groups of at most ``at_once`` queries whose positives are about equally many; queries without a positive are in none.

    A list is filled up to a length that follows from its own positives alone, so that sums have the same bits in any company:
    filling repeats the first positive and has relevance 0. With a relevance as good as every query has its own number of
    positives, and a group of each would be many groups of one.
    """
    sizes = np.repeat([*positives.sizes], [*positives.sizes.values()])
    lengths, counts = np.unique(_lengths(sizes), return_counts=True)  # the rows ascend in size
    size_of = torch.from_numpy(sizes).to(positives.rows.device)
    weights = positives.batch.item_weights
    for length, rows, size in zip(lengths.tolist(), positives.rows.split(counts.tolist()), size_of.split(counts.tolist()), strict=True):
        for some, filled in zip(rows.split(at_once), size.split(at_once), strict=True):
            group = positives.group(some, positives.source.places(some, length))
            filling = torch.arange(length, device=some.device) >= filled[:, None]
            places = torch.where(filling, group.places[:, :1], group.places)
            relevance = group.relevance.masked_fill(filling, 0)
            yield group._replace(places=places, relevance=relevance, weights=None if weights is None else weights[places])


def _lengths(sizes: np.ndarray) -> np.ndarray:
    """The lengths of the lists: the numbers up to 16, then each rounded up to one of eight in its octave."""
    step = 1 << np.maximum(np.frexp(np.maximum(sizes - 1, 1))[1] - 1 - _EIGHTHS, 0)
    return -(-sizes // step) * step


class ShortLists:
    """The lists of a group, made of its scores ``[q, m]``, which are overwritten: scores of the positives, and ranks for a metric."""

    def __init__(self, scores: Tensor, group: Group):
        at_positives = leave_negatives(scores, group)
        self.above = _at_or_above(scores, at_positives)
        self.positive = group.relevance > 0
        if not self.positive.all():  # filling stands behind all positives, each at a place of its own, and changes the rank of none
            lowest = at_positives.amin(1, keepdim=True)
            steps = torch.arange(1, at_positives.shape[1] + 1, dtype=lowest.dtype, device=lowest.device) / 1024
            filling = lowest - (lowest.abs() + torch.finfo(lowest.dtype).tiny) * steps
            at_positives = torch.where(self.positive, at_positives, filling)
        self.narrow, self.scores = at_positives, at_positives.to(wide(scores.device))  # the same, and half of them are sorted faster
        largest = group.relevance.amax()
        self.binary = bool((group.relevance == largest).eq(self.positive).all())
        self.known: dict = {}

    def ranker(self, among: RankFn) -> RankFn:
        """The ranks in the gallery: those among the positives by ``among``, and the negatives above."""
        return ranks_from_counts(self._remembered(among), self.above)

    def _remembered(self, ranker: RankFn) -> RankFn:
        """The ranker, called once a list: the metrics ask for the same ranks among the positives again and again."""
        key = (ranker.func, ranker.args, frozenset(ranker.keywords.items())) if isinstance(ranker, partial) else ranker

        def rank_fn(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
            # with one grade of relevance the ranks depend on the scores alone, if ``where`` marks the positives
            if not self.binary or scores is not self.scores or (where is not None and not torch.equal(where, self.positive)):
                return ranker(scores, relevance, where=where)
            if key not in self.known:
                self.known[key] = ranker(self.narrow, relevance).to(scores.dtype)
            return self.known[key]

        return rank_fn


def _at_or_above(scores: Tensor, thresholds: Tensor) -> Tensor:
    """How many scores [q, m] reach each threshold [q, R]: counted if R is small, else found in the sorted scores."""
    m = scores.shape[1]
    if thresholds.shape[1] <= math.log2(m):
        return count_exactly(scores, thresholds)
    if scores.device.type != "cpu":
        return m - torch.searchsorted(scores.sort(dim=1).values, thresholds)
    # numpy sorts with vector instructions, several times faster than torch, and searches quickly for marks that ascend
    ascending, order = np.sort(scores.numpy(), axis=1), np.argsort(thresholds.numpy(), axis=1)
    marks, counts = np.take_along_axis(thresholds.numpy(), order, 1), np.empty_like(order)
    found = np.stack([np.searchsorted(line, some) for line, some in zip(ascending, marks, strict=True)])
    np.put_along_axis(counts, order, m - found, axis=1)
    return torch.from_numpy(counts)
