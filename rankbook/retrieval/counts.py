"""Ranks at the positives only, and losses that stand on them, in blocks, with the gradient by hand.

A retrieval metric reads the ranks of the positives and of nothing else, and such a rank splits in two:

    rank(k) = rank among the positives (k)  +  sum over the negatives j of H(s_j - s_k).

The first part is a short list. The second is the cost: one step function (`rankbook.ranks.steps`) for each (query, positive,
gallery item). It is computed a block of queries at a time, and so is its slope: nothing of size B^3 (or B^2) is ever stored.
"""

from __future__ import annotations

import inspect
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from rankbook.ranks.crossed import Crossed
from rankbook.ranks.steps import Step
from rankbook.retrieval.positives import Group
from rankbook.types import MetricFn, RankFn


class Head(Protocol):
    """What stands on the ranks: the losses of some queries and their gradients."""

    def __call__(self, scores: Tensor, group: Group, negatives_above: Tensor, wanted: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, negatives above [queries, positives] -> losses [queries], d loss / d scores, d loss / d negatives above.

        The relevance and the shares of the positives are the group's. The derivatives are not read unless they are ``wanted``.
        """


class MetricHead(NamedTuple):
    """Any metric with any ranker for the positives, differentiated by autograd: short lists, so it costs little."""

    metric: MetricFn
    rank_fn: RankFn

    def __call__(self, scores: Tensor, group: Group, negatives_above: Tensor, wanted: bool) -> tuple[Tensor, Tensor, Tensor]:
        weights = {} if group.weights is None else {"item_weights": group.weights}
        if weights and not takes(self.metric, "item_weights"):
            raise TypeError(f"item_weights: the metric {self.metric} takes none; give it an argument of this name, or leave them out")
        with torch.set_grad_enabled(wanted):
            leaves = scores.detach().requires_grad_(wanted), negatives_above.detach().requires_grad_(wanted)
            rank_fn = ranks_from_counts(self.rank_fn, leaves[1])
            losses = self.metric(leaves[0], group.relevance, rank_fn=rank_fn, reduction=_each_loss, **weights)
            if not wanted:
                return losses, *leaves
            grads = torch.autograd.grad(losses.sum(), leaves, allow_unused=True, materialize_grads=True)
        return losses.detach(), *grads


def ranks_from_counts(among_positives: RankFn, negatives_above: Tensor) -> RankFn:
    """A ranker for the short list of the positives: a rank is the one among them, and the negatives above it."""

    def rank_fn(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        among = among_positives(scores, relevance, where=where)
        return among + negatives_above.to(among.dtype) if where is None else among

    return rank_fn


def takes(metric: MetricFn, argument: str) -> bool:
    """Whether a metric has an argument of this name, or hands on whatever comes."""
    parameters = inspect.signature(metric).parameters
    return argument in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def _each_loss(values: Tensor, defined: Tensor) -> Tensor:
    return torch.where(defined, 1 - values, 0.0)


class RankLoss(NamedTuple):
    """The losses of a block of queries, from a step and a head: a `rankbook.retrieval.blocks.BlockLoss`."""

    step: Step
    head: Head

    def __call__(self, scores: Tensor, group: Group, total: int, wanted: bool) -> Tensor:
        at_positives = leave_negatives(scores, group)
        pairs = Crossed(scores, at_positives, self.step)
        above = pairs.count(slopes=wanted)
        losses, to_scores, to_above = self.head(at_positives, group, above, wanted)
        if not wanted:
            return losses
        weight = to_above * self.step.scale
        slope_sums = pairs.pull_(weight)
        scores.scatter_(1, group.places, torch.addcmul(to_scores, weight, slope_sums, value=-1))
        group.leave_out(scores, 0)
        return losses


def leave_negatives(scores: Tensor, group: Group) -> Tensor:
    """The scores of the positives [q, R]; in ``scores`` they, and the queries that are left out, are set to minus infinity."""
    at_positives = scores.gather(1, group.places)
    group.leave_out(scores.scatter_(1, group.places, -torch.inf), -torch.inf)
    return at_positives
