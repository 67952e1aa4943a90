"""From labels, or a tree of labels, to relevance; and the mask that leaves the query out of its own gallery.

Labels of several levels are ``[b, levels]``, from fine to coarse: column 0 is the class, the last column the coarsest group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import check_count, check_device, check_number, check_numbers, check_tensor, check_where, first, reads_values

#: ``[items]`` or ``[items, levels]``: a tensor of integers, or a list, an array or a column of a table, of integers or strings.
Labels = Tensor | np.ndarray | Sequence[Any]

_DEEPEST = 64  # levels; a number beyond is a mistake, and would be as many passes


def same_label(labels: Labels, ref_labels: Labels | None = None) -> Tensor:
    r"""Binary relevance: the query and the item share the (finest) label.

    .. math:: \mathrm{rel}_{ij} = \mathbb{1}[y_i = y_j]

    Args:
        labels: ``[b]`` or ``[b, levels]``: integers, or strings in a list, an array or a column of a table.
        ref_labels: ``[m]`` or ``[m, levels]`` of the gallery; None: the batch is its own gallery.

    Returns: ``[b, m]``, boolean.

    >>> rb.same_label(torch.tensor([0, 1]), torch.tensor([1, 0, 1]))
    tensor([[False,  True, False],
            [ True, False,  True]])
    """
    labels, ref_labels = check_labels(labels, ref_labels)
    return labels[:, None, 0] == ref_labels[None, :, 0]


def shared_levels(labels: Labels, ref_labels: Labels | None = None) -> Tensor:
    r"""The number of levels that query and item share: 0 for strangers, ``levels`` for the same class.

    Args:
        labels, ref_labels: ``[b, levels]`` and ``[m, levels]``, fine to coarse.

    Returns: ``[b, m]``, int64; the graded relevance of NDCG.

    >>> rb.shared_levels(torch.tensor([[0, 0], [1, 0], [2, 1]]))
    tensor([[2, 1, 0],
            [1, 2, 0],
            [0, 0, 2]])
    """
    labels, ref_labels = check_labels(labels, ref_labels)
    shared = torch.zeros(len(labels), len(ref_labels), dtype=torch.int64, device=labels.device)
    for level in range(labels.shape[1]):
        shared += labels[:, None, level] == ref_labels[None, :, level]
    return shared


def hierarchical_relevance(
    levels: Tensor,
    *,
    alpha: float = 1.0,
    weights: Sequence[float] | None = None,
    where: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""The relevance of H-AP: each level weighs :math:`(l/L)^\alpha` in all, shared evenly by its items; or weights of yours.

    .. math:: \mathrm{rel}(l) = \frac{(l / L)^\alpha}{|\Omega^{(l)}|}, \qquad
        \text{with weights}\quad \mathrm{rel}(l) = \sum_{p=1}^{l} \frac{w_p}{\bigl| \bigcup_{q \ge p} \Omega^{(q)} \bigr|}

    where :math:`\Omega^{(l)}` are the items that share exactly :math:`l` of :math:`L` levels with the query. With weights, H-AP is the
    weighted mean of the AP at each level, whose positives share at least so many levels; and a finer match never weighs less than
    a coarser one. Without, it weighs less where its level has many items and the coarser one few.

    Args:
        levels: ``[..., n]`` from `shared_levels`; :math:`L` is its maximum over the tensor.
        alpha: larger gives coarse matches less weight.
        weights: one number >= 0 for each column of the labels, from fine to coarse, in the place of ``alpha``; larger gives that
            level more. :math:`w_l` is the one of the column that the l-th shared level is. Only their ratios matter.
        where: ``[..., n]``, the items that count.
        dtype: of the result.

    Returns: ``[..., n]``. Only the ratios matter to H-AP.

    Source: HAPPIER and SupRank, from their code (``get_relevances_pop``, and its mode "map" for weights).

    >>> rb.hierarchical_relevance(torch.tensor([2, 1, 1, 0]))
    tensor([1.0000, 0.2500, 0.2500, 0.0000])
    >>> rb.hierarchical_relevance(torch.tensor([2, 1, 1, 0]), weights=(1, 1))
    tensor([1.3333, 0.3333, 0.3333, 0.0000])
    """
    levels, alpha = check_tensor("levels", levels), check_number("alpha", alpha)
    if levels.is_floating_point() or levels.dim() == 0 or levels.numel() == 0 or (levels < 0).any():
        raise ValueError("levels must be whole numbers >= 0 [..., n]: how many levels query and item share, from rb.shared_levels(labels)")
    if where is not None:
        where = check_where(where, levels, name="levels")
    depth = max(1, int(levels.max()))
    if depth > _DEEPEST:
        raise ValueError(f"levels must be at most {_DEEPEST}, got {depth}; rb.hierarchical_ap takes any grades as they are")
    if weights is None:
        return level_weights(levels, depth, alpha, where, dtype)
    weights = check_level_weights(weights, alpha)
    if depth > len(weights):
        raise ValueError(f"weights must have a number for each column of the labels, {depth} or more as levels say, got {len(weights)}")
    return shares_of_levels(levels, weights, where, dtype)


