"""Sorting networks: the wiring sorts, the vector that runs backward is the matrix product, and diffsort agrees."""

from itertools import permutations

import pytest
import torch

import oracles
import rankbook as rb

both_networks = pytest.mark.parametrize("network", ["odd_even", "bitonic"])


def odd_even_wiring(n):
    return [(a, a + 1) for layer in range(n) for a in range(layer % 2, n - 1, 2)]


def bitonic_wiring(n):
    """Each block of a merge first against its mirror image, then halves, quarters ... in place. n is a power of two."""
    wiring, block = [], 2
    while block <= n:
        for start in range(0, n, block):
            wiring += [(start + i, start + block - 1 - i) for i in range(block // 2)]
        step = block // 4
        while step:
            wiring += [(i, i + step) for i in range(n) if i & step == 0]
            step //= 2
        block *= 2
    return wiring


def test_golden():
    """Two items, lead of one tau: arctan 1 = pi / 4, so they stay with 3/4."""
    for network in ("odd_even", "bitonic"):
        ranks = rb.network_ranks(torch.tensor([0.3, 0.2], dtype=torch.float64), tau=0.1, network=network)
        assert ranks.tolist() == pytest.approx([0.75 * 1 + 0.25 * 2, 0.25 * 1 + 0.75 * 2], abs=1e-12)


@both_networks
@pytest.mark.parametrize("n", range(1, 7))
def test_sorts_every_permutation(network, n):
    scores = torch.tensor(list(permutations(range(n))), dtype=torch.float64)
    ranks = rb.network_ranks(scores, tau=1e-12, network=network)
    torch.testing.assert_close(ranks, n - scores, rtol=0, atol=1e-8)


@both_networks
def test_sorts_every_list_of_zeros_and_ones(network):
    """The zero-one principle: a network that sorts these (tied) lists sorts all. Ones take the first places."""
    for n in (7, 8, 11):
        scores = (torch.arange(1 << n).unsqueeze(-1) >> torch.arange(n) & 1).double()
        ranks = rb.network_ranks(scores, tau=1e-12, network=network)
        ones = scores.sum(-1, keepdim=True)
        assert torch.where(scores == 1, ranks <= ones + 1e-8, ranks >= ones + 1 - 1e-8).all()


@pytest.mark.parametrize(("network", "wiring", "n"), [("odd_even", odd_even_wiring, 9), ("bitonic", bitonic_wiring, 8)])
@pytest.mark.parametrize("tau", [0.01, 0.3, 5.0])
def test_equals_the_product_of_matrices(network, wiring, n, tau):
    scores = torch.randn(n, dtype=torch.float64)
    expected = oracles.network_ranks(scores.tolist(), wiring(n), tau=tau)
    ours = rb.network_ranks(scores, tau=tau, network=network)
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=0)


@pytest.mark.parametrize("n", [2, 8, 13])
def test_equals_diffsort(n):
    """The authors' package sorts upward and returns the matrix [item, place]."""
    diffsort = pytest.importorskip("diffsort")
    scores = torch.randn(3, n, dtype=torch.float64)
    mine, theirs = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    matrix = diffsort.DiffSortNet("odd_even", n, steepness=1 / 0.3, distribution="cauchy")(-theirs)[1]
    expected = matrix @ torch.arange(1, n + 1, dtype=torch.float64)
    ranks = rb.network_ranks(mine, tau=0.3)
    torch.testing.assert_close(ranks, expected, rtol=1e-10, atol=0)
    weights = torch.randn(3, n, dtype=torch.float64)
    ours, others = torch.autograd.grad(ranks, mine, weights)[0], torch.autograd.grad(expected, theirs, weights)[0]
    torch.testing.assert_close(ours, others, rtol=1e-9, atol=1e-9)


@both_networks
def test_monotonic(network):
    """A higher score never comes out at a later place (the reason for the arctangent)."""
    scores = torch.randn(200, 8, dtype=torch.float64)
    for item in range(8):
        s = scores.clone().requires_grad_()
        rb.network_ranks(s, tau=0.5, network=network)[:, item].sum().backward()
        assert (s.grad[:, item] <= 1e-12).all()


@both_networks
def test_huge_scores_and_a_tiny_tau(network):
    """Autograd's product of slope (1e9) and lead (1e30) overflows here; the gradient by hand stays finite."""
    scores = torch.tensor([1e30, -1e30, 1e30, 3e29, 0.0, -2e30, 1e30], requires_grad=True)
    rb.network_ranks(scores, tau=1e-9, network=network)[0].backward()
    assert scores.grad.isfinite().all()


def test_unknown_network():
    with pytest.raises(ValueError, match='network must be "odd_even" or "bitonic", got \'bubble\''):
        rb.network_ranks(torch.zeros(2), network="bubble")
