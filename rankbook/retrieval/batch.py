"""A batch of embeddings, checked: each item is a query, the others (or a reference set) its gallery."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rankbook.checks import check_device, check_finite, check_tensor, reads_values, warn
from rankbook.precision import wide
from rankbook.relevance import Labels, check_labels
from rankbook.retrieval.roles import check_mask, check_places, check_weights, check_whole_relevance

#: The largest products of two embeddings that float32 computes with all its digits, sums and squares of theirs included.
_PRODUCTS = (1e-18, 1e18)


class Batch(NamedTuple):
    """A checked batch: float32 or float64 embeddings; what is positive for whom, by labels [items, levels] or by a relevance;
    who is in whose gallery; and how much queries and items weigh. Labels and places may stay on the CPU beside embeddings on a GPU."""

    queries: Tensor  # [b, d]
    labels: Tensor | None  # [b, levels]; None: there is a relevance
    gallery: Tensor  # [m, d]; the queries themselves if there is no reference set
    ref_labels: Tensor | None  # [m, levels]
    self_index: Tensor | None  # [b], where each query stands in the gallery, -1: nowhere; None: nobody stands there
    where: Tensor | None = None  # [m] or [b, m], which gallery items count; None: all
    relevance: Tensor | None = None  # [b, m], in the place of labels; above 0: positive
    query_weights: Tensor | None = None  # [b]
    item_weights: Tensor | None = None  # [m]

    @property
    def own_gallery(self) -> bool:
        """Whether one tensor plays both roles."""
        return self.gallery is self.queries

    def finest(self) -> Batch:
        """The same batch with the finest level only: binary relevance."""
        return self if self.labels is None else self._replace(labels=self.labels[:, :1], ref_labels=self.ref_labels[:, :1])

    def scores(self, rows: Tensor) -> Tensor:
        """Dot products of some queries with the gallery: [rows, m]."""
        return self.queries.index_select(0, rows) @ self.gallery.T


def check_batch(
    embeddings: Tensor,
    labels: Labels | None = None,
    ref_embeddings: Tensor | None = None,
    ref_labels: Labels | None = None,
    *,
    self_index: Tensor | None = None,
    where: Tensor | None = None,
    relevance: Tensor | None = None,
    query_weights: Tensor | None = None,
    item_weights: Tensor | None = None,
) -> Batch:
    """Check embeddings and what goes with them against each other. Half precision becomes float32; so large or so small embeddings
    that float32 loses their products become float64, and the loss with them.

    Args: as the batch losses (`rankbook.losses.batch_loss`).
    """
    _refuse_pairs(ref_embeddings)
    check_which(labels, ref_embeddings, ref_labels, self_index, relevance)
    own_gallery = ref_embeddings is None
    queries = _check_embeddings("embeddings", embeddings)
    gallery = queries if own_gallery else _check_embeddings("ref_embeddings", ref_embeddings)
    if not own_gallery:
        check_device("ref_embeddings", gallery, "embeddings", queries)
    if relevance is None:
        labels, ref_labels = _check_labels(labels, ref_labels, queries, gallery)
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"ref_embeddings must have the {queries.shape[1]} dimensions of embeddings, got {gallery.shape[1]}")
    largest = _check_values("embeddings", queries)
    product = largest * (largest if own_gallery else _check_values("ref_embeddings", gallery))
    dtype = torch.promote_types(queries.dtype, gallery.dtype)
    if not _PRODUCTS[0] <= product <= _PRODUCTS[1] and product > 0:
        dtype = torch.promote_types(dtype, wide(queries.device))
    queries = queries.to(dtype)
    if own_gallery:
        _notice_scores(queries)
        gallery, self_index = queries, torch.arange(len(queries), device=queries.device)
    else:
        gallery, self_index = gallery.to(dtype), check_places(self_index, queries, gallery)
    return Batch(
        queries,
        labels,
        gallery,
        ref_labels,
        self_index,
        check_mask(where, queries, gallery),
        check_whole_relevance(relevance, queries, gallery),
        check_weights("query_weights", query_weights, queries),
        check_weights("item_weights", item_weights, gallery),
    )


def check_which(
    labels: Labels | None, ref_embeddings: Tensor | None, ref_labels: Labels | None, self_index: Tensor | None, relevance: Tensor | None
) -> None:
    """What must come together, and what must not."""
    if (labels is None) == (relevance is None):
        came = "neither" if labels is None else "both"
        raise ValueError(f"labels or relevance must be given, one of the two, got {came}: labels [b], or relevance [b, m] >= 0")
    if relevance is not None and ref_labels is not None:
        raise ValueError("ref_labels go with labels; relevance [b, m] tells of each item of ref_embeddings, so leave ref_labels out")
    if relevance is None and (ref_embeddings is None) != (ref_labels is None):
        missing = "ref_labels" if ref_labels is None else "ref_embeddings"
        raise ValueError(f"{missing} is missing: give both ref_embeddings and ref_labels, or neither")
    if self_index is not None and ref_embeddings is None:
        raise ValueError(
            "self_index tells where the queries stand in ref_embeddings, which are not given; without them each query stands in "
            "its own place, and is left out there"
        )


def _check_labels(labels: Labels, ref_labels: Labels | None, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
    """Labels of queries and gallery on one device, that of the embeddings or the CPU: there they are sorted without a wait for a GPU."""
    labels, ref_labels = check_labels(labels, ref_labels, device="cpu")
    if labels.device.type != "cpu":
        check_device("labels", labels, "embeddings", queries)
    for name, items, label in (("", queries, labels), ("ref_", gallery, ref_labels)):
        if len(items) != len(label):
            raise ValueError(f"{name}labels must have one entry for each of the {len(items)} {name}embeddings, got {len(label)}")
    return labels, ref_labels


def _check_embeddings(name: str, value: Tensor) -> Tensor:
    value = check_tensor(name, value)
    if value.dim() != 2 or 0 in value.shape or not value.is_floating_point():
        raise ValueError(
            f"{name} must be floating point of shape [items, dimensions] with a dimension and at least one item, "
            f"got {value.dtype} {tuple(value.shape)}"
        )
    return value.float() if value.itemsize < 4 else value


def _refuse_pairs(ref_embeddings: Any) -> None:
    """Raise where the loops of pytorch-metric-learning put what their miner found, in place of a reference set."""
    if isinstance(ref_embeddings, (tuple, list)):
        raise TypeError(
            f"ref_embeddings must be a tensor [m, d], got a {type(ref_embeddings).__name__} of {len(ref_embeddings)}; if a miner found "
            "these pairs or triplets: a rank loss uses every pair of the batch, so leave the miner out, or the loss would not be "
            "the one that you mean"
        )


def _check_values(name: str, value: Tensor) -> float:
    """The largest absolute value, in one look that sees NaN and infinity too; 1 if values are not to be read."""
    if not reads_values(value) or value.numel() == 0:
        return 1.0
    largest = torch.stack(value.detach().aminmax()).abs().max().item()
    if not math.isfinite(largest):
        check_finite(name, value)
    return largest


def _notice_scores(embeddings: Tensor) -> None:
    """Warn if a matrix of scores stands in for embeddings."""
    x = embeddings.detach()
    if len(x) < 3 or x.shape[0] != x.shape[1] or not reads_values(x) or not torch.allclose(x[0], x[:, 0], rtol=1e-3, atol=1e-5):
        return
    lengths, best = x.norm(dim=1), x.amax(dim=1)
    units = (lengths - 1).abs() < 0.01
    if (
        torch.allclose(x, x.T, rtol=1e-3, atol=1e-5)
        and not units.all()
        and torch.allclose(x.diagonal(), best)
        and (x.amin(dim=1) < best).any()
    ):
        warn(
            f"embeddings {tuple(x.shape)} look like a matrix of scores: square, symmetric, rows not of length 1. This function takes "
            "the embeddings themselves, [items, dimensions]; for a loss of scores call rb.as_loss(metric, ranker)(scores, "
            "rb.same_label(labels), where=rb.leave_query_out(len(labels))), for a metric the metric itself"
        )
