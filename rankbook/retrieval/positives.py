"""The positives of each query, found by sorting the labels once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rankbook.checks import warn
from rankbook.retrieval.batch import Batch

#: What a query is in its own gallery: left out, one of its positives (it always wins), or an item that is in the way.
QueryRole = Literal["absent", "positive", "distractor"]


class Group(NamedTuple):
    """Queries with equally many positives, R."""

    rows: Tensor  # [q], which queries
    places: Tensor  # [q, R] of their positives in the gallery
    relevance: Tensor  # [q, R], levels that the positives share with the query
    absent: Tensor | None  # [q, 1], places of the queries, if they are left out


class Positives:
    """The positives of all queries of a batch: the items that share the coarsest level.

    The labels are sorted once, so any order will do. Grouping the queries by the number of their positives leaves no padding,
    and there are at most about sqrt(2 B) different numbers.
    """

    def __init__(self, batch: Batch, query: QueryRole):
        self.batch, self.query = batch, query
        coarse, self.order = batch.ref_labels[:, -1].sort(stable=True)
        own = batch.labels[:, -1].contiguous()
        self.start = torch.searchsorted(coarse, own)
        self.size = torch.searchsorted(coarse, own, right=True) - self.start
        self.own_place = None
        if batch.self_index is not None and query != "positive":
            self.size -= 1
            place = torch.arange(len(self.order), device=self.order.device)
            self.own_place = torch.empty_like(self.order).scatter_(0, self.order, place)[batch.self_index] - self.start
        sizes, counts = self.size.unique(return_counts=True)
        #: how many positives -> how many queries have so many
        self.sizes = {size: count for size, count in torch.stack([sizes, counts], 1).tolist() if size > 0}
        #: queries that have a positive
        self.total = sum(self.sizes.values())

    def groups(self, limit: Callable[[int], int]) -> Iterator[Group]:
        """Groups of at most ``limit(R)`` queries; queries without a positive are in none."""
        labels, ref_labels = self.batch.labels, self.batch.ref_labels
        for size in self.sizes:
            nth = torch.arange(size, device=self.order.device)
            for rows in (self.size == size).nonzero().squeeze(1).split(limit(size)):
                places = self.start[rows, None] + nth
                if self.own_place is not None:  # step over the query in its own class
                    places += nth >= self.own_place[rows, None]
                places = self.order[places]
                if labels.shape[1] == 1:
                    relevance = torch.ones_like(places)
                else:
                    relevance = (labels[rows, None] == ref_labels[places]).sum(-1)
                out = self.batch.self_index is not None and self.query == "absent"
                yield Group(rows, places, relevance, self.batch.self_index[rows, None] if out else None)


def warn_no_positive() -> None:
    """Tell that a batch has no query with a positive; its loss is 0."""
    warn("no query has a positive: the loss is 0 and teaches nothing; does each label occur twice?")
