"""NeuralSort, SoftSort and Sinkhorn against their matrices, built item by item."""

import math
from functools import partial

import pytest
import torch

import oracles
import rankbook as rb
from rankbook.ranks import kernels, neuralsort
from ranks.test_pairs import Largest

taus = pytest.mark.parametrize("tau", [0.01, 0.1, 1.0, 10.0])


def test_golden_softsort():
    """Two items, a gap of one tau: each row holds e^0 and e^-1."""
    near, far = 1 / (1 + math.exp(-1)), math.exp(-1) / (1 + math.exp(-1))
    ranks = rb.softsort_ranks(torch.tensor([0.3, 0.2], dtype=torch.float64), tau=0.1)
    assert ranks.tolist() == pytest.approx([near + 2 * far, far + 2 * near], abs=1e-12)


def test_golden_sinkhorn():
    """Two items: P = [[x, 1 - x], [1 - x, x]] and the entropy puts log(x / (1 - x)) at half the gain gap / tau of the right order."""
    x = 1 / (1 + math.exp(-0.5))
    ranks = rb.sinkhorn_ranks(torch.tensor([0.3, 0.2], dtype=torch.float64), tau=0.1)
    assert ranks.tolist() == pytest.approx([x + 2 * (1 - x), (1 - x) + 2 * x], abs=1e-12)


@taus
@pytest.mark.parametrize("n", [1, 2, 5, 24])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", ["neuralsort_ranks", "softsort_ranks"])
def test_equals_the_loop(name, tau, n, ties):
    scores = torch.randn(n, dtype=torch.float64)
    scores = scores.round() if ties else scores
    loop = getattr(oracles, name)(scores.tolist(), tau=tau)
    torch.testing.assert_close(getattr(rb, name)(scores, tau=tau), torch.tensor(loop, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def matrix(name, scores, tau):
    """The relaxed permutation matrix [..., p, j] as the papers write it."""
    n = scores.shape[-1]
    if name == "neuralsort_ranks":
        sums = (scores.unsqueeze(-1) - scores.unsqueeze(-2)).abs().sum(-1)
        lines = n + 1 - 2 * torch.arange(1, n + 1, dtype=scores.dtype)
        return torch.softmax((lines.unsqueeze(-1) * scores.unsqueeze(-2) - sums.unsqueeze(-2)) / tau, -1)
    descending = scores.sort(descending=True).values
    return torch.softmax(-(descending.unsqueeze(-1) - scores.unsqueeze(-2)).abs() / tau, -1)


@pytest.mark.parametrize("tau", [0.01, 0.1, 10.0])
@pytest.mark.parametrize("name", ["neuralsort_ranks", "softsort_ranks"])
def test_long_lists_equal_the_whole_matrix(name, tau):
    """Ranks and gradient, of lists of unequal spread side by side: what is not computed is 0."""
    scores = torch.randn(3, 200, dtype=torch.float64) * torch.tensor([[1.0], [30.0], [0.01]])
    scores[0, 100:120] = 3.0  # a crowd at the front, and a gap
    scores.requires_grad_()
    weight, places = torch.randn(3, 200, dtype=torch.float64), torch.arange(1, 201, dtype=torch.float64)
    whole = matrix(name, scores, tau)
    expected = (places @ whole) / whole.sum(-2)
    ranks = getattr(rb, name)(scores, tau=tau)
    torch.testing.assert_close(ranks, expected, rtol=1e-8, atol=1e-8)
    single = scores.detach()[:, :100].clone().requires_grad_()  # without ties, where the matrix has no derivative
    whole = matrix(name, single, tau)
    (theirs,) = torch.autograd.grad((places[:100] @ whole) / whole.sum(-2), single, weight[:, :100])
    (ours,) = torch.autograd.grad(getattr(rb, name)(single, tau=tau), single, weight[:, :100])
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8 * theirs.abs().max().item())
    half = getattr(rb, name)(scores.detach().float(), tau=tau)
    torch.testing.assert_close(half.double(), getattr(rb, name)(scores.detach().float().double(), tau=tau), rtol=1e-6, atol=0)


def ranks_and_gradient(ranker, scores, where):
    leaf = scores.clone().requires_grad_()
    ranks = ranker(leaf, where=where)
    (gradient,) = torch.autograd.grad(ranks, leaf, torch.linspace(-1, 1, scores.numel(), dtype=scores.dtype).view(scores.shape))
    return ranks.detach(), gradient


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("lists", "n"), [(1, 1), (3, 20), (2, 128), (4, 300)])
def test_what_is_kept_is_what_is_computed_again(lists, n, ties, monkeypatch):
    """All pairs, kept windows, windows computed anew: three ways to the same sums; and a matrix that is kept or not."""
    scores = torch.randn(lists, n, dtype=torch.float64)
    scores = scores.mul(4).round() if ties else scores
    where = torch.rand(lists, n) > 0.2
    where[:, 0] = True
    for ranker in (rb.laplace_ranks, rb.softsort_ranks):
        ranker, found = partial(ranker, tau=0.1), []
        for few in (lists * n * n, lists * n * n.bit_length(), 0):
            monkeypatch.setattr(kernels, "_FEW", few)
            found.append(ranks_and_gradient(ranker, scores, where))
        torch.testing.assert_close(found[1:], found[:1] * 2, rtol=1e-9, atol=1e-9)
    ranker, found = partial(rb.neuralsort_ranks, tau=0.1), []
    for kept in (neuralsort.KEPT, 0):
        monkeypatch.setattr(neuralsort, "KEPT", kept)
        found.append(ranks_and_gradient(ranker, scores, where))
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-9)


