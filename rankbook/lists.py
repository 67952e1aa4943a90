"""From flat tensors, one row an item with the query that it belongs to, to lists ``[queries, n]`` with a mask, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from rankbook.checks import check_device, check_tensor
from rankbook.relevance import Labels, _as_numbers

T = TypeVar("T", Tensor, Sequence[Tensor])


def pad_lists(values: T, query_ids: Labels) -> tuple[T, Tensor]:
    r"""Flat values, item by item, as one list for each query, padded to the longest: what every metric and loss takes.

    Args:
        values: ``[m, ...]``, one row for each item: scores, relevance, features. Or a tuple or list of such tensors, which are then
            padded alike.
        query_ids: ``[m]``, the query of each item: integers, or strings in a list, an array or a column of a table, in any order.

    Returns:
        ``(padded, where)``: ``[queries, n, ...]`` in the dtype of the values (a tuple of them for several), 0 where there is no item,
        and the mask ``[queries, n]`` of the items. Queries stand in the order in which their ids first appear, the items of a query in
        the order of the input. The gradient flows back to the values.

    Cost: a sort of the ids; memory :math:`O(\text{queries} \cdot n)` with n the length of the longest list.

    Raises:
        TypeError: ids that are no integers or strings, values that are no tensors.
        ValueError: ids that are not one for each row, values on another device.

    >>> scores, query_ids = torch.tensor([0.9, 0.2, 0.5]), ["b", "a", "b"]
    >>> rb.pad_lists(scores, query_ids)
    (tensor([[0.9000, 0.5000],
            [0.2000, 0.0000]]), tensor([[ True,  True],
            [ True, False]]))
    >>> (s, r), where = rb.pad_lists((scores, torch.tensor([0, 1, 1])), query_ids)
    >>> rb.ndcg(s, r, where=where)
    tensor(0.8155)
    """
    several, tensors = _tensors("values", values)
    rows, columns, queries, longest = _places(query_ids, "values", tensors)
    for value in tensors:
        if value.dim() == 0 or len(value) != len(rows):
            raise ValueError(f"values must have one row for each of the {len(rows)} query_ids, got shape {tuple(value.shape)}")
    slots = rows * longest + columns
    padded = tuple(
        value.new_zeros(queries * longest, *value.shape[1:]).index_copy(0, slots, value).unflatten(0, (queries, longest))
        for value in tensors
    )
    return (padded if several else padded[0]), _mask(rows, columns, queries, longest)


def flatten_lists(padded: T, where: Tensor, *, query_ids: Labels | None = None) -> T:
    """The items of padded lists in one row: the way back from `pad_lists`.

    Args:
        padded: ``[queries, n, ...]``, or a tuple or list of such tensors.
        where: ``[queries, n]``, the items that are there.
        query_ids: those that `pad_lists` was given; the items then stand in their order. None: query by query, which is the order of
            the input if the items of each query stood together.

    Returns: ``[m, ...]``, or a tuple of them. The gradient flows back to the lists.

    Raises:
        ValueError: ``query_ids`` whose lists are not those of ``where``; the rest as `pad_lists`.

    >>> padded, where = rb.pad_lists(torch.tensor([0.9, 0.2, 0.5]), [7, 3, 7])
    >>> rb.flatten_lists(padded, where)
    tensor([0.9000, 0.5000, 0.2000])
    >>> rb.flatten_lists(padded, where, query_ids=[7, 3, 7])
    tensor([0.9000, 0.2000, 0.5000])
    """
    several, tensors = _tensors("padded", padded)
    if any(value.dim() < 2 or value.shape[:2] != tensors[0].shape[:2] for value in tensors):
        shapes = ", ".join(str(tuple(value.shape)) for value in tensors)
        raise ValueError(f"padded must have shape [queries, n, ...], the same lists in all tensors, got {shapes}")
    where = check_tensor("where", where)
    if where.dtype != torch.bool or where.shape != tensors[0].shape[:2]:
        raise ValueError(
            f"where must be the boolean mask {tuple(tensors[0].shape[:2])} that pad_lists returns, got {where.dtype} {tuple(where.shape)}"
        )
    check_device("where", where, "padded", tensors[0])
    if query_ids is None:
        flat = tuple(value[where] for value in tensors)
    else:
        rows, columns, queries, longest = _places(query_ids, "padded", tensors)
        if where.shape != (queries, longest) or not _mask(rows, columns, queries, longest).equal(where):
            raise ValueError("query_ids must be those that the lists were made of, but they make other lists than where; try without them")
        flat = tuple(value[rows, columns] for value in tensors)
    return flat if several else flat[0]


def _tensors(name: str, values: Any) -> tuple[bool, list[Tensor]]:
    """Whether there are several, and all of them."""
    several = isinstance(values, (tuple, list)) and (not values or isinstance(values[0], Tensor))
    tensors = [check_tensor(name, value) for value in (values if several else [values])]
    if not tensors:
        raise ValueError(f"{name} must be a tensor or a tuple of at least one, got an empty one")
    return several, tensors


def _places(query_ids: Labels, name: str, tensors: list[Tensor]) -> tuple[Tensor, Tensor, int, int]:
    """The row and the column of each item ``[m]``, the number of queries, and the length of the longest list."""
    ids = check_tensor("query_ids", _as_numbers({"query_ids": query_ids}, tensors[0].device)["query_ids"])
    if ids.dim() != 1 or ids.is_floating_point() or len(ids) == 0:
        raise ValueError(f"query_ids must be integers or strings of shape [m], one for each item, got {ids.dtype} {tuple(ids.shape)}")
    for value in tensors:
        check_device(name, value, "query_ids", ids)
    _, group, sizes = ids.long().unique(return_inverse=True, return_counts=True)
    items = torch.arange(len(ids), device=ids.device)
    first = torch.full_like(sizes, len(ids)).scatter_reduce(0, group, items, "amin")
    rows = first.argsort().argsort()[group]  # queries in the order in which they appear
    order = rows.argsort(stable=True)
    sizes = sizes[first.argsort()]
    columns = torch.empty_like(rows)
    columns[order] = items - (sizes.cumsum(0) - sizes)[rows[order]]
    return rows, columns, len(sizes), int(sizes.max())


def _mask(rows: Tensor, columns: Tensor, queries: int, longest: int) -> Tensor:
    where = torch.zeros(queries, longest, dtype=torch.bool, device=rows.device)
    where[rows, columns] = True
    return where
