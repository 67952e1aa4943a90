"""SupRank: a smooth upper bound of the rank."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rankbook.checks import check_positive, check_relevance, check_scores, reads_values
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import exact_ranks, same_order
from rankbook.ranks.fused import Formula
from rankbook.ranks.pairs import leads
from rankbook.ranks.smooth import SigmoidStep


def sup_ranks(
    scores: Tensor,
    relevance: Tensor | None = None,
    *,
    where: Tensor | None = None,
    tau: float = 0.01,
    rho: float = 100.0,
    delta: float = 0.05,
) -> Tensor:
    r"""Count the items above item *k*: exactly, if they are at least as relevant; by a smooth upper bound of the step, if less.

    .. math::
        \begin{aligned}
        r_k &= 1 + \sum_{\substack{j \ne k \\ \mathrm{rel}_j \ge \mathrm{rel}_k}} H(s_j - s_k) \\
            &\quad + \sum_{\mathrm{rel}_j < \mathrm{rel}_k} H^-(s_j - s_k), \\
        H(x) &= \mathbb{1}[x \ge 0],
        \end{aligned}

        H^-(x) = \begin{cases}
            \sigma(x / \tau) & x < 0 \\
            \sigma(x / \tau) + \tfrac12 & 0 \le x \le \delta \\
            \sigma(\delta / \tau) + \tfrac12 + \rho\,(x - \delta) & x > \delta
        \end{cases}

    :math:`H^- \ge H` everywhere, so :math:`r_k` is never below the exact rank (``ties="max"``), ties included, and a metric that
    falls with the ranks is bounded from below. A less relevant item far ahead is pulled down by the constant slope
    :math:`\rho`, where the gradient of a sigmoid has died. Items that are rightly ahead feel no force.

    Args:
        scores: ``[..., n]``.
        relevance: ``[..., n]``, bool, integer or floating point, needed: who may stand above whom. Any grades.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        tau: temperature of the sigmoid in units of the scores. Smaller brings the bound closer to the step below 0; the
            jump of 1/2 at 0 stays.
        rho: slope of the linear branch, in ranks for a unit of the scores. Smaller is closer to the exact rank; larger bounds less tightly.
        delta: lead at which the linear branch begins, in units of the scores. It is joined without a step:
            1.4933 at the default ``tau`` and ``delta``.

    Returns:
        Ranks ``[..., n]``, differentiable once; may exceed n. Items with nothing less relevant in the list have their exact rank.
        As ``tau`` and ``rho`` go to 0, the rank exceeds the exact one (``ties="max"``) by at most 1/2 for each less relevant
        item ahead, and by nothing once all of them stand below.

    Cost: :math:`O(mn)` time, :math:`O(n)` memory, where m is the number of items with something less relevant in the list
    (retrieval: the positives). Pairs are computed in blocks and again in the backward pass.

    Raises:
        ValueError: no relevance; NaN or inf in the scores; ``tau``, ``rho`` or ``delta`` not above 0.

    Source: ROADMAP (NeurIPS 2021, equation 5) and SupRank (TPAMI 2025). Their code takes the upper branch only for x > 0, where the
    bound fails at ties; ours takes it from 0 on. Their released configurations join the line at an offset of 1.44, a step
    down by 0.05 at ``delta``; their code computes the continuous offset too, if it is given none, and that is ours.

    >>> rb.sup_ranks(torch.tensor([0.80, 0.78, 0.90]), torch.tensor([1, 1, 0]))
    tensor([ 7.4933, 10.4933,  1.0000])
    """
    return SupStep(tau, rho, delta).ranks(scores, relevance, where=where)


class SupStep:
    """SupRank's H^- (see `sup_ranks`): at least 1 for every lead >= 0, and of constant slope rho beyond delta."""

    def __init__(self, tau: float, rho: float, delta: float):
        self.sigmoid = SigmoidStep(tau)
        self.scale = self.sigmoid.scale
        self.knobs = self.sigmoid.tau, check_positive("rho", rho), check_positive("delta", delta)
        self.rho, self.delta = self.knobs[1] / self.scale, self.knobs[2] * self.scale
        at_delta = 1 / (1 + math.exp(-min(self.delta, 700.0)))
        self.slope_at_delta = at_delta * (1 - at_delta)

    def sums(self, leads: Tensor) -> Tensor:
        excess, ahead = self.excess_(leads)
        return excess.sum(-1).add_(ahead.sum(-1))

    def excess_(self, leads: Tensor) -> tuple[Tensor, Tensor]:
        """Overwrite the scaled leads by H^- - H, which is never negative, not even by rounding; and H."""
        ahead = torch.ge(leads, 0, out=torch.empty_like(leads))  # not boolean: floats are added and summed several times faster
        line = torch.sub(leads, self.delta).relu_()
        near = self.sigmoid.values_(leads.clamp_(max=self.delta))
        return near.add_(ahead, alpha=-0.5).add_(line, alpha=self.rho), ahead

    def slopes_(self, leads: Tensor) -> Tensor:
        beyond = torch.gt(leads, self.delta, out=torch.empty_like(leads))
        return self.sigmoid.slopes_(leads.clamp_(max=self.delta)).add_(beyond, alpha=self.rho - self.slope_at_delta)

    def __repr__(self) -> str:
        return "SupStep(tau={}, rho={}, delta={})".format(*self.knobs)

    def formula(self) -> Formula:
        return self.sigmoid.formula()._replace(upper=True, delta=self.delta, rho=self.rho)

    def ranks(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        if relevance is None:
            raise ValueError(
                "relevance must be given: sup_ranks bounds the rank against the less relevant items; "
                "pass a tensor in the shape of scores, or take sigmoid_ranks, which needs none"
            )
        scores, where = check_scores(scores, where)
        relevance = same_order(check_relevance(relevance, scores, where, exact=True), scores)
        return exact_ranks(scores, where=where) + _surplus(scores, where, relevance, knobs=self.knobs)


def _value(scores: Tensor, where: Tensor | None, relevance: Tensor, *knobs: float) -> tuple[Tensor]:
    """The sum of H^- - H over the less relevant items, at most the largest number there is."""
    step = SupStep(*knobs)
    s, grade, rows, row_grade = _split(scores, relevance, where)
    surplus = torch.empty_like(row_grade)
    for lists, block, lead in leads(s, s.gather(1, rows), step.scale):
        spared = grade[lists].unsqueeze(-2) >= row_grade[lists, block].unsqueeze(-1)
        surplus[lists, block] = step.excess_(lead)[0].masked_fill_(spared, 0).sum(-1)
    surplus.clamp_(max=torch.finfo(s.dtype).max)
    return (torch.zeros_like(s).scatter_(1, rows, surplus).view(scores.shape),)


def _gradient(grad: Tensor, scores: Tensor, where: Tensor | None, relevance: Tensor, saved: tuple[()], *knobs: float) -> Tensor:
    step = SupStep(*knobs)
    s, grade, rows, row_grade = _split(scores, relevance, where)
    g = grad.reshape(s.shape).gather(1, rows)
    back, back_rows = torch.zeros_like(s), torch.empty_like(g)
    for lists, block, lead in leads(s, s.gather(1, rows), step.scale):
        spared = grade[lists].unsqueeze(-2) >= row_grade[lists, block].unsqueeze(-1)
        slope = step.slopes_(lead).masked_fill_(spared, 0)
        back[lists] += (g[lists, block].unsqueeze(-2) @ slope).squeeze(-2)
        back_rows[lists, block] = -g[lists, block] * slope.sum(-1)
    return back.scatter_add_(1, rows, back_rows).mul_(step.scale).view(scores.shape)


_surplus = ByHand("surplus", _value, _gradient)


def _split(scores: Tensor, relevance: Tensor, where: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Lists [lists, n]: the scores and the grades, then the rows k that matter [lists, m] and their grades.

    A row matters if something in the list is less relevant (one is always kept). An absent item is below nobody and has nobody below it.
    How many matter is a number that a GPU would have to be waited for: with checks off, all rows are computed there.
    """
    s, grade = (x.reshape(-1, x.shape[-1]) for x in (scores, relevance))
    own = grade
    if where is not None:
        there = where.reshape(s.shape)
        grade, own = grade.masked_fill(~there, torch.inf), grade.masked_fill(~there, -torch.inf)
    matters = (own > grade.amin(-1, keepdim=True)).sum(-1)
    m = s.shape[1]
    if s.device.type == "cpu":
        m = max(1, matters.numpy().max())
    elif reads_values(s):
        m = max(1, int(matters.max()))
    row_grade, rows = own.sort(dim=-1, descending=True)
    return s, grade, rows[:, :m], row_grade[:, :m]
