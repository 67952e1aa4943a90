"""The positives of each query: by labels, which are sorted once, or by a mask."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rankbook.metrics.weights import shares_of_largest
from rankbook.retrieval.batch import Batch

#: What a query is in its own gallery: left out, one of its positives (it always wins), or an item that is in the way.
QueryRole = Literal["absent", "positive", "distractor"]


class Group(NamedTuple):
    """Queries with equally many positives, R."""

    rows: Tensor  # [q], which queries
    places: Tensor  # [q, R] of their positives in the gallery
    relevance: Tensor  # [q, R] of the positives: levels that they share with the query, or grades as given
    absent: Tensor | None = None  # [q, 1], places of the queries, if they are left out of the gallery that they are
    outside: Tensor | None = None  # [q, m] or [1, m], what else is not in their gallery
    weights: Tensor | None = None  # [q, R] of the positives

    def leave_out(self, of_items: Tensor, value: float) -> Tensor:
        """Overwrite ``of_items`` [q, m] by ``value`` at what is not in the gallery of the queries."""
        if self.absent is not None:
            of_items.scatter_(1, self.absent, value)
        return of_items if self.outside is None else of_items.masked_fill_(self.outside, value)

    def gallery_sizes(self, of_items: Tensor) -> int | Tensor:
        """How many items are in the gallery of each query: one number, or [q, 1] in the dtype of ``of_items`` [q, m]."""
        items = of_items.shape[1]
        if self.outside is None:
            return items - (self.absent is not None)
        return self.where(items).sum(1, keepdim=True).to(of_items.dtype)

    def where(self, items: int) -> Tensor:
        """The mask of the gallery of each query: [q, items]."""
        present = torch.ones(len(self.rows), items, dtype=torch.bool, device=self.rows.device)
        return self.leave_out(present, False)

    def shares(self, dtype: torch.dtype) -> float | Tensor:
        """What each positive contributes to a mean over the positives of its query: one number, or [q, R]."""
        if self.weights is None:
            return 1 / self.places.shape[1]
        weights = shares_of_largest(self.weights, dtype)  # which is above 0, or the query would have no positive
        return weights / weights.sum(1, keepdim=True)


class Positives:
    """The positives of all queries of a batch: the items that share the coarsest level, or whose relevance is above 0.

    Grouping the queries by the number of their positives leaves no padding, and there are at most about sqrt(2 B) different
    numbers for labels. The host must know them. That is the one wait for a GPU, and none if the labels are on the CPU.
    """

    def __init__(self, batch: Batch, query: QueryRole):
        self.batch, self.query = batch, query
        device = batch.queries.device
        by_label = batch.relevance is None and (batch.where is None or batch.where.dim() == 1)
        self.source = (_ByLabel if by_label else _ByMask)(batch, query)
        sizes = on_host(self.source.sizes)
        order = np.argsort(sizes, kind="stable")
        sizes = sizes[order]
        first = np.flatnonzero(sizes > np.concatenate([[0], sizes[:-1]])).tolist()  # the first query of each size above 0
        #: how many positives -> how many queries have so many
        self.sizes = {int(sizes[i]): j - i for i, j in itertools.pairwise([*first, len(sizes)])}
        #: queries that have a positive
        self.total = sum(self.sizes.values())
        order = order[len(order) - self.total :]
        self.rows = torch.from_numpy(order).to(device, non_blocking=True)
        self.self_index = None if batch.self_index is None else batch.self_index.to(device, non_blocking=True)
        self.weight: int | Tensor = max(self.total, 1)  # what the queries that have a positive weigh together; never 0
        if batch.query_weights is not None:
            self.weight = or_one(self.weights_that_count().to(batch.queries.dtype).sum())

    def sum_of_queries(self, values: Tensor) -> Tensor:
        """The sum of one value a query, over the queries [b] of the whole batch."""
        return values.sum()

    def shares_of_queries(self) -> float | Tensor:
        """What the loss of a query is multiplied by in the mean: one number, or [b]."""
        if self.batch.query_weights is None:
            return 1 / self.weight
        weights = shares_of_largest(self.batch.query_weights, self.batch.queries.dtype)
        return weights / or_one(weights.index_select(0, self.rows).sum())

    def groups(self, limit: Callable[[int], int]) -> Iterator[Group]:
        """Groups of at most ``limit(R)`` queries; queries without a positive are in none."""
        for (size, count), rows_of_size in zip(self.sizes.items(), self.rows.split([*self.sizes.values()]), strict=True):
            for rows in rows_of_size.split(min(limit(size), count)):
                yield self.group(rows, self.source.places(rows, size))

    def everyone(self) -> Group:
        """All queries in their order, without their positives."""
        rows = torch.arange(len(self.batch.queries), device=self.rows.device)
        return self.group(rows, rows.new_empty(len(rows), 0))

    def weights_that_count(self) -> Tensor | None:
        """The weights of the queries that have a positive; None: all weigh the same."""
        weights = self.batch.query_weights
        return None if weights is None else weights.index_select(0, self.rows)

    def whatever_they_weigh(self) -> Positives:
        """The positives of all queries, those of weight 0 included, and those of queries that have no other."""
        return self if self.batch.item_weights is None else Positives(self.batch._replace(item_weights=None), self.query)

    def group(self, rows: Tensor, places: Tensor) -> Group:
        """Some queries and their positives."""
        out = self.query == "absent" and self.self_index is not None and self.batch.own_gallery
        absent = self.self_index[rows, None] if out else None
        weights = None if self.batch.item_weights is None else self.batch.item_weights[places]
        return Group(rows, places, self._relevance(rows, places), absent, self._outside(rows), weights)

    def _outside(self, rows: Tensor) -> Tensor | None:
        """What is not in the gallery of some queries; those that are the gallery stand in `Group.absent`."""
        where, outside = self.batch.where, None
        if where is not None:
            outside = ~(where[None] if where.dim() == 1 else where.index_select(0, rows))
        if self.query == "absent" and self.self_index is not None and not self.batch.own_gallery:
            own = torch.arange(len(self.batch.gallery), device=rows.device) == self.self_index[rows, None]
            outside = own if outside is None else outside | own
        return outside

    def _relevance(self, rows: Tensor, places: Tensor) -> Tensor:
        if self.batch.relevance is not None:
            return self.batch.relevance.index_select(0, rows).gather(1, places)
        if self.batch.labels.shape[1] == 1:
            return torch.ones_like(places)
        labels, ref_labels = _labels_on(self.batch, places.device)
        return (labels[rows, None] == ref_labels[places]).sum(-1)


class _ByLabel:
    """Positives share the coarsest level. The labels are sorted once, so any order will do: each class is a range of the order."""

    def __init__(self, batch: Batch, query: QueryRole):
        # on the CPU if all that matters lies there
        parts = (batch.labels, batch.where, batch.item_weights, None if batch.own_gallery else batch.self_index)
        home = next((part.device for part in parts if part is not None and part.device.type != "cpu"), torch.device("cpu"))
        labels, ref_labels = _labels_on(batch, home)
        coarse, order = ref_labels[:, -1].sort(stable=True)
        own = labels[:, -1].contiguous()
        self.start, stop = torch.searchsorted(coarse, own), torch.searchsorted(coarse, own, right=True)
        place = there = None  # of each query in the order; whether it stands there (None: all of them)
        if batch.self_index is not None and query != "positive":
            place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=home))
            if not batch.own_gallery:
                self_index = batch.self_index.to(home, non_blocking=True)
                there, self_index = self_index >= 0, self_index.clamp(min=0)
                place = place[self_index]

        def of_queries(of_items: Tensor) -> Tensor:
            return of_items if batch.own_gallery else of_items[self_index]

        if batch.where is not None:  # the order of the items that count, and how many of them stand before each place
            where = batch.where.to(home, non_blocking=True)
            before = _counts_before(where[order])
            order = order[true_places(where[order][None], len(order))[0]]
            self.start, stop = before[self.start], before[stop]
            if place is not None:
                place, there = before[place], of_queries(where) if there is None else there & of_queries(where)
        self.order, self.sizes, self.own_place = order, stop - self.start, None
        if place is not None:  # a query in its own class is stepped over
            self.own_place = place - self.start
            if there is not None:
                there = there & (place >= self.start) & (place < stop)
                self.own_place = torch.where(there, self.own_place, len(order))
            self.sizes -= 1 if there is None else there.long()
        if batch.item_weights is not None:
            heavy = (batch.item_weights > 0).to(home, non_blocking=True)
            before = _counts_before(heavy[order])
            found = before[stop] - before[self.start]
            if place is not None:
                found -= (of_queries(heavy) if there is None else there & of_queries(heavy)).long()
            self.sizes = torch.where(found > 0, self.sizes, 0)
        for name in ("start", "order", "own_place") if place is not None else ("start", "order"):
            setattr(self, name, getattr(self, name).to(batch.queries.device, non_blocking=True))

    def places(self, rows: Tensor, size: int) -> Tensor:
        nth = torch.arange(size, device=rows.device)
        places = self.start[rows, None] + nth
        if self.own_place is not None:
            places += nth >= self.own_place[rows, None]
        return self.order[places.clamp_(max=len(self.order) - 1)]  # in a row that has fewer than ``size``


class _ByMask:
    """Positives are told query by query: by a relevance, or by labels and a gallery of each query's own."""

    def __init__(self, batch: Batch, query: QueryRole):
        device = batch.queries.device
        if batch.relevance is not None:
            self.mask = batch.relevance > 0
        else:
            labels, ref_labels = _labels_on(batch, device)
            self.mask = labels[:, None, -1] == ref_labels[None, :, -1]
        if batch.where is not None:
            self.mask &= batch.where
        if batch.self_index is not None and query != "positive":
            own = batch.self_index.to(device, non_blocking=True)
            self.mask &= torch.arange(len(batch.gallery), device=device) != own[:, None]
        self.sizes = self.mask.sum(1)
        if batch.item_weights is not None:
            found = (self.mask & (batch.item_weights > 0)).any(1)
            self.sizes = torch.where(found, self.sizes, 0)

    def places(self, rows: Tensor, size: int) -> Tensor:
        mask = self.mask.index_select(0, rows)
        if mask.device.type == "cpu":  # several times faster, and for a GPU a wait
            places = torch.from_numpy(mask.numpy().nonzero()[1])
            if len(places) == len(rows) * size:  # else some rows have fewer
                return places.view(-1, size)
        return true_places(mask, size)


def true_places(mask: Tensor, size: int) -> Tensor:
    """The places of the first ``size`` true entries of each row [q, m] -> [q, size]; 0 where there are fewer."""
    nth = mask.cumsum(1)
    # all others write to one more column, which is cut off
    target = torch.where(mask & (nth <= size), nth - 1, size)
    places = torch.zeros(len(mask), size + 1, dtype=torch.int64, device=mask.device)
    return places.scatter_(1, target, torch.arange(mask.shape[1], device=mask.device).expand(mask.shape))[:, :size]


def on_host(values: Tensor) -> np.ndarray:
    """The values where Python can read them: a wait, if they are on a GPU. The block loop of the losses has no other."""
    return values.cpu().numpy()


def or_one(value: Tensor) -> Tensor:
    """The value, or 1 in the place of 0: what divides."""
    return torch.where(value > 0, value, 1)


def _counts_before(mask: Tensor) -> Tensor:
    """How many entries are true before each place of a mask [m], and in all: [m + 1]."""
    return torch.cat([mask.new_zeros(1, dtype=torch.int64), mask.cumsum(0)])


def _labels_on(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    return batch.labels.to(device, non_blocking=True), batch.ref_labels.to(device, non_blocking=True)
