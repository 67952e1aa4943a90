"""The core of the batch losses: ranks at the positives only, in blocks, with the gradient by hand.

A retrieval metric reads the ranks of the positives and of nothing else, and such a rank splits in two:

    rank(k) = rank among the positives (k)  +  sum over the negatives j of H(s_j - s_k).

The first part is a short list. The second is the cost: one step function for each (query, positive, gallery item). It is
computed a block of queries at a time, together with its slope, so that nothing of size B^3 (or B^2) is ever stored.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankbook.losses.batch import Batch, queries_by_positives, warn_no_positive
from rankbook.metrics.reduction import reduce_lists
from rankbook.types import MetricFn, RankFn

_ROWS = 256  # queries whose scores are computed by one matrix product: thin blocks waste the product, thick ones memory
_ELEMENTS = 1 << 18  # steps computed at a time: 1 MiB of float32, which stays in the cache
_TINY = 256  # width below which a batched matrix product does not pay


class Step(Protocol):
    """The step function H of the negatives."""

    def __call__(self, leads: Tensor) -> Tensor:
        """Overwrite ``leads`` (s_j - s_k) ``[..., m]`` by the slope of H there; return the sum of H over the last axis.

        A lead of minus infinity marks an item that is not there: value and slope are 0.
        """


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
    return _FusedLoss.apply(batch.queries, batch.gallery, batch, step, head, include_query)


class _FusedLoss(torch.autograd.Function):
    """Loss and gradient in one pass; backward only scales."""

    @staticmethod
    def forward(ctx, queries: Tensor, gallery: Tensor, batch: Batch, step: Step, head: Head, include_query: bool) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        loss, count = queries.new_zeros(()), 0
        grad_queries = torch.zeros_like(queries) if wanted else None
        # one tensor for both roles when the batch is its own gallery
        grad_gallery = grad_queries if batch.own_gallery or not wanted else torch.zeros_like(gallery)
        limit = min(_ROWS, max(128, len(gallery) // 4))
        for rows, places, relevance in queries_by_positives(batch, include_query=include_query, limit=limit):
            count += len(rows)
            some = queries.index_select(0, rows)
            scores = some @ gallery.T  # [queries, m]
            at_positives = scores.gather(1, places)
            scores.scatter_(1, places, -torch.inf)  # leaves the negatives
            if batch.own_gallery and not include_query:
                scores.scatter_(1, rows[:, None], -torch.inf)
            part_loss, positive_grad = _rank_block(scores, at_positives, relevance, step, head, wanted)
            loss += part_loss
            if wanted:
                grad_scores = scores.scatter_(1, places, positive_grad)
                grad_queries.index_add_(0, rows, grad_scores @ gallery)
                grad_gallery.addmm_(grad_scores.T, some)
        if count == 0:
            warn_no_positive()
        scale = 1 / max(count, 1)
        ctx.own_gallery = batch.own_gallery
        if wanted:
            ctx.save_for_backward(grad_queries.mul_(scale), None if batch.own_gallery else grad_gallery.mul_(scale))
        return loss * scale

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_loss: Tensor):
        grad_queries, grad_gallery = ctx.saved_tensors
        return grad_loss * grad_queries, None if ctx.own_gallery else grad_loss * grad_gallery, None, None, None, None


def _rank_block(
    scores: Tensor, at_positives: Tensor, relevance: Tensor, step: Step, head: Head, wanted: bool
) -> tuple[Tensor, Tensor | None]:
    """Loss of some queries and its gradient: that of the positives [queries, R] is returned, that of the negatives overwrites
    their scores [queries, m]."""
    m, count = scores.shape[1], at_positives.shape[1]
    loss = scores.new_zeros(())
    positive_grad = torch.empty_like(at_positives) if wanted else None
    together = max(1, _ELEMENTS // (m * count))  # queries at a time
    positives = min(count, max(1, _ELEMENTS // m))  # and positives at a time, when one query alone is too large
    buffer = scores.new_empty(min(together, len(scores)), positives, m)

    def leads(block: slice, ks: slice) -> Tensor:
        s, k = scores[block], at_positives[block, ks]
        return torch.sub(s.unsqueeze(1), k.unsqueeze(2), out=buffer[: s.shape[0], : k.shape[1]])

    for first in range(0, len(scores), together):
        block = slice(first, first + together)
        chunks = [slice(k, k + positives) for k in range(0, count, positives)]
        above = torch.cat([step(leads(block, ks)) for ks in chunks], dim=1)
        block_loss, to_scores, to_above = head(at_positives[block], relevance[block], above)
        loss += block_loss
        if not wanted:
            continue
        block_grad = 0.0
        for ks in chunks:
            slope = buffer[: len(above)]
            if len(chunks) > 1:  # the buffer holds the last chunk only
                slope = leads(block, ks)
                step(slope)
            weight = to_above[:, ks]
            positive_grad[block, ks] = torch.addcmul(to_scores[:, ks], weight, slope.sum(-1), value=-1)
            block_grad = block_grad + _sum_over_positives(weight, slope)
        scores[block] = block_grad  # they are not needed again
    return loss, positive_grad


def _sum_over_positives(weight: Tensor, slope: Tensor) -> Tensor:
    """[queries, R] x [queries, R, m] -> [queries, m]; overwrites ``slope``."""
    if slope.shape[2] < _TINY:  # many tiny matrix products cost more than one pass over the block
        return slope.mul_(weight.unsqueeze(2)).sum(1)
    return torch.bmm(weight.unsqueeze(1), slope).squeeze(1)