def level_weights(levels: Tensor, depth: int, alpha: float, where: Tensor | None, dtype: torch.dtype) -> Tensor:
    """`hierarchical_relevance` of checked levels, of which there are ``depth``."""
    relevance = torch.zeros(levels.shape, dtype=dtype, device=levels.device)
    for level in range(1, depth + 1):
        at_level = levels == level if where is None else (levels == level) & where
        weight = (level / depth) ** alpha / at_level.sum(-1, keepdim=True).clamp(min=1).to(dtype)
        relevance = torch.where(at_level, weight, relevance)
    return relevance


def shares_of_levels(levels: Tensor, weights: Sequence[float], where: Tensor | None, dtype: torch.dtype) -> Tensor:
    """The same with a weight for each column of the labels, fine to coarse."""
    relevance = torch.zeros(levels.shape, dtype=dtype, device=levels.device)
    for level, weight in enumerate(reversed(weights), start=1):
        reach = levels >= level if where is None else (levels >= level) & where
        relevance = relevance + torch.where(reach, weight / reach.sum(-1, keepdim=True).clamp(min=1).to(dtype), 0)
    return relevance


def check_level_weights(weights: Sequence[float], alpha: float) -> tuple[float, ...]:
    """Weights of levels as shares of the largest, so that no sum of them overflows."""
    if alpha != 1:
        raise ValueError(
            f"weights must be given without alpha, which says the weights of the levels too; got alpha={alpha:g} and {weights}"
        )
    numbers = check_numbers("weights", weights, at_least=0)
    if not max(numbers) > 0:
        raise ValueError(f"weights must have a number above 0, got {weights}")
    return tuple(number / max(numbers) for number in numbers)


def leave_query_out(size: int, device: torch.device | str | None = None) -> Tensor:
    """The mask of a batch that is its own gallery: every item but the query itself.

    Args:
        size: of the batch.
        device: of the mask.

    Returns: ``[size, size]``, boolean, False on the diagonal.

    >>> rb.leave_query_out(2)
    tensor([[False,  True],
            [ True, False]])
    """
    return ~torch.eye(check_count("size", size), dtype=torch.bool, device=device)


def check_labels(labels: Labels, ref_labels: Labels | None = None, *, device: torch.device | str | None = None) -> tuple[Tensor, Tensor]:
    """Both as int64 [items, levels], on one device: boolean or narrow labels cannot be sorted and searched on every device.

    Labels that are no tensors (lists, arrays, columns of a table; numbers or strings) become numbers, the two together, so that
    the same name has the same number; ``device`` says where.

    Raises:
        ValueError: shapes other than ``[items]`` and ``[items, levels]``, other kinds of values, two devices, another number of levels.
        ValueError: levels that do not nest: a class has one parent. Multi-hot labels end here.
    """
    values = {"labels": labels} if ref_labels is None else {"labels": labels, "ref_labels": ref_labels}
    tensors = _as_numbers(values, device)
    for name, value in tensors.items():
        check_tensor(name, value)
        if value.dim() not in (1, 2) or value.is_floating_point():
            raise ValueError(f"{name} must be integers of shape [items] or [items, levels], got {value.dtype} {tuple(value.shape)}")
        if 0 in value.shape:
            raise ValueError(f"{name} must have at least one item and one level, got {tuple(value.shape)}")
    ours = tensors["labels"]
    theirs = tensors.get("ref_labels", ours)
    check_device("ref_labels", theirs, "labels", ours)
    if ours.shape[1:] != theirs.shape[1:]:
        raise ValueError(f"labels {tuple(ours.shape)} and ref_labels {tuple(theirs.shape)} must have the same number of levels")
    same = theirs is ours
    ours = ours.reshape(len(ours), -1).long()
    theirs = ours if same else theirs.reshape(len(theirs), -1).long()
    if ours.shape[1] > 1 and reads_values(ours, theirs):
        _check_nesting(ours if same else torch.cat([ours, theirs]))
    return ours, theirs


