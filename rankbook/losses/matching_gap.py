"""Many views of the same items: the gap between matching them as they are and the best matching of all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from rankbook.checks import check_count, check_finite, check_floating, check_positive, warn
from rankbook.described import arguments
from rankbook.precision import full_precision, no_forward_derivative, no_second_derivative, wide

_MOST = 2**28  # numbers of the largest tensor: 2 GiB


class MultiMarginalMatchingGap(nn.Module):
    r"""The multi-marginal matching gap (M3G): how much cheaper the best soft matching of k views is than the true one.

    .. math::
        \begin{aligned}
        C_{i_1 \dots i_k} &= 1 - \Big\lVert \frac{1}{k} \sum_{\ell} x^\ell_{i_\ell} \Big\rVert^2, \qquad
        \mathrm{OT}_\varepsilon(C) = \min_P\, \langle P, C \rangle + \varepsilon \langle P, \log P - 1 \rangle \\
        \mathcal{L} &= \langle J, C \rangle - \varepsilon (\log n + 1) - \mathrm{OT}_\varepsilon(C) \;\ge 0
        \end{aligned}

    P runs over all nonnegative tensors of :math:`n^k` numbers whose k marginals are uniform; J, the true matching, has :math:`1/n` where
    all k indices are equal. C is the circular variance of a k-tuple: for unit vectors the sum of :math:`\lVert x^a - x^b \rVert^2 / k^2`
    over the pairs of views. The loss asks one question of whole k-tuples, where an average of InfoNCE over pairs asks
    :math:`k (k - 1) / 2`.

    Args:
        epsilon: :math:`\varepsilon`, in units of the cost, which lies between 0 and 1. Larger: softer matchings, fewer sweeps, a loss
            that compares with all tuples; smaller: with the best of them only, more sweeps.
        tolerance: Sinkhorn ends when the marginals before a sweep are off by less in sum, over all views.
        iterations: sweeps at most; a warning says when they did not suffice.

    Call with ``(views[k, n, d])``: k views, at least 2, of the same n items, at least 2, normalized. The gradient is that of
    :math:`\langle J - P, C \rangle` at the P found (Danskin's theorem): nothing is propagated through the sweeps. Differentiable once.

    Cost: :math:`O(k\,n^k)` time a sweep, as matrix products, and :math:`O(n^{k-1})` memory: the tensor of :math:`n^k` numbers is never
    held. Computed in float64 where the device has it.

    Raises:
        ValueError: views that are not finite, not three-dimensional, fewer than 2 views or items; tuples that do not fit into memory;
            an epsilon so small that the kernel underflows.

    Source: Contrasting Multiple Representations with the Multi-Marginal Matching Gap (ICML 2024, 2405.19532), Definition 3.1 and
    Proposition 3.2; the constant is ours, such that the loss is the gap itself, 0 if and only if J is optimal (the printed one differs
    by a constant).

    >>> first = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.1, 1.0], [-1.0, 0.2]]), dim=1)
    >>> rb.MultiMarginalMatchingGap(epsilon=0.1)(torch.stack([first, first, first]))
    tensor(0.0089)
    >>> rb.MultiMarginalMatchingGap(epsilon=0.1)(torch.stack([first, first, first.flip(0)]))  # the last view in another order
    tensor(0.5885)
    """

    def __init__(self, epsilon: float = 0.1, *, tolerance: float = 1e-3, iterations: int = 1000):
        super().__init__()
        self.epsilon = check_positive("epsilon", epsilon)
        self.tolerance = check_positive("tolerance", tolerance)
        self.iterations = check_count("iterations", iterations)

    @full_precision
    def forward(self, views: Tensor) -> Tensor:
        views = _check_views(views)
        if torch.compiler.is_compiling():
            return torch.ops.rankbook.matching_gap(views, self.epsilon, self.tolerance, self.iterations)[0]
        return _Danskin.apply(views, *_solve(views.detach(), self.epsilon, self.tolerance, self.iterations))

    @full_precision
    @torch.no_grad()
    def plans(self, views: Tensor) -> Tensor:
        """P summed over all views but two, for every two ``[k, k, n, n]``: who is matched with whom. Each sums to 1; ``[a, a]`` is 0."""
        problem = _solved(views := _check_views(views), self.epsilon, self.tolerance, self.iterations)
        found = torch.zeros_like(problem.pairs)
        for a, b, plan in problem.plans():
            found[a, b], found[b, a] = plan, plan.T
        return found.to(views.dtype)

    extra_repr = arguments


def _check_views(views: Tensor) -> Tensor:
    views = check_floating("views", views)
    if views.dim() != 3 or min(views.shape[:2], default=0) < 2 or views.shape[2] < 1:
        raise ValueError(
            f"views must be [k, n, d], at least 2 views of at least 2 items, got {tuple(views.shape)}; try torch.stack([first, second])"
        )
    k, n, _ = views.shape
    if n ** max(k - 1, 2) > _MOST:
        raise ValueError(f"views must have fewer items for so many views: {k} of {n} hold tensors of {n}^{max(k - 1, 2)} numbers")
    check_finite("views", views)
    return views


@torch.no_grad()
def _solve(views: Tensor, epsilon: float, tolerance: float, iterations: int) -> tuple[Tensor, Tensor]:
    """The gap, and its gradient ``[k, n, d]``."""
    problem = _solved(views, epsilon, tolerance, iterations)
    return problem.gap().to(views.dtype), problem.slope().to(views.dtype)


def _solved(views: Tensor, epsilon: float, tolerance: float, iterations: int) -> _Matching:
    problem = _Matching(views.to(wide(views.device)), epsilon)
    if not problem.sweep(tolerance, iterations):
        warn(
            f"after {iterations} sweeps the marginals are off by {problem.error:.1e}, above tolerance={tolerance:g}: the gap is too large "
            "by a little; raise epsilon or iterations"
        )
    return problem


# In a compiled graph it is one operator: the compiler does not look into the sweeps.
_operator = torch.library.custom_op(
    "rankbook::matching_gap",
    _solve,
    mutates_args=(),
    schema="(Tensor views, float epsilon, float tolerance, int iterations) -> (Tensor, Tensor)",
)
_operator.register_fake(lambda views, epsilon, tolerance, iterations: (views.new_empty(()), torch.empty_like(views)))
_operator.register_autograd(
    lambda ctx, grad, _: (grad * ctx.saved_tensors[0], None, None, None),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(output[1]),
)


class _Danskin(torch.autograd.Function):
    """A value whose gradient is known."""

    @staticmethod
    def forward(views: Tensor, value: Tensor, slope: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        views, slope = ctx.saved_tensors
        return _Slope.apply(views, grad, slope), None, None

    jvp = staticmethod(no_forward_derivative)


class _Slope(torch.autograd.Function):
    """The gradient, an operation of its own: what asks for its derivative hears that it has none."""

    @staticmethod
    def forward(views: Tensor, grad: Tensor, slope: Tensor) -> Tensor:
        return grad * slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> None:
        raise no_second_derivative()


class _Matching:
    """Entropic matching of k views whose cost is a sum over pairs of views.

    log P is ``sum of pairs[a, b][i_a, i_b] + sum of duals[a][i_a]``, so a view is summed out by a matrix product, whose factors are
    scaled by their largest entries: the log-sum-exp of a sum of two matrices.
    """

    def __init__(self, views: Tensor, epsilon: float):
        self.views, self.epsilon = views, epsilon
        self.k, self.n, _ = views.shape
        weight = 1 / (self.k**2 * epsilon)
        self.squares = views.square().sum(2) * weight  # of the cost's norm, the terms of one view [k, n]
        self.pairs = 2 * weight * torch.einsum("aid,bjd->abij", views, views)  # and those of two [k, k, n, n]
        self.duals = self.squares - 1 / (self.k * epsilon)  # log P at potentials of 0: minus the cost, over epsilon
        if float(self.pairs.amax() - self.pairs.amin()) * (self.k // 2) > -math.log(torch.finfo(views.dtype).tiny):
            raise ValueError(f"epsilon must be larger for these views: at {epsilon:g} the kernel underflows; are the views normalized?")

    def sweep(self, tolerance: float, iterations: int) -> bool:
        """Fit one marginal after the other until all fit."""
        for _ in range(iterations):
            errors = []
            for view in range(self.k):
                marginal = self.marginal((view,), (view + 1) % self.k)
                errors.append((marginal.exp() - 1 / self.n).abs().sum())
                self.duals[view] -= marginal + math.log(self.n)
            self.error = float(torch.stack(errors).sum())
            if self.error < tolerance:
                return True
        return False

    def marginal(self, kept: tuple[int, ...], out: int) -> Tensor:
        """The log of P summed over all views but ``kept``, of which ``out`` is the first to go."""
        rest = [view for view in range(self.k) if view != out]
        return _sum_out(self.without(out, rest), [rest.index(view) for view in kept])

    def without(self, out: int, rest: list[int]) -> Tensor:
        """The log of P summed over the view ``out``: an axis for each of ``rest``."""
        half = (len(rest) + 1) // 2
        left = _outer([self.pairs[view, out] for view in rest[:half]]) + self.duals[out]
        if self.k == 2:
            total = left.logsumexp(1)
        else:
            total = _log_matmul(left, _outer([self.pairs[view, out] for view in rest[half:]]))
        total = total.reshape([self.n] * len(rest))
        for a, b in combinations(range(len(rest)), 2):
            total += _on_axes(self.pairs[rest[a], rest[b]], (a, b), len(rest))
        for a, view in enumerate(rest):
            total += _on_axes(self.duals[view], (a,), len(rest))
        return total

    def gap(self) -> Tensor:
        """By the dual, which is at most OT: after a sweep the mass of P is 1."""
        potentials = self.duals - self.squares + 1 / (self.k * self.epsilon)
        true = 1 - self.views.mean(0).square().sum(1).mean()
        return true - self.epsilon * (math.log(self.n) + potentials.mean(1).sum())

    def slope(self) -> Tensor:
        """Of <J - P, C>: of P, the marginals of one view and of two are all that counts."""
        off = torch.zeros_like(self.pairs)  # marginals of J - P
        true = torch.eye(self.n, dtype=off.dtype, device=off.device) / self.n
        for a, b, plan in self.plans():
            off[a, b] = true - plan
            off[b, a] = off[a, b].T
        for a in range(self.k):
            off[a, a] = off[a, a - 1].sum(1).diag()
        return -2 / self.k**2 * torch.einsum("abij,bjd->aid", off, self.views)

    def plans(self) -> Iterator[tuple[int, int, Tensor]]:
        """P summed over all views but two, for each two: what stays of three eliminations."""
        if self.k == 2:
            yield 0, 1, (self.pairs[0, 1] + self.duals[0][:, None] + self.duals[1]).exp()
            return
        for out, others in ((0, range(1, self.k)), (1, (0, *range(2, self.k))), (2, (0, 1))):
            rest = [view for view in range(self.k) if view != out]
            total = self.without(out, rest)
            for a, b in combinations(others, 2):
                if out == 0 or (a == 0 and (out == 1 or b == 1)):
                    yield a, b, _sum_out(total, [rest.index(a), rest.index(b)]).exp()


def _log_matmul(left: Tensor, right: Tensor) -> Tensor:
    """The log-sum-exp of left + right over their last axis, for each row of one and of the other."""
    left, right = left.flatten(0, -2), right.flatten(0, -2)
    top, side = left.amax(1, keepdim=True), right.amax(1, keepdim=True)
    return ((left - top).exp() @ (right - side).exp().T).log() + top + side.T


def _sum_out(total: Tensor, kept: Sequence[int]) -> Tensor:
    """The log of the sum over all axes but ``kept``, which rise."""
    others = [axis for axis in range(total.dim()) if axis not in kept]
    return total.logsumexp(others) if others else total


def _on_axes(values: Tensor, axes: tuple[int, ...], count: int) -> Tensor:
    """A view of the tensor with its axes at ``axes`` of ``count``, to be broadcast."""
    return values.reshape([values.shape[0] if axis in axes else 1 for axis in range(count)])


def _outer(matrices: Sequence[Tensor]) -> Tensor:
    """``[n, ..., n, m]`` from matrices ``[n, m]``: the sum of their rows, a row of each."""
    total = matrices[0]
    for matrix in matrices[1:]:
        total = total.unsqueeze(-2) + matrix
    return total
