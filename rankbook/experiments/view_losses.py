"""Losses of many views that the matching gap is measured against: ``loss(views [k, n, d])``."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from rankbook.losses import SupConLoss


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """The i-th row of each seeks the i-th of the other; the mean of both directions."""
    scores, own = first @ second.T / temperature, torch.arange(len(first), device=first.device)
    return (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2


class PairwiseInfoNCE(nn.Module):
    """InfoNCE of every pair of views, their mean.

    >>> from rankbook.experiments.view_losses import PairwiseInfoNCE
    >>> PairwiseInfoNCE(1.0)(torch.eye(2).expand(3, 2, 2))  # of each pair log(1 + 1/e)
    tensor(0.3133)
    """

    def __init__(self, temperature: float):
        super().__init__()
        self.temperature = temperature

    def forward(self, views: Tensor) -> Tensor:
        losses = [info_nce(a, b, self.temperature) for a, b in combinations(views, 2)]
        return sum(losses) / len(losses)


class MeanInfoNCE(nn.Module):
    """InfoNCE of every view against the mean of the others, put back on the sphere; the mean over the views.

    >>> from rankbook.experiments.view_losses import MeanInfoNCE
    >>> MeanInfoNCE(1.0)(torch.eye(2).expand(3, 2, 2))
    tensor(0.3133)
    """

    def __init__(self, temperature: float):
        super().__init__()
        self.temperature = temperature

    def forward(self, views: Tensor) -> Tensor:
        rest = normalize(views.sum(0) - views, dim=2)
        return sum(info_nce(a, b, self.temperature) for a, b in zip(views, rest, strict=True)) / len(views)


class PooledSupCon(nn.Module):
    """SupCon of one batch of all views, whose labels are the items: k - 1 positives a query, and negatives of all views."""

    def __init__(self, temperature: float):
        super().__init__()
        self.loss = SupConLoss(temperature)

    def forward(self, views: Tensor) -> Tensor:
        k, n, _ = views.shape
        return self.loss(views.flatten(0, 1), torch.arange(n, device=views.device).repeat(k))
