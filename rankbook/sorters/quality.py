"""Three questions to any ranker: how far are its ranks off, does its gradient lead to a goal, and whose gradient is it like?"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rankbook.checks import check_callable, check_count, check_positive, check_scores
from rankbook.precision import gradients
from rankbook.ranks import exact_ranks
from rankbook.types import RankFn


def rank_error(ranker: RankFn, scores: Tensor, *, chunk_size: int = 256) -> Tensor:
    r"""Mean distance from the exact ranks, as a share of n: :math:`\frac{1}{n^2} \sum_i |r_i - \mathrm{rk}_i|` for each list.

    Args:
        ranker: any.
        scores: ``[lists, n]``.
        chunk_size: lists at a time.

    Returns: ``[lists]``. Ties count with their average rank. An error of .0033 at n = 100 is a third of a place.

    Cost: one pass of the ranker without gradients, in the memory of ``chunk_size`` lists.

    Raises:
        ValueError: scores that are not finite; whatever the ranker refuses.

    Source: the L1 error of SoDeep's table 1.

    >>> rb.rank_error(partial(rb.sigmoid_ranks, tau=0.01), torch.tensor([[0.2, 0.9, 0.5]])) < 1e-6
    tensor([True])
    """
    check_callable("ranker", ranker)
    scores, chunk_size = _check_lists(scores), check_count("chunk_size", chunk_size)
    with torch.no_grad():
        parts = [(ranker(some) - exact_ranks(some, ties="average")).abs().mean(-1) for some in scores.split(chunk_size)]
    return torch.cat(parts) / scores.shape[-1]


def rank_descent(ranker: RankFn, *, n: int = 100, lists: int = 16, steps: int = 150, lr: float = 0.02, seed: int = 0) -> float:
    """Can gradient descent through this ranker bring scores into a given order? 1 is yes, 0 is chance.

    Scores from N(0, 1) are themselves the parameters. Adam moves them to bring the ranks to random goals, by the squared error of
    ranks / n; the answer is the mean Spearman correlation of the final scores with the goals.

    Args:
        ranker: any that has a gradient.
        n, lists: shape of the scores.
        steps, lr: of Adam. The scores can move by about ``steps * lr``, so that the end is a race, not a limit.
        seed: of the scores and the goals; the same for all rankers.

    Returns: a number up to 1. For the pair sigmoid at tau = 0.1 it is .99, at 0.01 about .9.

    Cost: ``steps`` forward and backward passes of ``lists`` lists, on the CPU.

    Raises:
        ValueError: ``n`` is below 2.
        RuntimeError: the ranker has no gradient.

    Source: ours. A small rank error does not mean a useful gradient; this asks the gradient itself.

    >>> bool(rb.rank_descent(partial(rb.sigmoid_ranks, tau=0.1), steps=50) > 0.5)
    True
    """
    check_callable("ranker", ranker)
    n = check_count("n", n, at_least=2)  # one item has nowhere to go
    lists, steps, lr = check_count("lists", lists), check_count("steps", steps), check_positive("lr", lr)
    generator = torch.Generator("cpu").manual_seed(check_count("seed", seed, at_least=0))
    draw = {"generator": generator, "device": "cpu", "dtype": torch.float32}  # whatever torch's defaults are
    with gradients():
        scores = torch.randn(lists, n, **draw).requires_grad_()
        goal = torch.rand(lists, n, **draw).argsort(-1).to(scores.dtype) + 1
        adam = torch.optim.Adam([scores], lr=lr)
        for _ in range(steps):
            scores.grad = _gradient("ranker", ranker, scores, lambda ranks: ((ranks - goal) / n).square().mean())
            adam.step()
    distance = (exact_ranks(scores.detach(), ties="average") - goal).square().sum(-1)
    return (1 - 6 * distance / (n * (n * n - 1))).mean().item()


def gradient_cosine(ranker: RankFn, reference: RankFn, scores: Tensor, *, seed: int = 0) -> Tensor:
    """Cosine between the gradients of two rankers, list by list.

    The gradient is that of the squared distance to a random goal, the one that `rank_descent` follows.

    Args:
        ranker, reference: any two that have gradients.
        scores: ``[lists, n]``.
        seed: of the goals.

    Returns: ``[lists]``, 1 if the gradients point the same way, 0 if one says nothing about the other (or is zero), -1 if they
    point apart.

    Cost: one forward and one backward pass of each ranker.

    Raises:
        ValueError: scores that are not finite.
        RuntimeError: a ranker has no gradient.

    Source: ours.

    >>> scores = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    >>> bool((rb.gradient_cosine(partial(rb.sigmoid_ranks, tau=0.3), partial(rb.laplace_ranks, tau=0.3), scores) > 0.9).all())
    True
    """
    check_callable("ranker", ranker)
    check_callable("reference", reference)
    scores = _check_lists(scores)
    generator = torch.Generator("cpu").manual_seed(check_count("seed", seed, at_least=0))
    draw = {"generator": generator, "device": "cpu", "dtype": torch.float32}
    with gradients():
        goal = torch.rand(scores.shape, **draw).argsort(-1).to(scores) + 1
        x = scores.detach().clone().requires_grad_()
        ours, theirs = (
            _gradient(name, one, x, lambda ranks: (ranks - goal).square().sum())
            for name, one in (("ranker", ranker), ("reference", reference))
        )
        return torch.nn.functional.cosine_similarity(ours, theirs, dim=-1)


def _gradient(name: str, ranker: RankFn, scores: Tensor, loss_of: Callable[[Tensor], Tensor]) -> Tensor:
    ranks = ranker(scores)
    if not ranks.requires_grad:
        raise RuntimeError(f"{name} has no gradient: its ranks do not say how they depend on the scores; look for detach(), or exact ranks")
    (gradient,) = torch.autograd.grad(loss_of(ranks), scores)
    return gradient


def _check_lists(scores: Tensor) -> Tensor:
    scores, _ = check_scores(scores)
    if scores.dim() != 2:
        raise ValueError(f"scores must have shape [lists, n], got {tuple(scores.shape)}; try scores.reshape(-1, scores.shape[-1])")
    return scores
