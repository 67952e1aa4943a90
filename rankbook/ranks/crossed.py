"""Scores that meet thresholds: what stands above each threshold, and what pulls each score. By kernels on a GPU, else in blocks."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.ranks import fused
from rankbook.ranks.pairs import count, leads
from rankbook.ranks.steps import Step

_TINY = 256  # width below which a batched matrix product does not pay


class Crossed:
    """Scores ``[q, m]`` against thresholds ``[q, R]``. The scores are overwritten.

    In blocks the leads are computed twice, for the counts and for the slopes, a buffer at a time: they are too many to keep.
    """

    def __init__(self, scores: Tensor, thresholds: Tensor, step: Step):
        self.scores, self.thresholds, self.step = scores, thresholds, step
        self.scaled = False

    def count(self, *, slopes: bool) -> Tensor:
        """The sum of the step over the scores, for each threshold: [q, R]. ``slopes``: `pull_` comes next."""
        found = fused.by_kernels(self.step, self.scores, lambda formula: fused.sums(self.scores, self.thresholds, formula, slopes=slopes))
        if found is None:
            self._scale()
            return count(self.scores, self.thresholds, 1.0, self.step.sums)
        counts, self.slope_sums = found
        return counts

    def pull_(self, weights: Tensor) -> Tensor:
        """Overwrite each score s_j by the sum over the thresholds t_k of weight_k times the slope at s_j - t_k, and return the
        sums of the slopes over the scores: [q, R]. Slopes are those of the scaled leads."""
        if not self.scaled:
            pull = lambda formula: fused.pull(self.scores, self.thresholds, weights, formula, out=self.scores)  # noqa: E731
            if fused.by_kernels(self.step, self.scores, pull) is not None:
                return self.slope_sums
        self._scale()
        slope_sums, pulled = torch.empty_like(weights), None
        for block, part, lead in leads(self.scores, self.thresholds):
            slopes = self.step.slopes_(lead)
            slope_sums[block, part] = slopes.sum(-1)
            more = _sum_over_thresholds(weights[block, part], slopes)
            pulled = more if part.start == 0 else pulled.add_(more)
            if part.stop >= weights.shape[1]:
                self.scores[block] = pulled  # they are not needed again
        return slope_sums

    def _scale(self) -> None:
        """Once for all pairs."""
        if not self.scaled:
            self.scores.mul_(self.step.scale)
            self.thresholds, self.scaled = self.thresholds * self.step.scale, True


def count_steps(columns: Tensor, rows: Tensor, step: Step) -> Tensor:
    """The sum of the step over the columns ``[lists, n]``, for each of the rows: [lists, m]."""
    found = fused.by_kernels(step, rows, lambda formula: fused.sums(columns, rows, formula, slopes=False)[0])
    return count(columns, rows, step.scale, step.sums) if found is None else found


def pull_together(scores: Tensor, weights: Tensor, step: Step) -> Tensor:
    """What the weights of the ranks of a list do to its scores ``[q, n]``, by a step with an even slope:
    for each score s_j the sum over the others of (weight_k - weight_j) times the slope at s_j - s_k, of the scaled leads."""
    pulled = fused.by_kernels(step, scores, lambda formula: fused.pull(scores, scores, weights, formula, own=weights))
    if pulled is None:
        pulled = torch.empty_like(scores)
        for lists, block, lead in leads(scores, scores, step.scale):
            apart = weights[lists].unsqueeze(1) - weights[lists, block].unsqueeze(2)
            pulled[lists, block] = step.slopes_(lead).mul_(apart).sum(2)
    return pulled


def _sum_over_thresholds(weights: Tensor, slopes: Tensor) -> Tensor:
    """[q, R] x [q, R, m] -> [q, m]; overwrites ``slopes``."""
    if slopes.shape[2] < _TINY:  # many tiny matrix products cost more than one pass over the block
        return slopes.mul_(weights.unsqueeze(2)).sum(1)
    return torch.bmm(weights.unsqueeze(1), slopes).squeeze(1)
