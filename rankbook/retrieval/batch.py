"""A batch of embeddings, checked: each item is a query, the others (or a reference set) its gallery."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.checks import check_device, check_finite, check_tensor, reads_values, warn
from rankbook.precision import wide
from rankbook.relevance import Labels, check_labels

#: The largest products of two embeddings that float32 computes with all its digits, sums and squares of theirs included.
_PRODUCTS = (1e-18, 1e18)


class Batch(NamedTuple):
    """A checked batch: float32 or float64 embeddings, labels as [items, levels]."""

    queries: Tensor  # [b, d]
    labels: Tensor  # [b, levels]
    gallery: Tensor  # [m, d]; the queries themselves if there is no reference set
    ref_labels: Tensor  # [m, levels]
    self_index: Tensor | None  # [b], where each query stands in the gallery; None: nowhere

    @property
    def own_gallery(self) -> bool:
        """Whether one tensor plays both roles."""
        return self.gallery is self.queries

    def finest(self) -> Batch:
        """The same batch with the finest level only: binary relevance."""
        return self._replace(labels=self.labels[:, :1], ref_labels=self.ref_labels[:, :1])

    def scores(self, rows: Tensor) -> Tensor:
        """Dot products of some queries with the gallery: [rows, m]."""
        return self.queries.index_select(0, rows) @ self.gallery.T


def check_batch(embeddings: Tensor, labels: Labels, ref_embeddings: Tensor | None = None, ref_labels: Labels | None = None) -> Batch:
    """Check embeddings and labels against each other. Half precision becomes float32; so large or so small embeddings that
    float32 loses their products become float64, and the loss with them."""
    if (ref_embeddings is None) != (ref_labels is None):
        missing = "ref_labels" if ref_labels is None else "ref_embeddings"
        raise ValueError(f"{missing} is missing: give both ref_embeddings and ref_labels, or neither")
    own_gallery = ref_embeddings is None
    queries = _check_embeddings("embeddings", embeddings)
    gallery = queries if own_gallery else _check_embeddings("ref_embeddings", ref_embeddings)
    if not own_gallery:
        check_device("ref_embeddings", gallery, "embeddings", queries)
    labels, ref_labels = check_labels(labels, ref_labels, device=queries.device)
    check_device("labels", labels, "embeddings", queries)
    for name, items, label in (("", queries, labels), ("ref_", gallery, ref_labels)):
        if len(items) != len(label):
            raise ValueError(f"{name}labels must have one entry for each of the {len(items)} {name}embeddings, got {len(label)}")
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
        return Batch(queries, labels, queries, ref_labels, torch.arange(len(queries), device=queries.device))
    return Batch(queries, labels, gallery.to(dtype), ref_labels, None)


def _check_embeddings(name: str, value: Tensor) -> Tensor:
    value = check_tensor(name, value)
    if value.dim() != 2 or value.shape[0] == 0 or not value.is_floating_point():
        raise ValueError(
            f"{name} must be floating point of shape [items, dimensions] with at least one item, got {value.dtype} {tuple(value.shape)}"
        )
    return value.float() if value.itemsize < 4 else value


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
