"""Twins: items of a list with the same score and the same relevance, which an order must not tell apart."""

from __future__ import annotations

import torch
from torch import Tensor


def share_among_twins(gradient: Tensor, scores: Tensor, grades: Tensor) -> Tensor:
    """The gradient ``[..., n]`` with its mean over twins in the place of theirs.

    A loss that sorts gives each twin what belongs to its place in the input; the value is the same for any order of them, and
    the mean over their orders is the gradient that a shuffled input does not change.
    """
    order = scores.argsort(dim=-1, stable=True)
    order = order.gather(-1, grades.gather(-1, order).argsort(dim=-1, stable=True))
    s, g = scores.gather(-1, order), grades.gather(-1, order)
    new = (s[..., 1:] != s[..., :-1]) | (g[..., 1:] != g[..., :-1])
    group = torch.cat([torch.zeros_like(order[..., :1]), new.cumsum(-1)], -1)
    sums = torch.zeros_like(gradient).scatter_add(-1, group, gradient.gather(-1, order))
    sizes = torch.zeros_like(gradient).scatter_add(-1, group, torch.ones_like(gradient))
    shared = (sums / sizes.clamp(min=1)).gather(-1, group)
    return torch.zeros_like(gradient).scatter(-1, order, shared)
