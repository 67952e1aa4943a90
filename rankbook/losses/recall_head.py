"""What RS@k does with the ranks of the positives, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.metrics.weights import shares_of_largest
from rankbook.ranks.crossed import count_steps, pull_together
from rankbook.ranks.smooth import SigmoidStep
from rankbook.retrieval.positives import Group


class RecallHead:
    """1 - recall at several k with soft cuts, each divided by the most that it can reach: `capped_recall` of sigmoid ranks.

    By hand, since autograd's hundred small operations take longer than everything else that the loss does on a GPU.
    """

    def __init__(self, step: SigmoidStep, k: tuple[int, ...], tau_rank: float):
        self.step, self.k, self.tau_rank = step, k, tau_rank

    def __call__(self, scores: Tensor, group: Group, negatives_above: Tensor, wanted: bool) -> tuple[Tensor, Tensor, Tensor]:
        ranks = 0.5 + count_steps(scores, scores, self.step) + negatives_above  # the item itself is in the sum with 1/2
        worth = None if group.weights is None else shares_of_largest(group.weights, scores.dtype)
        losses = torch.ones_like(scores[:, 0])
        to_ranks = torch.zeros_like(scores)
        for k in self.k:
            within = ranks.sub(k).div_(-self.tau_rank).sigmoid_()
            found = within.sum(1) if worth is None else (within * worth).sum(1)
            k_at_most = min(k, scores.shape[1])
            most = found.new_full((), k_at_most) if worth is None else worth.topk(k_at_most).values.sum(1)
            losses.sub_(torch.minimum(found, most).div_(most), alpha=1 / len(self.k))
            if wanted:  # beyond the most that k places can hold nothing is won any more
                slope = within.addcmul_(within, within, value=-1)
                slope = slope if worth is None else slope.mul_(worth)
                to_ranks.addcmul_(slope, ((found <= most) / most).unsqueeze(1), value=1 / (len(self.k) * self.tau_rank))
        if not wanted:
            return losses, scores, ranks
        return losses, pull_together(scores, to_ranks, self.step).mul_(self.step.scale), to_ranks