def _check_nesting(labels: Tensor) -> None:
    """Raise if a label occurs under two parents."""
    for level in range(labels.shape[1] - 1):
        child, order = labels[:, level].sort(stable=True)
        parent = labels[order, level + 1]
        torn = (child[1:] == child[:-1]) & (parent[1:] != parent[:-1])
        if torn.any():
            (at,) = first(torn)
            raise ValueError(
                f"labels must be nested levels, fine to coarse: label {child[at].item()} of column {level} stands "
                f"under {parent[at].item()} and {parent[at + 1].item()} of column {level + 1}. If fine labels start anew in each "
                "parent, join them: fine + coarse * (fine.max() + 1). If labels are multi-hot, an item has several: relevance = "
                "labels @ ref_labels.T > 0, and rb.as_loss(metric, ranker)(embeddings @ ref_embeddings.T, relevance)"
            )


def _as_numbers(values: Mapping[str, Labels], device: torch.device | str | None) -> dict[str, Tensor]:
    """Tensors stay; whatever else holds numbers or strings becomes int64."""
    if all(isinstance(value, Tensor) for value in values.values()):
        return dict(values)
    arrays = {name: _as_array(name, value) for name, value in values.items()}
    if all(array.dtype.kind in "iub" for array in arrays.values()):
        return {
            name: values[name] if isinstance(values[name], Tensor) else torch.tensor(array.astype(np.int64), device=device)
            for name, array in arrays.items()
        }
    if any(isinstance(value, Tensor) for value in values.values()) or len({array.shape[1:] for array in arrays.values()}) > 1:
        raise ValueError("labels and ref_labels must be of one kind: both strings, or both integers, with the same number of levels")
    together = np.concatenate(list(arrays.values()))
    columns = together.reshape(len(together), -1).T
    codes = np.stack([np.unique(column, return_inverse=True)[1].reshape(-1) for column in columns], axis=1).reshape(together.shape)
    parts = np.split(codes, np.cumsum([len(array) for array in arrays.values()])[:-1])
    return {name: torch.tensor(part, dtype=torch.int64, device=device) for name, part in zip(arrays, parts, strict=True)}


def _as_array(name: str, value: Labels) -> np.ndarray:
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # ragged
        array = np.empty(0, dtype=object)
    if array.dtype.kind == "O" and array.size and all(isinstance(one, str) for one in array.flat):
        array = array.astype(str)
    missing = [(place, one) for place, one in enumerate(array.flat) if _is_missing(one)] if array.ndim and array.dtype.kind in "Of" else []
    if missing:
        raise TypeError(
            "{} must be integers or strings, but entry {} is missing ({}), {} in all; drop these rows, or leave them out with "
            "where: as one class, items without a label would be positives of each other".format(name, *missing[0], len(missing))
        )
    if array.dtype.kind not in "iubU" or array.ndim not in (1, 2):
        raise TypeError(
            f"{name} must be integers or strings of shape [items] or [items, levels], got {type(value).__name__} "
            f"of {array.dtype} {array.shape}; try pandas.factorize({name})[0]"
        )
    return array


def _is_missing(one: Any) -> bool:
    """None and NaN, and what pandas has for them."""
    return one is None or type(one).__name__ in ("NAType", "NaTType") or (isinstance(one, (float, np.floating)) and one != one)
