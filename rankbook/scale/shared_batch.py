"""One batch that several processes hold together: each has its own queries, and the gallery of all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import check_finite, check_floating, check_tensor, reads_values
from rankbook.metrics.weights import shares_of_largest
from rankbook.precision import wide
from rankbook.relevance import Labels, check_labels
from rankbook.retrieval.batch import Batch, check_batch, check_which
from rankbook.retrieval.positives import Positives, QueryRole, or_one
from rankbook.retrieval.roles import check_mask, check_places, check_weights
from rankbook.scale.gather import gathered, needs_gradient
from rankbook.scale.processes import Call, agree, gather_rows, of_each, rank, sum_everywhere


class Own(NamedTuple):
    """What this process has, checked as far as it can tell."""

    queries: Tensor  # [b, d]
    items: Tensor  # [m, d] of the gallery, its part; the queries, if there is no reference set
    labels: Tensor | None  # [b, levels]; texts are numbers that are the same on all processes
    ref_labels: Tensor | None  # [m, levels]
    self_index: Tensor | None  # [b], places in its part
    where: Tensor | None  # [m], or [b, all items]
    relevance: Tensor | None  # [b, all items]
    query_weights: Tensor | None  # [b]
    item_weights: Tensor | None  # [m]

    @property
    def own_gallery(self) -> bool:
        return self.items is self.queries

    def same(self) -> dict[str, Any]:
        """What must be the same on all processes."""
        given = {f"whether {name} is given": getattr(self, name) is not None for name in ("labels", "self_index", "relevance")}
        return {
            "whether rb.checks are off": not reads_values(),
            "whether ref_embeddings are given": not self.own_gallery,
            **given,
            "the dtype of embeddings": (self.queries.dtype, self.items.dtype),
            "the dimensions of embeddings": self.items.shape[1],
            "the number of levels of labels": None if self.labels is None else self.labels.shape[1],
            "the axes of where": None if self.where is None else self.where.dim(),
            "the dtype of query_weights": None if self.query_weights is None else self.query_weights.dtype,
            "the dtype of item_weights": None if self.item_weights is None else self.item_weights.dtype,
            "whether embeddings need a gradient": (needs_gradient(self.queries), needs_gradient(self.items)),
        }


_NOTHING = Own(torch.empty(0, 0), torch.empty(0, 0), *[None] * 7)


def shared_batch(call: str, same: Mapping[str, Any], *, empty: bool, **arguments: Any) -> tuple[Batch | None, list[int]]:
    """The batch of this process, whose gallery is that of all; and how many queries each process has.

    Args:
        call: name of the function, for errors.
        same: what else must be the same on all processes.
        empty: whether a process may have no queries; its batch is then None.
        arguments: those of a batch loss.

    Raises: what is wrong with the arguments, on all processes.
    """
    own, error = _or_error(_own, arguments)
    device = own.queries.device
    queries, items = agree(Call(call, {**same, **own.same()}), [len(own.queries), len(own.items)], device, error)
    if not sum(items) or (not all(queries) and not empty):
        raise ValueError(
            f"embeddings must have at least one item on {'a process' if empty else 'each process'}, but there are {queries} on ranks "
            f"0 to {len(queries) - 1}; leave out the last batch of an epoch (drop_last=True)"
        )
    gallery = gathered(own.items, items)
    everyone = {name: None if own_part is None else gather_rows(own_part, items) for name, own_part in _of_items(own).items()}
    before = sum(items[: rank()])
    places = torch.arange(before, before + len(own.queries), device=device) if own.own_gallery else _shifted(own.self_index, before)
    arguments = {"self_index": places, "relevance": own.relevance, "query_weights": own.query_weights} | everyone
    if own.where is not None and own.where.dim() == 2:
        arguments["where"] = own.where
    batch = None
    if len(own.queries):
        batch, error = _or_error(check_batch, {"embeddings": own.queries, "labels": own.labels, "ref_embeddings": gallery} | arguments)
    agree(Call(f"{call} of all items", {}), [], device, error)
    return batch, queries


def _of_items(own: Own) -> dict[str, Tensor | None]:
    """What is told of the items of the gallery, one entry an item."""
    where = None if own.where is None or own.where.dim() == 2 else own.where
    return {"ref_labels": own.ref_labels, "where": where, "item_weights": own.item_weights}


def _shifted(places: Tensor | None, by: int) -> Tensor | None:
    return None if places is None else torch.where(places >= 0, places + by, -1)


def _or_error(function: Any, arguments: dict[str, Any]) -> tuple[Any, Exception | None]:
    """The result, or the error that the other processes must hear of."""
    try:
        return function(**arguments), None
    except Exception as error:
        device = next((x.device for x in arguments.values() if isinstance(x, Tensor)), torch.device("cpu"))
        return _NOTHING._replace(queries=torch.empty(0, 0, device=device)), error


def _own(
    embeddings: Tensor,
    labels: Labels | None,
    ref_embeddings: Tensor | None,
    ref_labels: Labels | None,
    self_index: Tensor | None,
    where: Tensor | None,
    relevance: Tensor | None,
    query_weights: Tensor | None,
    item_weights: Tensor | None,
) -> Own:
    check_which(labels, ref_embeddings, ref_labels, self_index, relevance)
    queries = _embeddings("embeddings", embeddings)
    items = queries if ref_embeddings is None else _embeddings("ref_embeddings", ref_embeddings)
    if labels is not None:
        labels, ref_labels = _labels(labels, ref_labels, queries, items)
    if where is not None and check_tensor("where", where).dim() != 2:
        check_mask(where, queries, items)
    device = queries.device
    places = check_places(self_index, queries, items)
    return Own(
        queries,
        items,
        labels,
        ref_labels,
        None if places is None else places.to(device),
        where,
        relevance,
        check_weights("query_weights", query_weights, queries),
        check_weights("item_weights", item_weights, items),
    )


def _embeddings(name: str, value: Tensor) -> Tensor:
    value = check_floating(name, value)
    if value.dim() != 2:
        raise ValueError(f"{name} must have shape [items, dimensions], got {tuple(value.shape)}")
    check_finite(name, value)
    return value


def _labels(labels: Labels, ref_labels: Labels | None, queries: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Both as int64 [items, levels], numbers that mean the same on all processes."""
    found = {"labels": (labels, queries)}
    if ref_labels is not None:
        found["ref_labels"] = (ref_labels, items)
    if all(len(value) for value, _ in found.values()):
        check_labels(labels, ref_labels, device="cpu")
    numbers = {}
    for name, (value, of) in found.items():
        numbers[name] = _numbers(value).to(of.device)
        if len(numbers[name]) != len(of):
            raise ValueError(f"{name} must have one entry for each of the {len(of)} items here, got {len(numbers[name])}")
    return numbers["labels"], numbers.get("ref_labels", numbers["labels"])


