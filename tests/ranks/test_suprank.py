"""SupRank is an upper bound, everywhere."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
import rankbook as rb

# scores on a coarse grid tie often; others are anywhere, next to a tie too
items = st.lists(
    st.tuples(st.integers(-3, 3).map(lambda x: x / 8) | st.floats(-2, 2, width=32) | st.sampled_from([0.1, 0.1 + 1e-8]), st.integers(0, 3)),
    min_size=1,
    max_size=30,
)
knobs = st.tuples(st.floats(1e-3, 10), st.floats(1e-3, 1e3), st.floats(1e-3, 10))


def sigma(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("lead", "value"),
    [
        (-0.02, sigma(-2)),
        (0.0, 1.0),
        (0.02, sigma(2) + 0.5),
        (0.05, sigma(5) + 0.5),  # the knee: 1.4933
        (0.10, sigma(5) + 0.5 + 100 * 0.05),
    ],
)
def test_golden_step(lead, value):
    """One positive, one negative at a given lead, the knobs of the paper."""
    scores = torch.tensor([0.0, lead], dtype=torch.float64)
    ranks = rb.sup_ranks(scores, torch.tensor([1, 0]))
    assert ranks[0].item() == pytest.approx(1 + value, abs=1e-12)
    assert ranks[1].item() == rb.exact_ranks(scores)[1].item()


def test_knee_is_continuous():
    scores = torch.tensor([[0.0, 0.05 - 1e-9], [0.0, 0.05 + 1e-9]], dtype=torch.float64)
    below, above = rb.sup_ranks(scores, torch.tensor([1, 0]))[:, 0].tolist()
    assert above - below < 1e-6
    assert below == pytest.approx(1 + 1.4933, abs=1e-4)


@given(items, knobs)
@settings(deadline=None)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_theorem_never_below_the_exact_rank(dtype, items, knobs):
    """With no tolerance: rounding may not break the bound either."""
    scores = torch.tensor([score for score, _ in items], dtype=dtype)
    relevance = torch.tensor([grade for _, grade in items])
    tau, rho, delta = knobs
    assert (rb.sup_ranks(scores, relevance, tau=tau, rho=rho, delta=delta) >= rb.exact_ranks(scores)).all()


@given(items)
@settings(deadline=None)
def test_theorem_sup_ap_bounds_ap(items):
    scores = torch.tensor([score for score, _ in items], dtype=torch.float64)
    relevance = torch.tensor([grade for _, grade in items])
    if relevance.any():
        loss = rb.as_loss(rb.average_precision, rb.sup_ranks)(scores, relevance)
        assert loss >= 1 - rb.average_precision(scores, relevance) - 1e-12


def test_bound_holds_when_all_scores_tie():
    """Two positives, two negatives: AP = .5 (both at rank 4 of 4). The step that starts at 0 for x > 0 only would claim 2/3."""
    loss = rb.as_loss(rb.average_precision, rb.sup_ranks)(torch.full((4,), 0.3), torch.tensor([1, 1, 0, 0]))
    assert loss.item() == pytest.approx(1 - (2 / 4 + 2 / 4) / 2)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_the_loop(n, ties):
    scores = torch.randn(n, dtype=torch.float64) / 10
    scores = (scores * 20).round() / 20 if ties else scores
    relevance = torch.randint(4, (n,))
    expected = oracles.sup_ranks(scores.tolist(), relevance.tolist(), tau=0.02, rho=30.0, delta=0.07)
    ranks = rb.sup_ranks(scores, relevance, tau=0.02, rho=30.0, delta=0.07)
    torch.testing.assert_close(ranks, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", [(300, 40), (2, 900)])
def test_blocks_do_not_show(shape):
    scores = torch.randn(shape, dtype=torch.float64).requires_grad_()
    relevance = torch.randint(3, shape)
    weights = torch.randn(shape, dtype=torch.float64)
    ranks = rb.sup_ranks(scores, relevance, tau=0.3, rho=2.0, delta=0.5)
    (grad,) = torch.autograd.grad(ranks, scores, weights)

    s = scores.detach().requires_grad_()
    x = s.unsqueeze(-2) - s.unsqueeze(-1)
    upper = torch.sigmoid(x.clamp(max=0.5) / 0.3) + 0.5 * (x >= 0) + 2.0 * (x - 0.5).clamp(min=0)
    exact = (x >= 0).double()
    expected = torch.where(relevance.unsqueeze(-2) < relevance.unsqueeze(-1), upper, exact).sum(-1)
    torch.testing.assert_close(ranks, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(grad, torch.autograd.grad(expected, s, weights)[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("relevance", [[1, 0, 1], [True, False, True], [0.5, -0.5, 0.5]], ids=["int", "bool", "float"])
def test_any_kind_of_relevance(relevance):
    scores = torch.tensor([0.1, 0.2, 0.3])
    assert torch.equal(rb.sup_ranks(scores, torch.tensor(relevance)), rb.sup_ranks(scores, torch.tensor([2.0, 1.0, 2.0])))


def test_no_force_between_equals_nor_from_the_more_relevant():
    scores = torch.tensor([0.0, 0.03, 0.06], requires_grad=True)
    ranks = rb.sup_ranks(scores, torch.tensor([1, 1, 2]))
    ranks[0].backward()  # nothing is less relevant
    assert ranks.tolist()[:2] == [3, 2]
    assert scores.grad.tolist() == [0, 0, 0]


def test_force_on_a_negative_far_ahead_is_rho():
    scores = torch.tensor([0.0, 50.0], requires_grad=True)
    rb.sup_ranks(scores, torch.tensor([1, 0]), rho=7.0)[0].backward()
    assert scores.grad.tolist() == [-7, 7]


def test_relevance_is_needed():
    with pytest.raises(ValueError, match="relevance must be given: sup_ranks"):
        rb.sup_ranks(torch.zeros(2))


@pytest.mark.parametrize("name", ["rho", "delta"])
def test_knobs_must_be_above_zero(name):
    with pytest.raises(ValueError, match=f"{name} must be a finite number above 0"):
        rb.sup_ranks(torch.zeros(2), torch.zeros(2), **{name: 0.0})
