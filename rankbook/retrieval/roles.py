"""Who is in whose gallery and how much it counts: the checks of ``self_index``, ``where``, ``relevance`` and the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_device, check_finite, check_not_negative, check_tensor, first, reads_values


def check_places(self_index: Tensor | None, queries: Tensor, gallery: Tensor) -> Tensor | None:
    """Places of the queries in the gallery as int64 [b], -1 for a query that is not there; on the device of the embeddings or the CPU."""
    if self_index is None:
        return None
    places = check_tensor("self_index", self_index)
    if places.is_floating_point() or places.dtype == torch.bool:
        raise TypeError(f"self_index must be integers, the place of each query in ref_embeddings, got {places.dtype}")
    if places.shape != queries.shape[:1]:
        raise ValueError(f"self_index must have one entry for each of the {len(queries)} embeddings, got shape {tuple(places.shape)}")
    if places.device.type != "cpu":
        check_device("self_index", places, "embeddings", queries)
    places = places.long()
    if reads_values(places):
        wrong = (places < -1) | (places >= len(gallery))
        if wrong.any():
            (at,) = first(wrong)
            raise ValueError(
                f"self_index must be places in ref_embeddings, 0..{len(gallery) - 1}, or -1 for a query that is not there, "
                f"but self_index[{at}] is {places[at].item()}"
            )
    return places


def check_mask(where: Tensor | None, queries: Tensor, gallery: Tensor) -> Tensor | None:
    """A mask of the gallery, for all queries [m] or for each [b, m]."""
    if where is None:
        return None
    where = check_tensor("where", where)
    if where.dtype != torch.bool:
        raise TypeError(f"where must be a boolean mask (True = the item is in the gallery), got {where.dtype}; try where.bool()")
    _check_shape("where", where, [(len(gallery),), (len(queries), len(gallery))])
    check_device("where", where, "embeddings", queries)
    return where


def check_whole_relevance(relevance: Tensor | None, queries: Tensor, gallery: Tensor) -> Tensor | None:
    """Relevance of each item to each query [b, m]: finite, at least 0, every value kept."""
    if relevance is None:
        return None
    relevance = check_tensor("relevance", relevance)
    _check_shape("relevance", relevance, [(len(queries), len(gallery))])
    check_device("relevance", relevance, "embeddings", queries)
    check_finite("relevance", relevance)
    check_not_negative("relevance", relevance, "0 = irrelevant")
    return _exact(relevance.detach())


def check_weights(name: str, weights: Tensor | None, items: Tensor) -> Tensor | None:
    """Weights of the items, finite and at least 0, one for each: constants, every value kept."""
    if weights is None:
        return None
    weights = check_tensor(name, weights)
    _check_shape(name, weights, [(len(items),)])
    check_device(name, weights, "embeddings", items)
    check_finite(name, weights)
    check_not_negative(name, weights, "0 = does not count")
    return _exact(weights.detach())


def _exact(value: Tensor) -> Tensor:
    """No value changes: half precision becomes float32, booleans and integers int64."""
    if value.is_floating_point():
        return value.float() if value.itemsize < 4 else value
    return value.long()


def _check_shape(name: str, value: Tensor, shapes: list[tuple[int, ...]]) -> None:
    if tuple(value.shape) not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise ValueError(f"{name} must have shape {wanted} for these queries and this gallery, got {tuple(value.shape)}")
