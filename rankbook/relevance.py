"""From labels, or a tree of labels, to relevance; and the mask that leaves the query out of its own gallery.

Labels of several levels are ``[b, levels]``, from fine to coarse: column 0 is the class, the last column the coarsest group.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_tensor


def same_label(labels: Tensor, ref_labels: Tensor | None = None) -> Tensor:
    r"""Binary relevance: the query and the item share the (finest) label.

    .. math:: \mathrm{rel}_{ij} = \mathbb{1}[y_i = y_j]

    Args:
        labels: ``[b]`` or ``[b, levels]``, integers.
        ref_labels: ``[m]`` or ``[m, levels]`` of the gallery; None: the batch is its own gallery.

    Returns: ``[b, m]``, boolean.

    >>> rb.same_label(torch.tensor([0, 1]), torch.tensor([1, 0, 1]))
    tensor([[False,  True, False],
            [ True, False,  True]])
    """
    labels, ref_labels = check_labels(labels, ref_labels)
    return labels[:, None, 0] == ref_labels[None, :, 0]


def shared_levels(labels: Tensor, ref_labels: Tensor | None = None) -> Tensor:
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
    levels: Tensor, *, alpha: float = 1.0, where: Tensor | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    r"""The relevance of H-AP: each level weighs :math:`(l/L)^\alpha` in all, shared evenly by its items.

    .. math:: \mathrm{rel}(l) = \frac{(l / L)^\alpha}{|\Omega^{(l)}|}

    where :math:`\Omega^{(l)}` are the items that share exactly :math:`l` of :math:`L` levels with the query.

    Args:
        levels: ``[..., n]`` from `shared_levels`; :math:`L` is its maximum over the tensor.
        alpha: larger gives coarse matches less weight.
        where: ``[..., n]``, the items that count.
        dtype: of the result.

    Returns: ``[..., n]``. Only the ratios matter to H-AP.

    Source: HAPPIER and SupRank, from their code (``get_relevances_pop``).

    >>> rb.hierarchical_relevance(torch.tensor([2, 1, 1, 0]))
    tensor([1.0000, 0.2500, 0.2500, 0.0000])
    """
    check_tensor("levels", levels)
    if levels.is_floating_point() or (levels < 0).any():
        raise ValueError("levels must be whole numbers >= 0: how many levels query and item share, from rb.shared_levels(labels)")
    depth = max(1, int(levels.max()))
    relevance = torch.zeros(levels.shape, dtype=dtype, device=levels.device)
    for level in range(1, depth + 1):
        at_level = levels == level if where is None else (levels == level) & where
        weight = (level / depth) ** alpha / at_level.sum(-1, keepdim=True).clamp(min=1).to(dtype)
        relevance = torch.where(at_level, weight, relevance)
    return relevance


def leave_query_out(size: int, device: torch.device | str | None = None) -> Tensor:
    """The mask of a batch that is its own gallery: every item but the query itself.

    Returns: ``[size, size]``, boolean, False on the diagonal.

    >>> rb.leave_query_out(2)
    tensor([[False,  True],
            [ True, False]])
    """
    return ~torch.eye(size, dtype=torch.bool, device=device)


def check_labels(labels: Tensor, ref_labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """Both as int64 [items, levels]: boolean or narrow labels cannot be sorted and searched on every device."""
    ref_labels = labels if ref_labels is None else ref_labels
    for name, value in (("labels", labels), ("ref_labels", ref_labels)):
        check_tensor(name, value)
        if value.dim() not in (1, 2) or value.is_floating_point() or value.is_complex():
            raise ValueError(f"{name} must be integers of shape [items] or [items, levels], got {value.dtype} {tuple(value.shape)}")
        if value.dim() == 2 and value.shape[1] == 0:
            raise ValueError(f"{name} must have at least one level, got {tuple(value.shape)}")
    if labels.shape[1:] != ref_labels.shape[1:]:
        raise ValueError(f"labels {tuple(labels.shape)} and ref_labels {tuple(ref_labels.shape)} must have the same number of levels")
    return labels.reshape(len(labels), -1).long(), ref_labels.reshape(len(ref_labels), -1).long()