def test_many_gradients_at_once_do_not_repeat_what_was_kept():
    """A vectorized Jacobian has all scores once more for each of the 160 gradients; two matrices each would be two million numbers."""
    scores = torch.randn(2, 80, dtype=torch.float64)
    with Largest() as seen:
        whole = torch.autograd.functional.jacobian(partial(rb.neuralsort_ranks, tau=0.1), scores, vectorize=True)
    assert seen.elements <= neuralsort.KEPT < 160 * 2 * 80 * 80
    single = torch.autograd.functional.jacobian(partial(rb.neuralsort_ranks, tau=0.1), scores)
    torch.testing.assert_close(whole, single, rtol=1e-9, atol=1e-9)


def test_softsort_ties_do_not_push_each_other():
    """The distance of two ties has no slope, as in autograd; which of them leads which row is up to the sort."""
    scores = torch.cat([torch.full((40,), 0.5), torch.tensor([0.4, 0.6, 0.61])]).double().requires_grad_()
    weight = torch.cat([torch.ones(40), torch.tensor([5.0, -2.0, 3.0])]).double()
    (ours,) = torch.autograd.grad(rb.softsort_ranks(scores, tau=0.1), scores, weight)
    whole, places = matrix("softsort_ranks", scores, 0.1), torch.arange(1, 44, dtype=torch.float64)
    (theirs,) = torch.autograd.grad((places @ whole) / whole.sum(-2), scores, weight)
    for part in (slice(0, 40), slice(40, 43)):
        torch.testing.assert_close(ours[part].sort().values, theirs[part].sort().values, rtol=1e-9, atol=1e-9)
    assert ours[:40].abs().max() > 0.1


@pytest.mark.parametrize("tau", [0.5, 1.0, 10.0])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_sinkhorn_converges_to_the_flat_start(tau, n):
    """The start from the sorted prices changes the way, not the end: the fixed point equals that of the plain iteration."""
    scores = torch.randn(n, dtype=torch.float64)
    loop = oracles.sinkhorn_ranks(scores.tolist(), tau=tau, iterations=1000)
    ours = rb.sinkhorn_ranks(scores, tau=tau, iterations=1000)
    torch.testing.assert_close(ours, torch.tensor(loop, dtype=torch.float64), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("iterations", [1, 3])
def test_sinkhorn_is_exact_for_small_tau_at_once(iterations):
    """From a flat start this would take some spread * n / tau iterations."""
    scores = torch.randperm(50) / 10
    torch.testing.assert_close(rb.sinkhorn_ranks(scores, tau=1e-3, iterations=iterations), rb.exact_ranks(scores))


def test_sinkhorn_ranks_sum_up_when_converged():
    ranks = rb.sinkhorn_ranks(torch.randn(4, 10, dtype=torch.float64), tau=1.0, iterations=500)
    torch.testing.assert_close(ranks.sum(-1), torch.full((4,), 55.0, dtype=torch.float64))


@pytest.mark.parametrize("iterations", [0, -1, 2.0, True])
def test_bad_iterations(iterations):
    with pytest.raises(ValueError, match="iterations must be a whole number of at least 1, got"):
        rb.sinkhorn_ranks(torch.zeros(2), iterations=iterations)


@pytest.mark.parametrize("name", ["neuralsort_ranks", "softsort_ranks", "sinkhorn_ranks"])
def test_outlier_and_offset_cost_no_digits(name):
    """In float32, an item at 1e30 in front or an offset of 1024 changes nothing: only gaps enter."""
    scores = (torch.randn(30) * 64).round() / 64
    ranker = getattr(rb, name)
    expected = ranker(scores, tau=0.1)
    torch.testing.assert_close(ranker(scores + 1024, tau=0.1), expected)
    torch.testing.assert_close(ranker(torch.cat([scores, torch.tensor([1e30])]), tau=0.1)[:30], expected + 1)
