"""The black-box difference, and the perturbed ranks against the closed form of their expectation."""

import math

import pytest
import torch

import rankbook as rb


def test_golden_gradient():
    """Gradient 2 on the rank of item 0 lifts its score by .1 * 2 over item 1: the ranks 3, 1, 2 become 2, 1, 3."""
    scores = torch.tensor([0.2, 0.9, 0.3], requires_grad=True)
    ranks = rb.blackbox_ranks(scores, strength=0.1)
    assert ranks.tolist() == [3, 1, 2]
    (2 * ranks[0]).backward()
    torch.testing.assert_close(scores.grad, torch.tensor([(2 - 3) / 0.1, 0.0, (3 - 2) / 0.1]))


def test_no_gradient_until_the_gap_is_bridged():
    for strength, moves in [(0.09, False), (0.11, True)]:
        scores = torch.tensor([0.2, 0.9, 0.3], requires_grad=True)
        rb.blackbox_ranks(scores, strength=strength)[0].backward()
        assert bool((scores.grad != 0).any()) == moves


def test_blackbox_gradient_sums_to_zero_at_ties():
    scores = torch.tensor([0.5, 0.5, 0.5, 0.1], requires_grad=True)
    ranks = rb.blackbox_ranks(scores, strength=1.0)
    assert ranks.tolist() == [3, 3, 3, 4]
    ranks[0].backward()
    assert scores.grad.tolist() == [1 - 2, 2.5 - 2, 2.5 - 2, 0]


def test_descent_by_blackbox_ranks_brings_the_positive_to_the_front():
    scores = torch.linspace(1, 0, 10).requires_grad_()
    for _ in range(10):
        (grad,) = torch.autograd.grad(rb.blackbox_ranks(scores, strength=0.25)[9], scores)
        scores = (scores - 0.05 * grad).detach().requires_grad_()
    assert rb.exact_ranks(scores)[9] == 1


def expected_ranks(scores, sigma):
    """s_j + sigma Z_j beats s_i + sigma Z_i with the probability Phi((s_j - s_i) / (sigma sqrt 2))."""
    lead = (scores - scores.unsqueeze(-1)) / (sigma * math.sqrt(2))
    return 0.5 + torch.special.ndtr(lead).sum(-1)


@pytest.mark.parametrize("scores", [[0.3, 0.1, 0.0, 0.05, -0.4], [0.2, 0.2, 0.2]], ids=["apart", "tied"])
def test_perturbed_ranks_and_gradient_are_unbiased(scores):
    """The mean over independent estimates is the closed form, within five standard errors."""
    s = torch.tensor(scores, dtype=torch.float64)
    weights = torch.randn(len(scores), dtype=torch.float64)
    runs = s.expand(4000, -1).clone().requires_grad_()  # each list of a batch draws its own noise
    ranks = rb.perturbed_ranks(runs, sigma=0.2, samples=4, generator=torch.Generator().manual_seed(1))
    (grad,) = torch.autograd.grad(ranks, runs, weights.expand_as(runs))
    s.requires_grad_()
    expected = expected_ranks(s, 0.2)
    (expected_grad,) = torch.autograd.grad(expected, s, weights)
    for estimate, truth in [(ranks, expected), (grad, expected_grad)]:
        error = (estimate.mean(0) - truth).abs()
        assert (error <= 5 * estimate.std(0) / math.sqrt(4000) + 1e-9).all()
        assert (estimate.std(0) / math.sqrt(4000) < 0.05 * truth.abs().max()).all()  # the test has power


def test_pairs_reduce_the_variance():
    """Against the plain score-function estimate from as many independent sorts."""
    s = torch.linspace(0, 1, 10, dtype=torch.float64)
    runs = s.expand(2000, -1).clone().requires_grad_()
    ranks = rb.perturbed_ranks(runs, sigma=0.3, samples=2, generator=torch.Generator().manual_seed(1))
    (paired,) = torch.autograd.grad(ranks, runs, torch.ones_like(ranks) * torch.arange(10))
    noise = torch.randn(2, 2000, 10, dtype=torch.float64)
    along = (rb.exact_ranks(s + 0.3 * noise) * torch.arange(10)).sum(-1, keepdim=True)
    plain = (along * noise).mean(0) / 0.3
    assert paired.var(0).sum() < plain.var(0).sum() / 10


def test_generator_decides_the_noise():
    scores = torch.randn(2, 8)

    def ranks(generator):
        return rb.perturbed_ranks(scores, sigma=0.5, generator=generator)

    assert torch.equal(ranks(torch.Generator().manual_seed(3)), ranks(torch.Generator().manual_seed(3)))
    assert not torch.equal(ranks(torch.Generator().manual_seed(3)), ranks(torch.Generator().manual_seed(4)))
    generator = torch.Generator().manual_seed(3)
    assert not torch.equal(ranks(generator), ranks(generator))
    torch.manual_seed(3)
    assert torch.equal(ranks(None), ranks(torch.Generator().manual_seed(3)))  # None: torch's global generator


@pytest.mark.parametrize("samples", [0, 1, 7, 8.0, True])
def test_bad_samples(samples):
    with pytest.raises(ValueError, match="samples must be an even whole number of at least 2"):
        rb.perturbed_ranks(torch.zeros(2), samples=samples)
