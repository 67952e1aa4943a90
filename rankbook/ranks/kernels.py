"""The Laplace and the box rank: smooth counting in O(n log n), by a sort and sums that run along the sorted list."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from rankbook.checks import check_positive, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.spacing import best_first, place_on_line, running_sums, to_items


def laplace_ranks(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, tau: float = 0.01) -> Tensor:
    r"""Count the items above item *i*, each by the Laplace distribution function of its lead instead of a step.

    .. math::
        r_i = 1 + \sum_{j \ne i} F\!\left(\frac{s_j - s_i}{\tau}\right), \qquad
        F(x) = \begin{cases} \tfrac12 e^{x} & x \le 0 \\ 1 - \tfrac12 e^{-x} & x > 0 \end{cases}

    It looks like `sigmoid_ranks`, with a sharper slope at 0 (1/2 against 1/4) and the same tails, and costs a sort: an
    exponential of a lead is the product of the exponentials of the gaps between, so sums over all items above (below)
    follow from those of the neighbor.

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        tau: temperature in units of the scores. Smaller is closer to the exact ranks; larger lets the gradient reach farther.
            The gradient of a pair vanishes beyond a gap of some ``10 * tau``, so scale ``tau`` with the spread of the
            scores, not with n.

    Returns:
        Ranks ``[..., n]``, differentiable once. They sum to :math:`n(n+1)/2`; as ``tau`` goes to 0 they
        become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory, forward and backward.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0.

    Source: LapSum (ICML 2025), equation from its code.

    >>> rb.laplace_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.1)
    tensor([2.9747, 1.0096, 2.0157])
    """
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    return put_absent_last(_laplace(scores, where, knobs=(tau,)), where)


def box_ranks(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, width: float = 0.02) -> Tensor:
    r"""Count the items above item *i*, each by a straight ramp of its lead, from 0 at ``-width`` to 1 at ``width``.

    .. math::
        r_i = 1 + \sum_{j \ne i} F\!\left(\frac{s_j - s_i}{w}\right), \qquad
        F(x) = \min\!\left(1, \max\!\left(0, \tfrac{1 + x}{2}\right)\right)

    :math:`F` is the distribution function of the uniform (box) density on [-1, 1]. The sum over the items within a width
    of item *i* is a difference of two running sums.

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        width: half-width of the ramp in units of the scores. Smaller is closer to the exact ranks. An item that has no other
            within ``width`` has its exact rank and no gradient at all, so scale ``width`` with the spread of the
            scores, and up again for short lists. A box of ``2 * tau`` has about the slope of `sigmoid_ranks` at 0.

    Returns:
        Ranks ``[..., n]``, differentiable once (piecewise linear). They sum to :math:`n(n+1)/2`; once ``width`` is below
        the smallest gap they equal ``exact_ranks(ties="average")``.

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory, forward and backward.

    Raises:
        ValueError: NaN or inf in the scores, ``width`` not above 0.

    >>> rb.box_ranks(torch.tensor([0.2, 0.9, 0.5]), width=0.4)
    tensor([2.8750, 1.0000, 2.1250])
    """
    width = check_positive("width", width)
    scores, where = check_scores(scores, where)
    return put_absent_last(_box(scores, where, knobs=(width,)), where)


class LaplaceStep:
    """The Laplace distribution function of a lead, pair by pair (see `rankbook.ranks.steps`): where pairs carry weights of their own."""

    def __init__(self, tau: float):
        self.tau = check_positive("tau", tau)
        self.scale = 1 / self.tau

    def sums(self, leads: Tensor) -> Tensor:
        return self.values_(leads).sum(-1)

    def values_(self, leads: Tensor) -> Tensor:
        ahead = torch.gt(leads, 0, out=torch.empty_like(leads))
        return self.slopes_(leads).mul_(1 - 2 * ahead).add_(ahead)

    def slopes_(self, leads: Tensor) -> Tensor:
        far = -0.49 * math.log(torch.finfo(leads.dtype).tiny)  # beyond it nothing changes, and no square is subnormal
        return leads.abs_().clamp_(max=far).neg_().exp_().mul_(0.5)

    def ranks(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        return laplace_ranks(scores, relevance, where=where, tau=self.tau)


class BoxStep:
    """The ramp of the box rank, pair by pair."""

    def __init__(self, width: float):
        self.width = check_positive("width", width)
        self.scale = 1 / self.width

    def sums(self, leads: Tensor) -> Tensor:
        return self.values_(leads).sum(-1)

    def values_(self, leads: Tensor) -> Tensor:
        return leads.add_(1).mul_(0.5).clamp_(0, 1)

    def slopes_(self, leads: Tensor) -> Tensor:
        return torch.lt(leads.abs_(), 1, out=leads).mul_(0.5)

    def ranks(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        return box_ranks(scores, relevance, where=where, width=self.width)


def _laplace_value(scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    order = best_first(scores, where)
    s = scores.gather(-1, order)
    present = torch.ones_like(s) if where is None else where.gather(-1, order).to(s.dtype)
    above, below = DecayedSums(s, tau)(present)
    # F = 1 - exp(-lead / tau) / 2 for an item above, exp(lead / tau) / 2 for one below
    position = torch.arange(1, s.shape[-1] + 1, dtype=s.dtype, device=s.device)
    return to_items(position + (below - above) / 2, order, s.dtype), s, order, above + below


def _laplace_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    """Off the diagonal the Jacobian is symmetric, f_ij / tau with f = exp(-|lead| / tau) / 2: the same scan again."""
    s, order, neighbors = saved
    g = grad.gather(-1, order)
    above, below = DecayedSums(s, tau)(g)
    return to_items((above + below - g * neighbors) / (2 * tau), order, s.dtype)


_laplace = ByHand("laplace", _laplace_value, _laplace_gradient)

#: So many numbers are soon computed and may be kept: up to there all pairs cost less than the start of the operations that spare most.
_FEW = 1 << 16


class DecayedSums:
    r"""For scores that descend, :math:`\sum_{j \text{ above } i} w_j e^{-|s_j - s_i| / \tau}`, and the same below.

    From all pairs, while they are few. Else by doubling: with the sums over the last 1, 2, 4 ... items at hand, one product joins
    two neighboring windows, so the list takes log n vector operations. All exponents are leads, never positive: nothing overflows
    at any spread.
    """

    def __init__(self, s: Tensor, tau: float):
        self.s, self.tau, self.n = s, tau, s.shape[-1]
        # exp(-far) is lost beside any count and still a normal number: subnormals are some fifty times slower
        self.far = -0.9 * math.log(torch.finfo(s.dtype).tiny)
        self.steps = [1 << k for k in range((self.n - 1).bit_length())]
        few = s.device.type == "cpu" and s.numel() * self.n <= _FEW
        #: [..., i, j], 0 unless j is above i
        self.pairs = self._decay(s.unsqueeze(-1), s.unsqueeze(-2)).tril_(-1) if few else None
        self.kept = [self._to_window(step) for step in self.steps] if not few and s.numel() * len(self.steps) <= _FEW else None

    def __call__(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """``weight`` ``[..., n]``, or ``[..., c, n]`` for c of them."""
        several = weight.dim() > self.s.dim()
        if self.pairs is not None:
            rows = weight if several else weight.unsqueeze(-2)
            return (rows @ self.pairs.mT).view(weight.shape), (rows @ self.pairs).view(weight.shape)
        if self.n == 1:
            return torch.zeros_like(weight), torch.zeros_like(weight)
        above, below = weight.clone(), weight.clone()  # windows that end, and that start, at the item
        to_neighbor = None
        for step, decay in zip(self.steps, self.kept or map(self._to_window, self.steps), strict=True):
            decay, rest = decay.unsqueeze(-2) if several else decay, self.n - step
            to_neighbor = decay if to_neighbor is None else to_neighbor
            # the products read the old windows; they are complete before the sums overwrite them
            from_above, from_below = decay * above.narrow(-1, 0, rest), decay * below.narrow(-1, step, rest)
            above.narrow(-1, step, rest).add_(from_above)
            below.narrow(-1, 0, rest).add_(from_below)
        # without the item itself: from the neighbor, since a subtraction would lose the digits of a small sum
        return pad(to_neighbor * above[..., :-1], (1, 0)), pad(to_neighbor * below[..., 1:], (0, 1))

    def _to_window(self, step: int) -> Tensor:
        """What is left of a weight ``step`` items farther: [..., n - step]."""
        return self._decay(self.s.narrow(-1, step, self.n - step), self.s.narrow(-1, 0, self.n - step))

    def _decay(self, low: Tensor, high: Tensor) -> Tensor:
        return (low - high).div_(self.tau).clamp_(-self.far, 0).exp_()


def _box_value(scores: Tensor, where: Tensor | None, _: None, width: float) -> tuple[Tensor, ...]:
    order, place = place_on_line(scores, where, width, _apart(scores.device.type))
    n = place.shape[-1]
    end = _search(place, place + 1)  # the first item at least a width below
    # The window of i starts behind the items whose window has ended: counted from `end`, so that rounding cannot put
    # i into the window of j without j into that of i.
    ended = end.new_zeros(*end.shape[:-1], n + 1).scatter_add_(-1, end, torch.ones_like(end))
    start = ended.cumsum(-1)[..., :n]
    count = (end - start).to(place.dtype)
    # F = 1 above the window, (1 + lead) / 2 in it; the item itself is in its window with 1/2
    leads = (place * count).sub_(_window_sums(place, start, end))
    return to_items(leads.add_(count).div_(2).add_(start).add_(0.5), order, scores.dtype), order, start, end, count


def _box_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], width: float) -> Tensor:
    """Off the diagonal the Jacobian is 1 / (2 width) for the pairs within a width of each other, which is symmetric."""
    order, start, end, count = saved
    g = grad.gather(-1, order).to(count.dtype)
    back = _window_sums(g, start, end).sub_(count * g).div_(2 * width)
    return to_items(back.masked_fill_(count == 1, 0.0), order, grad.dtype)  # alone: 0 without rounding


def _apart(device_type: str) -> float:
    """To how many widths a longer gap is shortened. On a CPU one is enough: sums run in order, and a whole width stays one. A GPU adds
    in any order, rounding would put an item at the very edge of a window in or out by chance."""
    return 1.0 if device_type == "cpu" else 1.5


_box = ByHand("box", _box_value, _box_gradient)


def _search(places: Tensor, marks: Tensor) -> Tensor:
    """How many places ``[..., n]`` (ascending, from 0 to n - 1 at most) are below each mark: the first that is not, or n."""
    n = places.shape[-1]
    if places.device.type != "cpu":
        return torch.searchsorted(places, marks)
    # one after the other all lists are one list, and numpy searches for ascending marks in it faster than torch
    first = np.arange(places.numel() // n)[:, None]
    line, marks = (x.reshape(-1, n).numpy() + first * (n + 1.0) for x in (places, marks))
    found = np.searchsorted(line.ravel(), marks.ravel()).reshape(-1, n) - first * n
    return torch.from_numpy(found).view(places.shape)


def _window_sums(values: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Sum of the values from start to before end, for each item, from running sums."""
    running = running_sums(values)
    return running.gather(-1, end).sub_(running.gather(-1, start))
