"""A sorter that goes on learning, from the scores that a model sends through it."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import torch
from torch import Tensor, nn

from rankbook.checks import check_count, check_positive, check_scores
from rankbook.precision import gradients
from rankbook.ranks import exact_ranks


class UpdatingSorter(nn.Module):
    r"""A sorter that learns along with a model: it remembers the scores that pass through, and ``update()`` fits it to them.

    The scores of a model need not look like those that the sorter was trained on. `update` takes, for each remembered batch,
    one Adam step on

    .. math:: \frac{1}{n^2} \sum_i \left| f_\Theta(s)_i - \mathrm{rk}(s)_i \right|,

    and forgets the batch. In between the sorter is frozen, in evaluation mode (a batch normalization keeps its statistics), and
    ranks as it would alone: no gradient of the task's loss reaches its weights, while the scores get theirs.

    Args:
        sorter: a ranker with weights, such as `load_sorter` returns. **It is frozen, and changes in place.**
        lr: of Adam. Larger follows the scores faster, and risks what the sorter knew: only the error is trained, and a smaller
            error is not a better gradient (see `rank_descent`).
        lists: how many lists are remembered at most; older batches are dropped whole.

    Call it like any ranker, with any number of items that the sorter takes; it remembers in training mode only. Call
    ``update()`` after ``loss.backward()``, which still needs the old weights. To train a sorter through the task's loss instead,
    leave this class out and call ``sorter.requires_grad_(True)``.

    ``state_dict`` holds the weights, Adam's moments and the remembered lists, so that a resumed run ends in the same bits. With
    several processes, each one would learn from its own lists and drift from the others.

    Cost: that of the sorter; memory for ``lists`` times n scores. An update costs a forward and a backward pass for each batch.

    Raises:
        TypeError: ``sorter`` has no weights.
        ValueError: ``lr`` or ``lists`` is not above 0.
        RuntimeError: `update` finds nothing remembered.

    Source: SoDeep (CVPR 2019), section 3.2.1, and its released code: one step for each batch at a learning rate of 1e-5.

    >>> sorter = rb.UpdatingSorter(rb.KnotSorter(), lr=1e-3)
    >>> loss = rb.RankLoss(rb.average_precision, sorter)
    >>> scores = torch.rand(4, 50, generator=torch.Generator().manual_seed(0)) ** 4
    >>> errors = []
    >>> for _ in range(20):
    ...     _ = loss(scores, scores > 0.5)
    ...     errors.append(sorter.update())
    >>> errors[-1] < errors[0]
    True
    """

    def __init__(self, sorter: nn.Module, *, lr: float = 1e-5, lists: int = 1024):
        super().__init__()
        if not isinstance(sorter, nn.Module) or next(sorter.parameters(), None) is None:
            raise TypeError(f"sorter must be a module with weights, such as rb.load_sorter returns, got {type(sorter).__name__}")
        lists, lr = check_count("lists", lists), check_positive("lr", lr)
        self.sorter = sorter.eval().requires_grad_(False)
        self.lists = lists
        self._adam = torch.optim.Adam(sorter.parameters(), lr=lr)
        self._batches: deque[tuple[Tensor, Tensor | None]] = deque()

    def train(self, mode: bool = True) -> UpdatingSorter:
        super().train(mode)
        self.sorter.eval()
        return self

    def forward(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        """Scores ``[..., n]`` -> ranks ``[..., n]``, those of the sorter."""
        ranks = self.sorter(scores, relevance, where=where)
        if self.training:
            self._remember(*check_scores(scores.detach(), where))
        return ranks

    def _remember(self, scores: Tensor, where: Tensor | None) -> None:
        # copies: the caller may write into the scores before the update
        newest = [None if x is None else x.reshape(-1, x.shape[-1])[-self.lists :].clone() for x in (scores, where)]
        self._batches.append(tuple(newest))
        while sum(len(scores) for scores, _ in self._batches) > self.lists:
            self._batches.popleft()

    def update(self) -> float:
        """One Adam step for each remembered batch, the oldest first; then forget them all.

        Returns: the mean error before each step, as a share of n, see `rank_error`.
        """
        if not self._batches:
            raise RuntimeError(
                "nothing is remembered: pass scores through this sorter in training mode before update(); try sorter.train()"
            )
        self._adam.load_state_dict(self._adam.state_dict())  # the moments follow the weights to another device or dtype
        weights = list(self.sorter.parameters())
        outside = [(weight.requires_grad, weight.grad) for weight in weights]
        self.sorter.requires_grad_(True)
        errors = []
        try:
            for scores, where in self._batches:
                self._adam.zero_grad()
                with gradients():
                    error = self._error(scores.to(weights[0].device), where if where is None else where.to(weights[0].device))
                    error.backward()
                    self._adam.step()
                errors.append(error.item())
        finally:
            for weight, (trains, grad) in zip(weights, outside, strict=True):
                weight.requires_grad_(trains).grad = grad
        self._batches.clear()
        return sum(errors) / len(errors)

    def _error(self, scores: Tensor, where: Tensor | None) -> Tensor:
        distance = (self.sorter(scores, where=where) - exact_ranks(scores, where=where, ties="average")).abs().sum(-1)
        if where is None:
            return distance.mean() / scores.shape[-1] ** 2
        count = where.sum(-1)
        return (distance / count.clamp(min=1).square()).sum() / (count > 0).sum().clamp(min=1)

    def get_extra_state(self) -> dict[str, Any]:
        return {"adam": self._adam.state_dict(), "batches": list(self._batches)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        state = copy.deepcopy(state)  # Adam would go on writing into the moments that it is given
        self._adam.load_state_dict(state["adam"])
        self._batches = deque(state["batches"])

    def extra_repr(self) -> str:
        return f"lr={self._adam.defaults['lr']}, lists={self.lists}"
