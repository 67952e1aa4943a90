"""What RS@k does with the ranks of the positives, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.ranks.crossed import count_steps, pull_together
from rankbook.ranks.smooth import SigmoidStep


class RecallHead:
    """1 - recall at several k with soft cuts, each divided by the most that it can reach: `capped_recall` of sigmoid ranks.

    By hand, since autograd's hundred small operations take longer than everything else that the loss does on a GPU.
    """

    def __init__(self, step: SigmoidStep, k: tuple[int, ...], tau_rank: float):
        self.step, self.k, self.tau_rank = step, k, tau_rank

    def __call__(self, scores: Tensor, relevance: Tensor, negatives_above: Tensor, wanted: bool) -> tuple[Tensor, Tensor, Tensor]:
        ranks = 0.5 + count_steps(scores, scores, self.step) + negatives_above  # the item itself is in the sum with 1/2
        losses = torch.ones_like(scores[:, 0])
        to_ranks = torch.zeros_like(scores)
        for k in self.k:
            within = ranks.sub(k).div_(-self.tau_rank).sigmoid_()
            found = within.sum(1)
            share = 1 / (len(self.k) * min(k, scores.shape[1]))
            losses.sub_(found.clamp(max=k), alpha=share)
            if wanted:  # beyond k nothing is won any more
                slope = within.addcmul_(within, within, value=-1)
                to_ranks.addcmul_(slope, (found <= k).to(slope.dtype).unsqueeze(1), value=share / self.tau_rank)
        loss = losses.sum()
        if not wanted:
            return loss, scores, ranks
        return loss, pull_together(scores, to_ranks, self.step).mul_(self.step.scale), to_ranks
