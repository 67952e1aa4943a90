"""Black-box AP: exact ranks forward, finite differences backward."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.checks import check_number, check_positive
from rankbook.losses.batch_loss import BatchLoss
from rankbook.ranks.pairs import count_exactly, leads
from rankbook.retrieval.blocks import in_blocks
from rankbook.retrieval.counts import leave_negatives
from rankbook.retrieval.gradients import Losses, Reduction, Scale
from rankbook.retrieval.positives import Group, Positives


class BlackBoxAPLoss(BatchLoss):
    r"""1 - AP with `blackbox_ranks`, on scores that a margin makes harder.

    The scores of the positives are lowered and those of the negatives raised by half of the margin: without it, a right order
    has no gradient even where it is right by a hair.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{1}{|P_q|} \sum_{k \in P_q} \frac{\mathrm{rank}^+(k)}{\mathrm{rank}(k)}

    The value is the exact 1 - AP of those scores. The gradient flows through the rank in the denominator, divided by the length
    n of the list; :math:`\mathrm{rank}^+`, among the positives, is held constant:

    .. math:: \frac{\partial \mathcal{L}}{\partial s} = \frac{1}{\lambda n} \left[ \mathrm{rk}\!\left(s + \lambda n\,
        \frac{\partial \mathcal{L}}{\partial \mathrm{rk}}\right) - \mathrm{rk}(s) \right]

    What comes in from above only scales it: a loss that is scaled (by a ``GradScaler``, say) keeps its direction.

    Args:
        strength: :math:`\lambda`, in units of the similarity for a unit of the gradient of the mean loss with respect to a rank
            divided by n; larger looks farther for an order that differs. `blackbox_ranks` does not divide: there it is ``strength * n``.
        margin: in units of the similarity, 0 for none.
        include_query: leave each query in its own gallery, as a positive.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost: :math:`O(B R M)` comparisons for :math:`R` positives a query, as only they have an upstream gradient: nothing is sorted.

    Raises:
        ValueError: ``strength`` not above 0, ``margin`` below 0; the rest as `SmoothAPLoss`.

    Source: RaMBO (1912.03500), values from ROADMAP's baseline, which ``include_query=True`` equals. Its code draws half-normal
    noise for the margin at every call; here it is fixed, so that the loss is a function of its input.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.BlackBoxAPLoss()(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.)
    """

    def __init__(self, strength: float = 4.0, margin: float = 0.02, *, include_query: bool = False, reduction: Reduction = "mean"):
        super().__init__(include_query=include_query, reduction=reduction)
        self.strength, self.margin = check_positive("strength", strength), check_number("margin", margin, at_least=0)

    def compute(self, positives: Positives, scale: Scale, wanted: bool) -> Losses:
        return in_blocks(_BlackBoxAP(self.strength, self.margin), positives, scale, wanted)


class _BlackBoxAP(NamedTuple):
    """The losses of a block of queries: see `rankbook.retrieval.blocks.BlockLoss`.

    AP of exact ranks. Each positive is moved against the gradient of its rank, and the ranks that change are the gradient of the
    scores. Only positives move, so a negative's rank changes by the number of positives that pass it: comparisons suffice.
    """

    strength: float
    margin: float

    def __call__(self, scores: Tensor, group: Group, total: int | Tensor, wanted: bool) -> Tensor:
        strength = self.strength * group.gallery_sizes(scores)  # for ranks that are not divided by n
        positives = leave_negatives(scores.add_(self.margin / 2), group) - self.margin
        among = count_exactly(positives, positives)
        rank = among + count_exactly(scores, positives)
        share = group.shares(scores.dtype)
        losses = 1 - (share * among / rank).sum(1)
        if wanted:
            to_rank = share * among / rank.square() / total
            moved = positives + strength * to_rank
            change = _ranks(moved, moved)[0] - _ranks(positives, positives)[0]  # among the positives, which all move
            after, pushed_after = _ranks(scores, moved)
            before, pushed_before = _ranks(scores, positives)
            change += after - before
            torch.sub(pushed_before, pushed_after, out=scores)  # a positive that passes a negative pushes it down by one rank
            scores.scatter_(1, group.places, change).mul_(total / strength)
        return losses


def _ranks(others: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """How many of the others [q, m] are ahead of each item [q, R], and of how many items each other is ahead; 1/2 at a tie."""
    of_items, of_others = torch.empty_like(items), torch.zeros_like(others)
    for block, part, lead in leads(others, items):
        ahead = lead.sign_().add_(1).mul_(0.5)
        of_items[block, part] = ahead.sum(2)
        of_others[block] += ahead.sum(1)
    return of_items, of_others
