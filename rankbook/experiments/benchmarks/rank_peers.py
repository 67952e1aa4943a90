"""Soft ranks as their authors compute them: the peers of the rankers that pip cannot install, or not everywhere.

As in `rankbook.experiments.benchmarks.peers`, each is written anew and builds what the published code builds. Scores first, best rank 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def plain_neuralsort(scores: Tensor, tau: float = 0.1) -> Tensor:
    """NeuralSort's code: all distances, their sums, the scaled scores and a softmax, each n x n."""
    n = scores.shape[-1]
    distances = (scores.unsqueeze(-1) - scores.unsqueeze(-2)).abs()
    scaling = n + 1 - 2 * torch.arange(1, n + 1, dtype=scores.dtype)
    logits = scaling.unsqueeze(-1) * scores.unsqueeze(-2) - distances.sum(-1).unsqueeze(-2)
    return _mean_places(torch.softmax(logits / tau, -1))


def plain_softsort(scores: Tensor, tau: float = 0.1) -> Tensor:
    """SoftSort's code: the distances from the sorted scores and a softmax, each n x n."""
    descending = scores.sort(descending=True, dim=-1).values
    return _mean_places(torch.softmax((descending.unsqueeze(-1) - scores.unsqueeze(-2)).abs().neg() / tau, -1))


def _mean_places(matrix: Tensor) -> Tensor:
    places = torch.arange(1, matrix.shape[-1] + 1, dtype=matrix.dtype)
    return (places @ matrix) / matrix.sum(-2)


class _Blackbox(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, strength: float) -> Tensor:
        ranks = _ranks(scores)
        ctx.strength = strength
        ctx.save_for_backward(scores, ranks)
        return ranks

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        scores, ranks = ctx.saved_tensors
        return (_ranks(scores + ctx.strength * grad) - ranks) / ctx.strength, None


def plain_blackbox(scores: Tensor, strength: float = 1.0) -> Tensor:
    """A sort each way, the places written to the items (the authors' code sorts twice as often). Ties are not looked at."""
    return _Blackbox.apply(scores, strength)


class _Perturbed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, sigma: float, samples: int) -> Tensor:
        noise = torch.randn(samples, *scores.shape)
        ranks = _ranks(scores + sigma * noise)
        ctx.sigma = sigma
        ctx.save_for_backward(noise, ranks)
        return ranks.mean(0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        noise, ranks = ctx.saved_tensors
        return ((ranks * grad).sum(-1, keepdim=True) * noise).mean(0) / ctx.sigma, None, None


def plain_perturbed(scores: Tensor, sigma: float = 0.1, samples: int = 32) -> Tensor:
    """The perturbed optimizer: as many sorts as ours, each with a noise of its own, all at once. Ties are not looked at."""
    return _Perturbed.apply(scores, sigma, samples)


def _ranks(scores: Tensor) -> Tensor:
    order = scores.argsort(dim=-1, descending=True)
    places = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype)
    return torch.empty_like(scores).scatter_(-1, order, places.expand_as(scores))


class _Projection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, strength: float, kl: bool) -> Tensor:
        from sklearn.isotonic import isotonic_regression

        line, order = (-scores.double() / strength).sort()
        places = np.arange(1, scores.shape[-1] + 1, dtype=np.float64)
        weights = places if kl else None
        levels = [np.exp(row) / places if kl else row - places for row in line.numpy()]
        fits = torch.from_numpy(np.stack([isotonic_regression(level, sample_weight=weights) for level in levels]))
        ranks = line.exp() / fits if kl else line - fits
        ctx.strength, ctx.kl = strength, kl
        ctx.save_for_backward(order, fits, ranks)
        return torch.empty_like(scores).scatter_(-1, order, ranks.to(scores.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        order, fits, ranks = ctx.saved_tensors
        weight = ranks if ctx.kl else torch.ones_like(ranks)
        g = grad.double().gather(-1, order)
        block = (fits.diff(dim=-1, prepend=fits[:, :1]) != 0).cumsum(-1)
        sums, sizes = (torch.zeros_like(g).scatter_add_(-1, block, x) for x in (weight * g, weight))
        back = weight * ((sums / sizes.clamp(min=1e-300)).gather(-1, block) - g) / ctx.strength
        return torch.empty_like(grad).scatter_(-1, order, back.to(grad.dtype)), None, None


def plain_projection(scores: Tensor, strength: float, *, kl: bool = False) -> Tensor:
    """fast-soft-sort's way: sort, isotonic regression list by list (the compiled one of scikit-learn), means over its blocks backward.

    The kl one is the same regression of e^z / p with the weights p, which overflows where scores spread over 700 strengths.
    """
    return _Projection.apply(scores, strength, kl)
