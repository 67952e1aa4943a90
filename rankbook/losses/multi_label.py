"""Losses of the labels of an instance: each pair of a relevant and an irrelevant one, or each label by itself, reweighted."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rankbook.checks import check_choice, check_lists
from rankbook.losses.listwise import grade_order
from rankbook.losses.pair_terms import pair_terms
from rankbook.losses.score_loss import ScoreLoss
from rankbook.precision import full_precision

Weighting = Literal["pa", "u1", "u2", "u3", "u4"]


class MultiLabelRankingLoss(ScoreLoss):
    r"""Surrogates of the ranking loss over the labels of an instance: pair-wise, or label by label with a weight that makes up for it.

    .. math::
        \begin{aligned}
        L_{pa} &= \frac{1}{|Y_+| |Y_-|} \sum_{p \in Y_+} \sum_{q \in Y_-} \ell(f_p - f_q), \qquad \ell(t) = \log(1 + e^{-t}) \\
        L_{u} &= \sum_{j=1}^{c} w_j\, \ell(y_j f_j), \qquad y_j = 1 \text{ for } j \in Y_+, \text{ else } -1
        \end{aligned}

    - ``"u1"``: :math:`w_j = 1 / c`, binary relevance.
    - ``"u2"``: :math:`1 / (|Y_+| |Y_-|)`, consistent for the ranking loss.
    - ``"u3"``: :math:`1 / |Y_+|` on relevant labels, :math:`1 / |Y_-|` on others: both kinds weigh alike.
    - ``"u4"``: :math:`1 / \min(|Y_+|, |Y_-|)`.

    For every instance, with RankLoss the share of its pairs in the wrong order (a tie is wrong),
    :math:`\mathrm{RankLoss} \le L_{u3} / \log 2`, and :math:`\mathrm{RankLoss} \le L_{pa} / \log 2`. If all instances have equally
    many relevant labels, u1, u2 and u4 differ by a factor only.

    Args:
        weighting: ``"pa"`` for pairs, else one of the four weights.
        reduction: ``"mean"`` or ``"sum"`` over the instances that have both kinds of labels, ``"none"`` (0 for the others).

    Call with ``(scores[..., c], relevance[..., c], *, where=None, query_weights=None)``: a label is relevant above 0; ``where`` says
    which labels are known, and the counts are those of the known ones. An instance with one kind of labels does not count; if there
    is no other, the loss is 0 with zero gradient and a warning. An offset of all scores changes the u-losses, which have a threshold
    at 0, and leaves pa as it is.

    Cost: :math:`O(c)` for the weights, :math:`O(c\,|Y_+|)` time (on accelerators :math:`O(c^2)`) and :math:`O(c)` memory for ``"pa"``:
    the logistic of a difference is no product of a function of each score (the exponential is, the hinge is linear in pieces), so
    no sort makes the sum over pairs cheaper. Differentiable; ``"pa"`` once.

    Raises:
        ValueError: scores or relevance that are not finite, negative relevance, shapes or devices that differ, an unknown weighting.

    Source: Rethinking and Reweighting the Univariate Losses for Multi-Label Ranking (NeurIPS 2021), weights as in its code; u2 is the
    consistent loss of Dembczynski et al. (ICML 2012). That u3 bounds the ranking loss is two lines: if :math:`f_p \le f_q`,
    then :math:`f_p \le 0` or :math:`f_q \ge 0`, and one of the two terms is at least log 2.

    >>> scores, labels = torch.tensor([2.0, -1.0, 0.5, -2.0]), torch.tensor([1, 0, 0, 1])
    >>> for weighting in ("pa", "u1", "u2", "u3", "u4"):
    ...     print(weighting, rb.MultiLabelRankingLoss(weighting)(scores, labels))
    pa tensor(1.0355)
    u1 tensor(0.8853)
    u2 tensor(0.8853)
    u3 tensor(1.7706)
    u4 tensor(1.7706)
    """

    def __init__(self, weighting: Weighting = "u3", *, reduction: str = "mean"):
        super().__init__(reduction=reduction)
        self.weighting = check_choice("weighting", weighting, ("pa", "u1", "u2", "u3", "u4"))

    @full_precision
    def forward(self, scores: Tensor, relevance: Tensor, *, where: Tensor | None = None, query_weights: Tensor | None = None) -> Tensor:
        scores, relevance, where = check_lists(scores, relevance, where, exact=True)
        positive = relevance > 0
        negative = ~positive if where is None else where & ~positive
        p, n = (kind.sum(-1, keepdim=True).to(scores.dtype) for kind in (positive, negative))
        of_pairs = 1 / (p * n).clamp(min=1)
        if self.weighting == "pa":
            values = pair_terms("equal", scores, where, grade_order(positive.long(), scores, where), sigma=1.0).mul(of_pairs).sum(-1)
        else:
            weights = self._weights(positive, p, n, of_pairs)
            values = softplus(torch.where(positive, -scores, scores)).mul(weights).masked_fill(~(positive | negative), 0.0).sum(-1)
        defined = (p > 0) & (n > 0)
        return self.reduce(values, defined.squeeze(-1), query_weights, "relevance has no relevant and irrelevant label in any list")

    def _weights(self, positive: Tensor, p: Tensor, n: Tensor, of_pairs: Tensor) -> Tensor:
        match self.weighting:
            case "u1":
                return 1 / (p + n).clamp(min=1)
            case "u2":
                return of_pairs
            case "u3":
                return torch.where(positive, 1 / p.clamp(min=1), 1 / n.clamp(min=1))
            case _:
                return 1 / torch.minimum(p, n).clamp(min=1)
