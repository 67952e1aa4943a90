"""The matching gap of many views: by a loop over all tuples, by OTT's solver, as an assignment; its gradient, modes and refusals."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from torch.testing import assert_close

import rankbook as rb
from modes import MODES, WITHOUT_GRADIENT

SIZES = [(2, 5), (3, 4), (4, 3), (5, 3)]


def views(k=3, n=4, d=3, *, noise=1.0, dtype=torch.float64):
    """Unit vectors: one item, seen k times with noise."""
    x = torch.randn(n, d, dtype=torch.float64) + noise * torch.randn(k, n, d, dtype=torch.float64)
    return torch.nn.functional.normalize(x, dim=2).to(dtype)


def exact(epsilon=0.3):
    return rb.MultiMarginalMatchingGap(epsilon, tolerance=1e-10, iterations=100_000)


def costs(x):
    """The circular variance of every tuple, one after the other."""
    k, n, _ = x.shape
    cost = np.empty((n,) * k)
    for places in itertools.product(range(n), repeat=k):
        centre = sum(x[view, place] for view, place in enumerate(places)) / k
        cost[places] = 1 - (centre**2).sum()
    return cost


def by_loops(x, epsilon):
    """Sinkhorn on the whole tensor to the end, and the gap by its primal value."""
    cost, (k, n, _) = costs(x), x.shape
    duals = [np.zeros(n) for _ in range(k)]

    def log_plan():
        log = -cost / epsilon
        for view, dual in enumerate(duals):
            log = log + dual.reshape([-1 if axis == view else 1 for axis in range(k)])
        return log

    off = 1.0
    while off > 1e-9:
        off = 0.0
        for view in range(k):
            marginal = logsumexp(log_plan(), axis=tuple(axis for axis in range(k) if axis != view))
            duals[view] = duals[view] - marginal - math.log(n)
            off += abs(np.exp(marginal) - 1 / n).sum()
    plan = np.exp(log_plan())
    matched = (plan * cost).sum() + epsilon * (plan * (np.log(plan) - 1)).sum()
    return np.mean([cost[(i,) * k] for i in range(n)]) - epsilon * (math.log(n) + 1) - matched


@pytest.mark.parametrize(("k", "n"), SIZES)
@pytest.mark.parametrize("epsilon", [0.3, 0.1])
def test_by_loops_over_all_tuples(k, n, epsilon):
    x = views(k, n)
    assert exact(epsilon)(x).item() == pytest.approx(by_loops(x.numpy(), epsilon), abs=1e-9)


@pytest.mark.parametrize(
    ("k", "n", "epsilon", "value"),
    [(2, 6, 0.1, 0.157563215979), (3, 5, 0.1, 0.096894217065), (3, 5, 0.03, 0.013358355101), (4, 4, 0.2, 1.170790056564)],
)
def test_the_values_of_ott(k, n, epsilon, value):
    """MMSinkhorn of ott-jax 0.6.0 in float64, threshold 1e-11, squared distances at epsilon k^2; run once."""
    x = torch.sin(1 + 1.7 * torch.arange(k * n * 3, dtype=torch.float64)).reshape(k, n, 3)
    gap = exact(epsilon)(torch.nn.functional.normalize(x, dim=2))
    assert gap.item() == pytest.approx(value, abs=1e-9)


def test_as_epsilon_falls_two_views_are_an_assignment():
    x = views(2, 8, noise=2.0)
    cost = costs(x.numpy())
    best = cost[linear_sum_assignment(cost)].mean()
    expected = cost.diagonal().mean() - best
    gaps = [rb.MultiMarginalMatchingGap(epsilon, tolerance=1e-3, iterations=10_000)(x).item() for epsilon in (0.1, 0.02, 0.005)]
    errors = [abs(gap - expected) for gap in gaps]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 3e-3 and expected > 0.05


@pytest.mark.parametrize(("k", "n"), SIZES)
def test_the_plans_are_the_marginals_of_the_best_matching(k, n):
    """Every one has uniform sums, and together they give the slope of the loss."""
    x, loss = views(k, n).requires_grad_(), exact()
    plans = loss.plans(x)
    assert not plans.requires_grad and not torch.einsum("aaij->aij", plans).any()
    for a, b in itertools.permutations(range(k), 2):
        assert_close(plans[a, b].sum(1), torch.full((n,), 1 / n, dtype=x.dtype), rtol=0, atol=1e-9)
        assert_close(plans[a, b], plans[b, a].T)
    off = torch.eye(n, dtype=x.dtype) / n - plans
    by_plans = -sum(2 / k**2 * (off[a, b] * (x[a] @ x[b].T)).sum() for a, b in itertools.combinations(range(k), 2))
    (slope,) = torch.autograd.grad(by_plans, x)  # the lengths cancel: their marginals are those of the truth
    (expected,) = torch.autograd.grad(loss(x), x)
    assert_close(slope, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("k", "n"), SIZES)
def test_a_view_that_slides_as_a_whole_changes_nothing(k, n):
    """Whatever is added to all items of a view costs every matching the same."""
    x, loss = views(k, n), exact()
    slid = x.clone()
    slid[0] += 0.3 * torch.randn(3, dtype=x.dtype)
    assert loss(slid).item() == pytest.approx(loss(x).item(), abs=1e-8)


@pytest.mark.parametrize(("k", "n"), SIZES)
def test_the_gradient(k, n):
    loss = exact()
    for x in (views(k, n, 2), 0.7 * views(k, n, 2)):  # vectors of any length
        assert torch.autograd.gradcheck(loss, x.requires_grad_())


@pytest.mark.parametrize(("k", "n"), SIZES)
def test_a_gap_is_never_negative_and_vanishes_with_epsilon_where_views_agree(k, n):
    for noise in (0.0, 0.1, 1.0):
        for tolerance in (1e-2, 1e-4):
            assert rb.MultiMarginalMatchingGap(0.1, tolerance=tolerance)(views(k, n, noise=noise)).item() > -1e-12
    same = torch.eye(n, dtype=torch.float64).expand(k, n, n)
    assert rb.MultiMarginalMatchingGap(0.01)(same).item() < 1e-6
    assert rb.MultiMarginalMatchingGap(0.01)(torch.stack([*same[1:], same[0].roll(1, 0)])).item() > 0.2


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_order_of_views_and_items_changes_nothing(k):
    x, loss = views(k, 5), exact()
    assert_close(loss(x.flip(0)), loss(x), rtol=0, atol=1e-10)
    assert_close(loss(x[:, torch.randperm(5)]), loss(x), rtol=0, atol=1e-10)


def test_the_tensor_of_all_tuples_is_never_held():
    """256^3 numbers in float64 were 134 MB, a matrix is half a megabyte."""
    loss, x = rb.MultiMarginalMatchingGap(0.1), views(3, 256, 8)
    largest = 0

    class Largest(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    with Largest():
        loss(x)
    assert largest <= 3 * 3 * 256**2


@pytest.mark.parametrize("mode", MODES)
def test_the_modes_of_torch_change_nothing(mode):
    loss, x = rb.MultiMarginalMatchingGap(0.1), views(dtype=torch.float32).requires_grad_()
    value = loss(x)
    (grad,) = torch.autograd.grad(value, x)
    with MODES[mode]():
        inside = loss(x)
        (found,) = torch.autograd.grad(inside, x)
    assert torch.equal(inside, value) and torch.equal(found, grad)


@pytest.mark.parametrize("mode", WITHOUT_GRADIENT)
def test_without_gradients_the_value_is_the_same(mode):
    loss, x = rb.MultiMarginalMatchingGap(0.1), views()
    with WITHOUT_GRADIENT[mode]():
        assert torch.equal(loss(x.clone()), loss(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_more(dtype):
    x = views().to(dtype)
    value = rb.MultiMarginalMatchingGap(0.1)(x)
    assert value.dtype == torch.float32 and value == rb.MultiMarginalMatchingGap(0.1)(x.float())


def test_compiled_it_is_one_operator():
    loss, x = rb.MultiMarginalMatchingGap(0.1), views().requires_grad_()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    value = compiled(x)
    assert_close(value, loss(x), rtol=0, atol=1e-12)
    assert_close(torch.autograd.grad(value, x)[0], torch.autograd.grad(loss(x), x)[0], rtol=0, atol=1e-12)


def test_one_derivative():
    loss, x = rb.MultiMarginalMatchingGap(0.1), views().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiable once"):
        grad.sum().backward()
    assert_close(torch.func.grad(loss)(x.detach()), grad.detach())


def test_too_few_sweeps_are_said_and_the_value_is_too_large():
    x = views(3, 6)
    with pytest.warns(UserWarning, match="after 1 sweeps the marginals are off by .*; raise epsilon or iterations"):
        early = rb.MultiMarginalMatchingGap(0.1, iterations=1)(x)
    assert early > rb.MultiMarginalMatchingGap(0.1, tolerance=1e-6)(x)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.ones(3, 4), r"views must be \[k, n, d\], at least 2 views of at least 2 items, got \(3, 4\)"),
        (torch.ones(1, 4, 2), r"at least 2 views"),
        (torch.ones(3, 1, 2), r"at least 2 items"),
        (torch.ones(5, 256, 2), r"views must have fewer items for so many views: 5 of 256"),
        (100 * torch.randn(3, 4, 2), r"epsilon must be larger for these views.*are the views normalized\?"),
    ],
)
def test_what_it_refuses(bad, message):
    with pytest.raises(ValueError, match=message):
        rb.MultiMarginalMatchingGap(0.1)(bad)
