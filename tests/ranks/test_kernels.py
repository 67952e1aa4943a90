"""Smooth counting: the sigmoid, Laplace and box ranks are the sums over pairs that they claim to be."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
import rankbook as rb
from rankbook.ranks import kernels, spacing

# the ranker at a knob of 0.1, its step function, and the slope of the step for leads in units of the knob
KERNELS = {
    "sigmoid": (partial(rb.sigmoid_ranks, tau=0.1), oracles.sigmoid(0.1), lambda x: torch.sigmoid(x) * torch.sigmoid(-x)),
    "laplace": (partial(rb.laplace_ranks, tau=0.1), oracles.laplace(0.1), lambda x: torch.exp(-x.abs()) / 2),
    "box": (partial(rb.box_ranks, width=0.1), oracles.box(0.1), lambda x: (x.abs() < 1).to(x.dtype) / 2),
}
every_kernel = pytest.mark.parametrize("kernel", KERNELS)


def dense_ranks(kernel, scores, rows):
    """Ranks of some rows of a list, in float64, from all pairs."""
    x = (scores.double() - scores[rows].double().unsqueeze(-1)) / 0.1
    half = (-x.abs()).exp() / 2
    step = {
        "sigmoid": torch.sigmoid(x),
        "laplace": torch.where(x > 0, 1 - half, half),
        "box": ((1 + x) / 2).clamp(0, 1),
    }[kernel]
    return 0.5 + step.sum(-1)


def dense_gradient(kernel, scores, grad):
    slope = KERNELS[kernel][2]((scores - scores.unsqueeze(-1)) / 0.1) / 0.1
    return slope @ grad - slope.sum(-1) * grad


def draw(n, spread, ties):
    scores = torch.randn(n, dtype=torch.float64)
    return (4 * scores).round() / 4 * 0.99 * spread if ties else scores * spread


def test_goldens():
    """Leads of -1, 0 and 2 in units of the knob."""
    scores = torch.tensor([0.0, -1.0, 0.0, 2.0], dtype=torch.float64)
    sigma = [1 / (1 + math.exp(-x)) for x in (-1, 0, 2)]
    laplace = [math.exp(-1) / 2, 1 / 2, 1 - math.exp(-2) / 2]
    assert rb.sigmoid_ranks(scores, tau=1.0)[0].item() == pytest.approx(1 + sum(sigma), abs=1e-14)
    assert rb.laplace_ranks(scores, tau=1.0)[0].item() == pytest.approx(1 + sum(laplace), abs=1e-14)
    assert rb.box_ranks(scores, width=1.0)[0].item() == 1 + 0 + 1 / 2 + 1
    assert rb.box_ranks(scores, width=4.0)[0].item() == 1 + 3 / 8 + 1 / 2 + 6 / 8


@every_kernel
@pytest.mark.parametrize("spread", [1e-6, 1e-3, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_equals_the_loop(kernel, spread, ties, n):
    ranker, step, _ = KERNELS[kernel]
    scores = draw(n, spread, ties)
    loop = [oracles.rank(i, range(n), scores.tolist(), step) for i in range(n)]
    torch.testing.assert_close(ranker(scores), torch.tensor(loop, dtype=torch.float64), rtol=1e-12, atol=0)


@every_kernel
@pytest.mark.parametrize("spread", [1e-3, 0.1, 1.0, 100.0, 1e9])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [2, 300, 1000])
def test_gradient_equals_the_dense_one(kernel, spread, ties, n):
    scores = draw(n, spread, ties).requires_grad_()
    grad_ranks = torch.randn(n, dtype=torch.float64)
    (grad,) = torch.autograd.grad(KERNELS[kernel][0](scores), scores, grad_ranks)
    expected = dense_gradient(kernel, scores.detach(), grad_ranks)
    torch.testing.assert_close(grad, expected, rtol=1e-10, atol=1e-13 * max(1.0, expected.abs().max().item()))


@every_kernel
@pytest.mark.parametrize("spread", [0.1, 1.0, 1e4])
@pytest.mark.parametrize("ties", [False, True])
def test_ten_thousand_items(kernel, spread, ties):
    n = 10_000 if kernel != "sigmoid" or (spread, ties) == (1.0, False) else 1000  # the sigmoid takes all pairs, in seconds
    scores = draw(n, spread, ties)
    rows = torch.randint(n, (100,))
    torch.testing.assert_close(KERNELS[kernel][0](scores)[rows], dense_ranks(kernel, scores, rows), rtol=1e-12, atol=0)
    single = scores.float()
    ranks = KERNELS[kernel][0](single)[rows].double()
    torch.testing.assert_close(ranks, dense_ranks(kernel, single, rows), rtol=0, atol=2e-7 * n)


@every_kernel
@pytest.mark.parametrize("shape", [(600, 30), (3, 600), (2, 3, 700)])
def test_blocks_do_not_show(kernel, shape):
    """Shapes whose pairs fill several blocks: many lists in one, and a list over several."""
    scores = torch.randn(shape, dtype=torch.float64)
    expected = torch.stack([dense_ranks(kernel, row, slice(None)) for row in scores.reshape(-1, shape[-1])]).view(shape)
    torch.testing.assert_close(KERNELS[kernel][0](scores), expected, rtol=1e-12, atol=0)


@given(st.lists(st.floats(-3, 3, width=32) | st.sampled_from([0.0, 0.5, -1e6, 1e6]), min_size=1, max_size=60), st.floats(1e-3, 1e3))
@settings(deadline=None)
@every_kernel
def test_theorem_ranks_sum_to_n_times_n_plus_1_over_2(kernel, scores, knob):
    """F(x) + F(-x) = 1: each pair shares out one place."""
    ranker = {"sigmoid": rb.sigmoid_ranks, "laplace": rb.laplace_ranks, "box": rb.box_ranks}[kernel]
    ranks = ranker(torch.tensor(scores, dtype=torch.float64), **{"width" if kernel == "box" else "tau": knob})
    n = len(scores)
    assert ranks.sum().item() == pytest.approx(n * (n + 1) / 2, rel=1e-12)


@every_kernel
def test_slope_at_zero(kernel):
    """Two tied items, knob 0.1: the slope is F'(0) / 0.1 with F'(0) = 1/4, 1/2, 1/2."""
    scores = torch.zeros(2, requires_grad=True)
    KERNELS[kernel][0](scores)[0].backward()
    slope = {"sigmoid": 2.5, "laplace": 5.0, "box": 5.0}[kernel]
    torch.testing.assert_close(scores.grad, torch.tensor([-slope, slope]))


@pytest.mark.parametrize("spread", [0.11, 1e3, 1e30])
def test_box_alone_within_a_width_has_no_gradient(spread):
    scores = (torch.randperm(50).float() * spread).requires_grad_()
    ranks = rb.box_ranks(scores, width=0.1)
    assert torch.equal(ranks, rb.exact_ranks(scores))
    ranks.backward(torch.randn(50))
    assert (scores.grad == 0).all()


@pytest.mark.parametrize("down", [False, True])
def test_box_alone_however_running_sums_round(down, monkeypatch):
    """A GPU adds in an order of its own: the last digit of a place means nothing."""
    exact = spacing.running_sums

    def rounded(values):
        sums = exact(values)
        odd = torch.arange(sums.shape[-1]) % 2 == int(down)
        return torch.where(odd & (sums > 0), torch.nextafter(sums, torch.zeros_like(sums)), sums)

    monkeypatch.setattr(spacing, "running_sums", rounded)
    apart = kernels._apart("cuda")
    monkeypatch.setattr(kernels, "_apart", lambda device_type: apart)
    scores = torch.tensor([0.0, 1.3, 2.9, 4.1, 7.7, 8.1]).requires_grad_()
    where = torch.tensor([True, True, True, True, True, False])
    (rb.box_ranks(scores, where=where, width=0.7) * torch.arange(1.0, 7)).sum().backward()
    assert (scores.grad == 0).all()


@every_kernel
def test_outlier_costs_no_digits(kernel):
    """A score of 1e30 in the list leaves the ranks and gradients of the others as they were."""
    ranker = KERNELS[kernel][0]
    scores, grad_ranks = torch.randn(40), torch.randn(40)
    grads = []
    for outlier in (10.0, 1e30):
        s = torch.cat([scores, torch.tensor([outlier])]).requires_grad_()
        ranks = ranker(s)[:40]
        grads.append(torch.autograd.grad(ranks, s, grad_ranks)[0][:40])
        torch.testing.assert_close(ranks, ranker(scores) + 1, rtol=1e-6, atol=0)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-5, atol=1e-5)
