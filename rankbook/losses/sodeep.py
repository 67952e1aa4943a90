"""SoDeep's losses of a list: formulas of ranks that take any ranker, a learned sorter among them.

Ranks enter divided by the length of the list, as in the paper, so that losses of lists of different length compare.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_callable, check_lists, check_relevance, check_scores
from rankbook.losses.score_loss import ScoreLoss
from rankbook.metrics.ranking import check_ranks
from rankbook.precision import full_precision
from rankbook.ranks.exact import exact_ranks, same_order
from rankbook.types import RankFn


class LossOfRanks(ScoreLoss):
    """A loss that owns its ranker: a learned sorter moves, saves and trains with it."""

    def __init__(self, ranker: RankFn, *, reduction: str = "mean"):
        super().__init__(reduction=reduction)
        self.ranker = check_callable("ranker", ranker)

    def rank(self, scores: Tensor, *relevance: Tensor, where: Tensor | None = None) -> Tensor:
        mask = {} if where is None else {"where": where}  # a ranker of yours that knows no mask serves whole lists
        return check_ranks("ranker", self.ranker(scores, *relevance, **mask), scores, where)


class SpearmanLoss(LossOfRanks):
    r"""Mean squared difference between the ranks of the scores and the ranks of a target.

    .. math:: \mathcal{L} = \frac{1}{n} \sum_i \Big(\frac{r_i(s) - r_i(t)}{n}\Big)^2

    Without ties it is :math:`(1 - \rho)\,(n^2 - 1) / (6 n^2)` for Spearman's :math:`\rho`: minimizing one maximizes the other.

    Args:
        ranker: any ranker; a module is registered, so that it moves and saves with the loss.
        reduction: ``"mean"`` or ``"sum"`` over the lists, ``"none"``.

    Call with ``(scores[..., n], target[..., n], *, where=None, query_weights=None)``, at least two items a list; tied targets share
    the middle rank. ``where`` marks the present items: :math:`n` is how many a list has, and a list with fewer than two does not count
    (0 under ``"none"``; if there is no other, the loss is 0 with a warning). ``query_weights`` has one weight of at least 0 for each list.

    Source: SoDeep (CVPR 2019, eq. 4), with the mean of its code in the place of the sum.

    >>> rb.SpearmanLoss(partial(rb.sigmoid_ranks, tau=0.01))(torch.tensor([0.1, 0.3, 0.2]), torch.tensor([1.0, 2.0, 3.0]))
    tensor(0.0741)
    """

    @full_precision
    def forward(self, scores: Tensor, target: Tensor, *, where: Tensor | None = None, query_weights: Tensor | None = None) -> Tensor:
        scores, where = check_scores(scores, where)
        check_order(scores)
        target = same_order(check_relevance(target, scores, where, name="target", exact=True), scores)
        length = _length(scores, where)
        difference = (self.rank(scores, where=where) - exact_ranks(target, where=where, ties="average")) / length.clamp(min=1)
        squares = difference.square() if where is None else difference.square().masked_fill(~where, 0.0)
        length = length.squeeze(-1)
        return self.reduce(squares.sum(-1) / length.clamp(min=1), length >= 2, query_weights, "where leaves no list with two items")


class MeanRankLoss(LossOfRanks):
    r"""The sum of the positives' ranks: what SoDeep trains in the place of mAP.

    .. math:: \mathcal{L} = \frac{1}{C} \sum_{c} \sum_{i \in P_c} \frac{r_i(s_c)}{n}

    It is not average precision: for fixed class counts it is an affine function of the area under the ROC curve, which weighs
    every inversion alike, at the top of the list and at the bottom.

    Args:
        ranker: any ranker.
        reduction: ``"mean"`` or ``"sum"`` over the lists that count, ``"none"`` (0 for the others).

    Call with ``(scores[..., n], relevance[..., n], *, where=None, query_weights=None)``, one list a class, at least two items a list;
    :math:`n` is the number of present items. A list counts if it has a positive and two items (none does: 0 with zero gradient and a
    warning). A perfect ranking gives :math:`P (P + 1) / (2 n)`, not 0. ``query_weights`` has one weight of at least 0 for each list.

    Source: SoDeep (CVPR 2019, eq. 7); the average over lists is ours.

    >>> rb.MeanRankLoss(partial(rb.sigmoid_ranks, tau=0.01))(torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([1, 0, 0, 1]))
    tensor(1.2500)
    """

    @full_precision
    def forward(self, scores: Tensor, relevance: Tensor, *, where: Tensor | None = None, query_weights: Tensor | None = None) -> Tensor:
        check_order(check_scores(scores, where)[0])
        scores, relevance, where = check_lists(scores, relevance, where, exact=True)
        positive = relevance > 0
        length = _length(scores, where)
        shares = torch.where(positive, self.rank(scores, positive, where=where) / length.clamp(min=1), 0.0)
        defined = positive.any(-1) & (length.squeeze(-1) >= 2)
        return self.reduce(shares.sum(-1), defined, query_weights, "relevance has no positive in any list")


def _length(scores: Tensor, where: Tensor | None) -> Tensor:
    """The number of present items ``[..., 1]``."""
    if where is None:
        return torch.full_like(scores[..., :1], scores.shape[-1], requires_grad=False)
    return where.sum(-1, keepdim=True).to(scores.dtype)


def check_order(scores: Tensor) -> Tensor:
    """Return the scores if their lists have an order: one item has none, and its loss no gradient."""
    if scores.shape[-1] == 1:
        way_out = (
            f"a batch in columns {tuple(scores.shape)}, as a Linear(d, 1) gives, is one list of {scores.shape[-2]} items after "
            "scores.squeeze(-1)"
            if scores.dim() > 1
            else "hand over all items of the list at once"
        )
        raise ValueError(f"scores must have lists [..., n] of at least two items, got shape {tuple(scores.shape)}; {way_out}")
    return scores
