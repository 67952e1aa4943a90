"""Ranking by a score where the contenders differ in their batches, and in the lists that the loss reads of one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from rankbook.experiments.tasks.score import Scorer, ScoreRanking


class InLists(nn.Module):
    """A loss on scores, and the batch that it is trained with: several lists of one length, drawn at random.

    Args:
        loss: (scores, target) -> loss, of ``[lists, long]``.
        lists: of a batch.
        long: items of a list.

    >>> from rankbook.experiments.tasks.score_batches import InLists
    >>> scores, target = torch.tensor([4.0, 3.0, 1.0, 2.0]), torch.tensor([5.0, 3.0, 9.0, 8.0])
    >>> InLists(rb.SpearmanLoss(rb.exact_ranks), 1, 4)(scores, target), InLists(rb.SpearmanLoss(rb.exact_ranks), 2, 2)(scores, target)
    (tensor(0.2812), tensor(0.1250))
    """

    def __init__(self, loss: nn.Module, lists: int, long: int):
        super().__init__()
        self.loss, self.lists, self.long = loss, lists, long

    @property
    def batch(self) -> int:
        return self.lists * self.long

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        return self.loss(scores.view(self.lists, self.long), target.view(self.lists, self.long))


@dataclass(frozen=True)
class ScoreBatches(ScoreRanking):
    """`ScoreRanking` by losses that are `InLists`; ``batch`` is that of the study's steps, and every loss sees as many items."""

    batch: int = 128

    def fit(self, loss: InLists, *, lr: float, steps: int, seed: int) -> Scorer:
        """As `ScoreRanking.fit`, in batches of the loss."""
        task = replace(self, batch=loss.batch)
        return ScoreRanking.fit(task, loss, lr=lr, steps=round(steps * self.batch / loss.batch), seed=seed)
