"""The projection on the permutahedron, against its optimality condition and two isotonic regressions."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression as scipy_isotonic
from sklearn.isotonic import isotonic_regression as sklearn_isotonic

import rankbook as rb

l2 = partial(rb.projection_ranks, regularization="l2")
kl = partial(rb.projection_ranks, regularization="kl")
score_lists = st.lists(st.floats(-2, 2, width=32) | st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=25)
knobs = st.floats(0.01, 100)


def test_golden_l2():
    """Three items, strength 0.6 / 3 = 0.2. Gaps .1 and .5 against .2: the top two share a block."""
    ranks = l2(torch.tensor([0.8, 0.9, 0.3], dtype=torch.float64), tau=0.6)
    assert ranks.tolist() == pytest.approx([1.5 + (0.85 - 0.8) / 0.2, 1.5 + (0.85 - 0.9) / 0.2, 3], abs=1e-12)


def test_golden_kl():
    """Two items: one block while the gap is below tau ln 2; their three places in the ratio e^(gap / tau)."""
    ranks = kl(torch.tensor([0.5, 0.4], dtype=torch.float64), tau=0.2)
    share = 1 / (1 + math.exp(0.1 / 0.2))
    assert ranks.tolist() == pytest.approx([3 * share, 3 * (1 - share)], abs=1e-12)
    assert kl(torch.tensor([0.5, 0.5 - 0.2 * 0.7]), tau=0.2).tolist() == [1, 2]  # 0.7 > ln 2


@given(score_lists, knobs)
@settings(deadline=None)
@pytest.mark.parametrize("regularization", ["l2", "kl"])
def test_theorem_optimal_on_the_permutahedron(regularization, scores, tau):
    """r is in the hull (majorized by 1..n), and no vertex is downhill from it: that is the optimum of a convex problem."""
    s = torch.tensor(scores, dtype=torch.float64)
    n = len(scores)
    r = rb.projection_ranks(s, tau=tau, regularization=regularization)
    places = torch.arange(1, n + 1, dtype=torch.float64)
    assert (r.sort().values.cumsum(0) >= places.cumsum(0) - 1e-8).all()
    assert r.sum().item() == pytest.approx(places.sum().item(), rel=1e-10)
    downhill = s / (tau / n) + r if regularization == "l2" else s / tau + r.log()
    lowest = (downhill.sort(descending=True).values * places).sum()
    assert ((downhill * r).sum() - lowest).abs().item() <= 1e-8 * (1 + n * downhill.abs().max().item())


@pytest.mark.parametrize("isotonic", [sklearn_isotonic, lambda y: scipy_isotonic(y).x], ids=["scikit-learn", "scipy"])
@pytest.mark.parametrize("tau", [0.1, 1.0, 5.0, 50.0])
@pytest.mark.parametrize("n", [2, 30, 1000])
def test_l2_equals_isotonic_regression(isotonic, tau, n):
    """r = u - isotonic(u - p) for u = -s / strength in ascending order."""
    scores = torch.randn(n, dtype=torch.float64)
    u, order = (-scores * n / tau).sort()
    places = torch.arange(1, n + 1)
    expected = u - torch.as_tensor(isotonic((u - places).numpy()))
    torch.testing.assert_close(l2(scores, tau=tau)[order], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("ties", [False, True])
def test_kl_equals_the_minimax_formula(tau, ties):
    """log r = z - v with v_i = max over a <= i of min over b >= i of [log sum exp z - log sum p] on a..b."""
    scores = torch.randn(12, dtype=torch.float64)
    scores = scores.round() if ties else scores
    z, order = (-scores / tau).sort()
    places = torch.arange(1, 13, dtype=torch.float64)

    def level(a, b):
        return (z[a : b + 1].logsumexp(0) - places[a : b + 1].sum().log()).item()

    v = [max(min(level(a, b) for b in range(i, 12)) for a in range(i + 1)) for i in range(12)]
    expected = (z - torch.tensor(v, dtype=torch.float64)).exp()
    torch.testing.assert_close(kl(scores, tau=tau)[order], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_tau_does_not_change_meaning_with_n(n):
    """Scores evenly spread over a length of 1: exact from tau = 1 down, a single block from tau = 2 up, at any n."""
    scores = torch.linspace(1, 0, n, dtype=torch.float64)
    exact = torch.arange(1, n + 1, dtype=torch.float64)
    torch.testing.assert_close(l2(scores, tau=1.0), exact)
    torch.testing.assert_close(l2(scores, tau=2.0), (n + 1) / 2 + (0.5 - scores) * n / 2)


@pytest.mark.parametrize("ranker", [l2, kl], ids=["l2", "kl"])
def test_separated_scores_have_no_gradient(ranker):
    scores = torch.randperm(20).double().requires_grad_()
    ranker(scores, tau=0.5).backward(torch.randn(20, dtype=torch.float64))
    assert (scores.grad == 0).all()


@pytest.mark.parametrize("ranker", [l2, kl], ids=["l2", "kl"])
def test_long_lists_with_one_large_block(ranker):
    scores = torch.randn(10_000)
    ranks = ranker(scores, tau=1e4)
    assert ranks.double().sum().item() == pytest.approx(10_000 * 10_001 / 2, rel=1e-6)
    assert (ranks[scores.argsort(descending=True)].diff() >= 0).all()


def test_unknown_regularization():
    with pytest.raises(ValueError, match='regularization must be "l2" or "kl", got \'entropy\''):
        rb.projection_ranks(torch.zeros(2), regularization="entropy")


@pytest.mark.parametrize("ranker", [l2, kl], ids=["l2", "kl"])
@pytest.mark.parametrize("tau", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("spread", [1.0, 1e3])
def test_many_lists_are_pooled_as_each_alone(ranker, tau, spread):
    """Long inputs are pooled in passes over all lists, short ones one block after the other."""
    scores = spread * torch.randn(40, 60, dtype=torch.float64)
    torch.testing.assert_close(ranker(scores, tau=tau), torch.stack([ranker(row, tau=tau) for row in scores]), rtol=1e-11, atol=0)


@pytest.mark.parametrize("ranker", [l2, kl], ids=["l2", "kl"])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e5, 1e30])
def test_lists_of_any_spread_next_to_each_other(ranker, spread):
    """The lists of a batch are pooled as one long list: none leans on its neighbor, and no exponential overflows."""
    scores = torch.randn(300, 40, dtype=torch.float64)
    scores[::2] *= spread
    scores[::3] = scores[::3].round()
    together = ranker(scores, tau=0.3)
    torch.testing.assert_close(together, torch.stack([ranker(row, tau=0.3) for row in scores]), rtol=1e-11, atol=0)
    torch.testing.assert_close(together.sum(-1), torch.full((300,), 820.0, dtype=torch.float64))
