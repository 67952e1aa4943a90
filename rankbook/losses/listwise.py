"""List-wise losses on scores: the cross-entropy of a list (ListNet), the likelihood of its order (ListMLE)."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.losses.score_loss import ScoreLoss
from rankbook.losses.twins import share_among_twins
from rankbook.precision import wide
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import same_order


class ListNetLoss(ScoreLoss):
    r"""ListNet: the cross-entropy between two softmaxes of a list, of its relevance and of its scores.

    .. math::
        \mathcal{L} = -\sum_i P_i(\mathrm{rel}) \log P_i(s), \qquad P_i(x) = \frac{e^{x_i}}{\sum_j e^{x_j}}

    :math:`P_i(x)` is the probability that item *i* comes first: the paper's *top-one* probability.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the lists that have something to order, ``"none"`` (0 for the others).

    Call with ``(scores[..., n], relevance[..., n], *, where=None, query_weights=None)``: grades of at least 0, the mask of the
    present items, one weight of at least 0 for each list (the mean is then a weighted mean). A list whose items are all equally
    relevant does not count; if there is no other, the loss is 0 with zero gradient and a warning.

    The grades are logits: grades 0 and 1 say that a relevant item comes first 2.7 times as often as another one, so scale them up
    to ask for more. The loss is smallest, the entropy of :math:`P(\mathrm{rel})` and not 0, where scores and grades differ by a
    number that is the same for the whole list.

    Cost: :math:`O(n)` time and memory for each list. Differentiable any number of times.

    Raises:
        ValueError: scores or relevance that are not finite, negative grades, shapes or devices that differ.

    Source: Learning to Rank: From Pairwise Approach to Listwise Approach (ICML 2007), the top-one model with cross-entropy.

    >>> rb.ListNetLoss()(torch.tensor([2.0, 0.0, 1.0]), torch.tensor([2, 1, 0]))
    tensor(0.9871)
    """

    def of_lists(self, scores: Tensor, relevance: Tensor, where: Tensor | None) -> Tensor:
        if where is None:
            where = torch.ones_like(scores, dtype=torch.bool)
        present = where | ~where.any(-1, keepdim=True)  # an empty list does not count, but must not be NaN
        # grades are subtracted before any cast: large ones keep their differences
        grades = (relevance - relevance.masked_fill(~where, 0).amax(-1, keepdim=True)).to(scores.dtype)
        target = grades.masked_fill(~present, -torch.inf).softmax(-1)
        log_share = scores.masked_fill(~present, -torch.inf).log_softmax(-1)
        return -(target * log_share.masked_fill(~present, 0.0)).sum(-1)


class ListMLELoss(ScoreLoss):
    r"""ListMLE: the negative log-likelihood of the right order, drawn item by item from what is left (Plackett-Luce).

    .. math::
        \mathcal{L} = -\log \prod_{p=1}^{n} \frac{e^{s_{y(p)}}}{\sum_{q \ge p} e^{s_{y(q)}}}

    where :math:`y(p)` is the item at place *p* by relevance, the most relevant first.

    Ties: equally relevant items may stand in any order, and the loss takes the *worst order* of them, the lowest score first. It
    is the largest value that any order gives, does not depend on the order of the input, and stays convex in the scores. Items with
    the same relevance and the same score share their gradient. (Implementations that shuffle ties have a value that is random.)

    Args:
        reduction: as `ListNetLoss`, and so is the call.

    The sum over the places makes a long list weigh more than a short one. The loss is positive, and goes to 0 for lists without
    ties only, as the gaps between neighbors grow. A lower grade changes nothing but the order: grades 0, 1, 2 and 0, 1, 9 are one.

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory for each list, in float64 where the device has it. Differentiable once.

    Raises:
        ValueError: as `ListNetLoss`.

    Source: Listwise Approach to Learning to Rank: Theory and Algorithm (ICML 2008), the likelihood loss; the rule for ties is ours.

    >>> rb.ListMLELoss()(torch.tensor([2.0, 0.0, 1.0]), torch.tensor([2, 1, 0]))
    tensor(1.7209)
    >>> rb.ListMLELoss()(torch.tensor([2.0, 0.0, 1.0]), torch.tensor([1, 0, 0]))  # the worst order of the two irrelevant ones
    tensor(1.7209)
    """

    def of_lists(self, scores: Tensor, relevance: Tensor, where: Tensor | None) -> Tensor:
        return _likelihood(scores, where, grade_order(relevance, scores, where)).sum(-1)


def grade_order(relevance: Tensor, scores: Tensor, where: Tensor | None) -> Tensor:
    """Small whole numbers in the order of the grades, ties kept, in the dtype of the scores; -1 for absent items."""
    order = same_order(relevance, scores)
    return order if where is None else order.masked_fill(~where, -1.0)


def _place(scores: Tensor, grades: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The items by grade, best first, by score from the lowest within a grade: their order, scores, and log of the sums from each on."""
    order = scores.argsort(dim=-1, stable=True)
    order = order.gather(-1, grades.gather(-1, order).argsort(dim=-1, descending=True, stable=True))
    absent = grades.gather(-1, order) < 0
    s = scores.gather(-1, order).to(wide(scores.device))
    s = s.masked_fill(absent, -torch.finfo(s.dtype).max / 4)  # e^s is exactly 0 beside any other, and no infinity meets another
    return order, s, s.flip(-1).logcumsumexp(-1).flip(-1)


def _value(scores: Tensor, where: Tensor | None, grades: Tensor) -> tuple[Tensor, ...]:
    order, s, rest = _place(scores, grades)
    terms = torch.zeros_like(scores).scatter(-1, order, (rest - s).to(scores.dtype))
    return (terms if where is None else terms.masked_fill(~where, 0.0),)


def _gradient(grad: Tensor, scores: Tensor, where: Tensor | None, grades: Tensor, saved: tuple[()]) -> Tensor:
    """Item k is in the sums of all places up to its own: its share e^(s_k - rest_p) of each, in logarithms so that none overflows."""
    order, s, rest = _place(scores, grades)
    g = (grad if where is None else grad.masked_fill(~where, 0.0)).gather(-1, order).to(s.dtype)
    unit = g.abs().amax(-1, keepdim=True)  # terms of one list get one gradient: their logarithms are 0, and cost huge scores no digits
    g = g / torch.where(unit > 0, unit, 1.0)
    back = -g
    for sign in (1, -1):
        weight = (sign * g).clamp(min=torch.finfo(s.dtype).tiny).log()
        back = back + sign * ((weight - rest).logcumsumexp(-1) + s).exp()
    back = torch.zeros_like(scores).scatter(-1, order, (back * unit).to(scores.dtype))
    back = share_among_twins(back, scores, grades)
    return back if where is None else back.masked_fill(~where, 0.0)


_likelihood = ByHand("likelihood of an order", _value, _gradient)
