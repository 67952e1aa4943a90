"""From a batch of embeddings to the lists that it ranks: each item is a query, the others (or a reference set) its gallery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.checks import check_finite, check_tensor, warn
from rankbook.relevance import check_labels, leave_query_out


class Batch(NamedTuple):
    """A checked batch: float32 or float64 embeddings, labels as [items, levels]; ``own_gallery`` when queries are the gallery."""

    queries: Tensor  # [b, d]
    labels: Tensor  # [b, levels]
    gallery: Tensor  # [m, d]
    ref_labels: Tensor  # [m, levels]
    own_gallery: bool

    def finest(self) -> Batch:
        """The same batch with the finest level only: binary relevance."""
        return self._replace(labels=self.labels[:, :1], ref_labels=self.ref_labels[:, :1])

    def scores(self) -> Tensor:
        """Dot products [b, m]."""
        return self.queries @ self.gallery.T

    def where(self, include_query: bool) -> Tensor | None:
        """The items of each list: all but the query, unless it has its own place in a reference set."""
        if include_query or not self.own_gallery:
            return None
        return leave_query_out(len(self.queries), self.queries.device)


def check_batch(embeddings: Tensor, labels: Tensor, ref_embeddings: Tensor | None = None, ref_labels: Tensor | None = None) -> Batch:
    """Check embeddings and labels against each other; half precision becomes float32."""
    if (ref_embeddings is None) != (ref_labels is None):
        missing = "ref_labels" if ref_labels is None else "ref_embeddings"
        raise ValueError(f"{missing} is missing: give both ref_embeddings and ref_labels, or neither")
    own_gallery = ref_embeddings is None
    queries = _check_embeddings("embeddings", embeddings)
    gallery = queries if own_gallery else _check_embeddings("ref_embeddings", ref_embeddings)
    labels, ref_labels = check_labels(labels, ref_labels)
    for name, items, label in (("", queries, labels), ("ref_", gallery, ref_labels)):
        if len(items) != len(label):
            raise ValueError(f"{name}labels must have one entry for each of the {len(items)} {name}embeddings, got {len(label)}")
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"ref_embeddings must have the {queries.shape[1]} dimensions of embeddings, got {gallery.shape[1]}")
    return Batch(queries, labels, gallery.to(queries.dtype), ref_labels, own_gallery)


def queries_by_positives(batch: Batch, *, include_query: bool, limit: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield queries with equally many positives, at most ``limit`` at a time: a retrieval metric reads the ranks of positives only.

    Each is (rows [q], places of the positives in the gallery [q, R], levels that they share with the query [q, R]). Items are
    positive if they share the coarsest level; queries without a positive are left out. The labels are sorted once, so any
    order will do. Grouping by R leaves no padding, and there are at most about sqrt(2 B) different R.
    """
    labels, ref_labels = batch.labels, batch.ref_labels
    coarse, order = ref_labels[:, -1].sort(stable=True)
    own = labels[:, -1].contiguous()
    start = torch.searchsorted(coarse, own)
    size = torch.searchsorted(coarse, own, right=True) - start
    without_query = batch.own_gallery and not include_query
    if without_query:
        size -= 1
        place_of = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device)) - start
    for count in size.unique().tolist():
        if count < 1:
            continue
        nth = torch.arange(count, device=order.device)
        for rows in (size == count).nonzero().squeeze(1).split(limit):
            skip = (nth >= place_of[rows, None]).long() if without_query else 0  # step over the query in its own class
            places = order[start[rows, None] + nth + skip]
            one_level = labels.shape[1] == 1
            yield rows, places, torch.ones_like(places) if one_level else (labels[rows, None] == ref_labels[places]).sum(-1)


def _check_embeddings(name: str, value: Tensor) -> Tensor:
    check_tensor(name, value)
    if value.dim() != 2 or value.shape[0] == 0 or not value.is_floating_point():
        raise ValueError(
            f"{name} must be floating point of shape [items, dimensions] with at least one item, got {value.dtype} {tuple(value.shape)}"
        )
    check_finite(name, value)
    return value.float() if value.itemsize < 4 else value


def warn_no_positive() -> None:
    """Tell that a batch has no query with a positive; its loss is 0."""
    warn("no query has a positive: the loss is 0 and teaches nothing; does each label occur twice?")