def _numbers(labels: Labels) -> Tensor:
    """Integers as they are; a text as 64 bits of its hash: that two of a million texts share one has a probability of 3e-8."""
    if not isinstance(labels, Tensor):
        array = np.asarray(labels)
        if array.dtype.kind in "OU":
            texts, places = np.unique(array.astype(str), return_inverse=True)
            hashes = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
            array = np.frombuffer(b"".join(hashes), dtype="<i8")[places].reshape(array.shape)
        labels = torch.from_numpy(array.astype(np.int64))
    return labels.long() if labels.dim() == 2 else labels.long()[:, None]


class SharedPositives(Positives):
    """The positives of the queries of this process, weighed as a part of those of all processes."""

    counted: Tensor | None = None  # what the queries of all processes that have a positive weigh

    def __init__(self, batch: Batch, query: QueryRole):
        super().__init__(batch, query)
        queries, weights = batch.queries, self.weights_that_count()
        dtype = wide(queries.device)
        if weights is None:
            self.total = int(sum_everywhere(torch.tensor(self.total, dtype=dtype, device=queries.device)))
            self.weight, self.shares = max(self.total, 1), 1 / max(self.total, 1)
            return
        largest = batch.query_weights.amax().to(dtype)
        here = torch.stack([largest.new_full((), self.total), largest, weights.to(dtype).sum()])
        counts, largests, sums = of_each(here).unbind(1)
        self.total, self.counted = int(counts.sum()), sums.sum()
        self.weight = or_one(self.counted.to(queries.dtype))
        # the largest weight of all joins those of this process, so that the shares of all are of one whole
        shares = shares_of_largest(torch.cat([batch.query_weights.to(dtype), largests.amax()[None]]), queries.dtype)[:-1]
        self.shares = shares / or_one(sum_everywhere(shares.index_select(0, self.rows).sum()))

    def weights_that_count(self) -> Tensor | None:
        return super().weights_that_count() if self.counted is None else self.counted

    def shares_of_queries(self) -> float | Tensor:
        return self.shares

    def sum_of_queries(self, values: Tensor) -> Tensor:
        return sum_everywhere(values.sum())
