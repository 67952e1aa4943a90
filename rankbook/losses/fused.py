"""The core of the batch losses: ranks at the positives only, in blocks, with the gradient by hand.

A retrieval metric reads the ranks of the positives and of nothing else, and such a rank splits in two:

    rank(k) = rank among the positives (k)  +  sum over the negatives j of H(s_j - s_k).

The first part is a short list. The second is the cost: one step function for each (query, positive, gallery item). It is
computed a block of queries at a time, and so is its slope: nothing of size B^3 (or B^2) is ever stored.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from rankbook.losses.batch import Batch
from rankbook.losses.blocks import mean_loss
from rankbook.metrics.reduction import reduce_lists
from rankbook.types import MetricFn, RankFn

_ELEMENTS = 1 << 18  # steps computed at a time: 1 MiB of float32, which stays in the cache
_TINY = 256  # width below which a batched matrix product does not pay


class Step(Protocol):
    """The step function H of the negatives."""

    scale: float
    """What the leads s_j - s_k are multiplied by before they come: the scores of a block are scaled once, not pair by pair."""

    def sums(self, leads: Tensor) -> Tensor:
        """Sum of H over the last axis of the scaled ``leads`` ``[..., m]``, which may be overwritten.

        A lead of minus infinity marks an item that is not there: value and slope are 0.
        """

    def slopes_(self, leads: Tensor) -> Tensor:
        """Overwrite the scaled ``leads`` by the slope of H there."""


class Head(Protocol):
    """What stands on the ranks: the sum of the losses of some queries and its gradient."""

    def __call__(self, scores: Tensor, relevance: Tensor, negatives_above: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, relevance, negatives above [queries, positives] -> loss, d loss / d scores, d loss / d negatives above."""


class MetricHead(NamedTuple):
    """Any metric with any ranker for the positives, differentiated by autograd: short lists, so it costs little."""

    metric: MetricFn
    rank_fn: RankFn

    def __call__(self, scores: Tensor, relevance: Tensor, negatives_above: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            scores, negatives_above = scores.detach().requires_grad_(), negatives_above.detach().requires_grad_()

            def rank_fn(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
                among_positives = self.rank_fn(scores, relevance, where=where)
                return among_positives + negatives_above if where is None else among_positives

            loss = self.metric(scores, relevance, rank_fn=rank_fn, reduction=_sum_of_losses)
            grads = torch.autograd.grad(loss, (scores, negatives_above), allow_unused=True, materialize_grads=True)
        return loss.detach(), *grads


def _sum_of_losses(values: Tensor, defined: Tensor) -> Tensor:
    return reduce_lists(1 - values, defined, "sum")


def fused_loss(batch: Batch, step: Step, head: Head, *, include_query: bool) -> Tensor:
    """Mean loss over the queries that have a positive."""
    return mean_loss(batch, _RankLoss(step, head), include_query=include_query)


class _RankLoss(NamedTuple):
    """The loss of a block of queries, from a step and a head."""

    step: Step
    head: Head

    def __call__(self, scores: Tensor, places: Tensor, relevance: Tensor, absent: Tensor | None, wanted: bool) -> Tensor:
        """As `BlockLoss`. The leads are computed twice, for the ranks and for the slopes, a buffer at a time: that costs less
        than a call of the head for each buffer would."""
        at_positives = scores.gather(1, places)
        scores.scatter_(1, places, -torch.inf)  # leaves the negatives
        if absent is not None:
            scores.scatter_(1, absent, -torch.inf)
        scores.mul_(self.step.scale)
        thresholds = at_positives * self.step.scale
        (count, m), some = scores.shape, places.shape[1]
        together = min(count, max(1, _ELEMENTS // (m * some)))  # queries at a time
        positives = min(some, max(1, _ELEMENTS // m))  # and positives at a time, when one query alone is too large
        parts = [slice(k, k + positives) for k in range(0, some, positives)]
        blocks = [slice(q, q + together) for q in range(0, count, together)]
        buffer = scores.new_empty(together, positives, m)

        def leads(block: slice, part: slice) -> Tensor:
            s, k = scores[block], thresholds[block, part]
            return torch.sub(s.unsqueeze(1), k.unsqueeze(2), out=buffer[: k.shape[0], : k.shape[1]])

        above = torch.empty_like(at_positives)
        for block in blocks:
            for part in parts:
                above[block, part] = self.step.sums(leads(block, part))
        loss, to_scores, to_above = self.head(at_positives, relevance, above)
        if not wanted:
            return loss
        weight, slope_sums = to_above * self.step.scale, torch.empty_like(above)
        for block in blocks:
            grad = None
            for part in parts:
                slopes = self.step.slopes_(leads(block, part))
                slope_sums[block, part] = slopes.sum(-1)
                more = _sum_over_positives(weight[block, part], slopes)
                grad = more if grad is None else grad.add_(more)
            scores[block] = grad  # they are not needed again
        scores.scatter_(1, places, torch.addcmul(to_scores, weight, slope_sums, value=-1))
        return loss


def _sum_over_positives(weight: Tensor, slope: Tensor) -> Tensor:
    """[queries, R] x [queries, R, m] -> [queries, m]; overwrites ``slope``."""
    if slope.shape[2] < _TINY:  # many tiny matrix products cost more than one pass over the block
        return slope.mul_(weight.unsqueeze(2)).sum(1)
    return torch.bmm(weight.unsqueeze(1), slope).squeeze(1)
