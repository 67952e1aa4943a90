"""SoDeep's losses: formulas of ranks that take any ranker, a learned sorter among them.

Ranks enter divided by the length of the list, as in the paper, so that losses of lists of different length compare.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_callable, check_lists, check_number, check_relevance, check_scores, reads_values, warn
from rankbook.metrics.ranking import check_ranks
from rankbook.precision import full_precision
from rankbook.ranks.exact import exact_ranks, same_order
from rankbook.types import RankFn


class _LossOfRanks(nn.Module):
    """A loss that owns its ranker: a learned sorter moves, saves and trains with it."""

    def __init__(self, ranker: RankFn):
        super().__init__()
        self.ranker = check_callable("ranker", ranker)

    def rank(self, scores: Tensor, *relevance: Tensor) -> Tensor:
        return check_ranks("ranker", self.ranker(scores, *relevance), scores, None)


class SpearmanLoss(_LossOfRanks):
    r"""Mean squared difference between the ranks of the scores and the ranks of a target.

    .. math:: \mathcal{L} = \frac{1}{n} \sum_i \Big(\frac{r_i(s) - r_i(t)}{n}\Big)^2

    Without ties it is :math:`(1 - \rho)\,(n^2 - 1) / (6 n^2)` for Spearman's :math:`\rho`: minimizing one maximizes the other.

    Args:
        ranker: any ranker; a module is registered, so that it moves and saves with the loss.

    Call with ``(scores[..., n], target[..., n])``, at least two items a list; tied targets share the middle rank.

    Source: SoDeep (CVPR 2019, eq. 4), with the mean of its code in the place of the sum.

    >>> rb.SpearmanLoss(partial(rb.sigmoid_ranks, tau=0.01))(torch.tensor([0.1, 0.3, 0.2]), torch.tensor([1.0, 2.0, 3.0]))
    tensor(0.0741)
    """

    @full_precision
    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        scores = _check_order(check_scores(scores)[0])
        target = same_order(check_relevance(target, scores, None, name="target", exact=True), scores)
        difference = self.rank(scores) - exact_ranks(target, ties="average")
        return (difference / scores.shape[-1]).square().mean()


class MeanRankLoss(_LossOfRanks):
    r"""The sum of the positives' ranks: what SoDeep trains in the place of mAP.

    .. math:: \mathcal{L} = \frac{1}{C} \sum_{c} \sum_{i \in P_c} \frac{r_i(s_c)}{n}

    It is not average precision: for fixed class counts it is an affine function of the area under the ROC curve, which weighs
    every inversion alike, at the top of the list and at the bottom.

    Args:
        ranker: any ranker.

    Call with ``(scores[..., n], relevance[..., n])``, one list a class, at least two items a list; the sums are averaged over
    the lists that have a positive (none: 0 with zero gradient and a warning). A perfect ranking gives :math:`P (P + 1) / (2 n)`, not 0.

    Source: SoDeep (CVPR 2019, eq. 7); the average over lists is ours.

    >>> rb.MeanRankLoss(partial(rb.sigmoid_ranks, tau=0.01))(torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([1, 0, 0, 1]))
    tensor(1.2500)
    """

    @full_precision
    def forward(self, scores: Tensor, relevance: Tensor) -> Tensor:
        _check_order(check_scores(scores)[0])
        scores, relevance, _ = check_lists(scores, relevance, None, exact=True)
        positive = relevance > 0
        sums = torch.where(positive, self.rank(scores, positive), 0.0).sum(-1) / scores.shape[-1]
        count = positive.any(-1).sum()
        if reads_values(count) and count == 0:
            warn("relevance has no positive in any list: the loss is 0 and teaches nothing")
        return sums.sum() / count.clamp(min=1)


class HardNegativeRankLoss(_LossOfRanks):
    r"""A triplet loss on ranks for matching pairs, such as images and their captions, in both directions.

    .. math:: \mathcal{L} = \frac{1}{2B} \sum_i \Big( \max_{c \ne i} \big[\alpha + \tfrac{r_{ii} - r_{ic}}{B}\big]_+
        + \max_{c \ne i} \big[\alpha + \tfrac{r'_{ii} - r'_{ci}}{B}\big]_+ \Big)

    where :math:`r` ranks the rows of the score matrix and :math:`r'` its columns; the pair (i, i) is the positive.

    Args:
        ranker: any ranker.
        margin: :math:`\alpha` in normalized ranks: 1/B is one place. The paper does not give it; its code has an argument of
            0.2 that it ignores, and one place in its stead.

    Call with ``scores[b, b]``, at least two pairs.

    Source: SoDeep (CVPR 2019, eq. 10), averaged over both directions.

    >>> rb.HardNegativeRankLoss(partial(rb.sigmoid_ranks, tau=0.01), margin=0.5)(torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    tensor(0.)
    """

    def __init__(self, ranker: RankFn, margin: float):
        super().__init__(ranker)
        self.margin = check_number("margin", margin, at_least=0)

    @full_precision
    def forward(self, scores: Tensor) -> Tensor:
        scores, _ = check_scores(scores)
        if scores.dim() != 2 or scores.shape[0] != scores.shape[1] or len(scores) < 2:
            raise ValueError(f"scores must be square, one row and one column for each of at least two pairs, got {tuple(scores.shape)}")
        return (self._one_way(scores) + self._one_way(scores.T.contiguous())) / 2

    def _one_way(self, scores: Tensor) -> Tensor:
        pair = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        ranks = self.rank(scores, pair) / len(scores)
        hardest = ranks.masked_fill(pair, torch.inf).amin(-1)  # the wrong item that ranks best
        return (self.margin + ranks.diagonal() - hardest).relu().mean()

    def extra_repr(self) -> str:
        return f"margin={self.margin}"


def _check_order(scores: Tensor) -> Tensor:
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
