"""Soft membership of the top k: its equation, its gradient, its limits, masks and modes. It is no ranker: contract.py names it so."""

import math

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from modes import MODES
from ranks.test_modes import NoFloat64, NoHostSync

exact = {"rtol": 0, "atol": 1e-12}
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def by_bisection(scores, k, tau):
    """The threshold by halving, one float at a time."""
    low, high = min(scores) - 100 * tau, max(scores) + 100 * tau

    def share(s, threshold):
        x = (s - threshold) / tau
        return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))

    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(share(s, middle) for s in scores) >= k else (low, middle)
    return [share(s, (low + high) / 2) for s in scores]


def with_gradient(scores, k, **kwargs):
    scores = scores.clone().requires_grad_()
    shares = rb.soft_top_k(scores, k, **kwargs)
    weights = torch.arange(1, scores.shape[-1] + 1, dtype=shares.dtype, device=shares.device)
    return shares.detach(), torch.autograd.grad((weights * shares).sum(), scores)[0]


@pytest.mark.parametrize("tau", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("k", [1, 3, 6, 7])
def test_by_bisection(k, tau):
    scores = torch.randn(3, 7, dtype=torch.float64)
    if k == 7:
        assert (rb.soft_top_k(scores, k, tau=tau) == 1).all()
        return
    expected = torch.tensor([by_bisection(row, k, tau) for row in scores.tolist()], dtype=torch.float64)
    assert_close(rb.soft_top_k(scores, k, tau=tau), expected, rtol=0, atol=1e-10)


@every_dtype
@pytest.mark.parametrize(("n", "k"), [(2, 1), (9, 8), (1000, 10), (1000, 999)])
@pytest.mark.parametrize("tau", [1e-6, 0.1, 1e4])
def test_the_shares_sum_to_k_and_follow_the_scores(n, k, tau, dtype):
    scores = torch.randn(3, n, dtype=dtype)
    shares = rb.soft_top_k(scores, k, tau=tau)
    assert shares.dtype == dtype
    assert ((shares >= 0) & (shares <= 1)).all()
    assert_close(shares.sum(-1), torch.full((3,), float(k), dtype=dtype), rtol=1e-6 if dtype == torch.float32 else 1e-12, atol=0)
    assert (shares.gather(-1, scores.argsort(-1)).diff(dim=-1) >= -torch.finfo(dtype).eps).all()


@every_dtype
def test_a_small_tau_is_exact_and_the_tie_at_the_edge_is_divided(dtype):
    scores = torch.tensor([[0.5, 0.9, 0.1, 0.7, 0.3], [0.5, 0.9, 0.5, 0.1, 0.5], [1e30, -1e30, 3.0, 2.0, -3.0]], dtype=dtype)
    expected = torch.tensor([[0, 1, 0, 1, 0], [1 / 3, 1, 1 / 3, 0, 1 / 3], [1, 0, 1, 0, 0]], dtype=dtype)
    assert_close(rb.soft_top_k(scores, 2, tau=1e-4), expected, rtol=0, atol=1e-6)
    assert_close(rb.soft_top_k(torch.full((4,), 0.2, dtype=dtype), 3, tau=1e-4), torch.full((4,), 0.75, dtype=dtype), rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", [1, 4, 8])
def test_gradcheck_and_the_symmetric_jacobian(k):
    scores = torch.randn(9, dtype=torch.float64)
    where = torch.arange(9) != 4
    for mask in (None, where):
        call = lambda s, mask=mask: rb.soft_top_k(s, k, tau=0.3, where=mask)  # noqa: E731
        assert torch.autograd.gradcheck(call, scores.clone().requires_grad_())
        jacobian = torch.func.jacrev(call)(scores)
        assert_close(jacobian, jacobian.T, **exact)
        assert_close(jacobian.sum(-1), torch.zeros_like(scores), **exact)  # a number added to all scores changes nothing


def test_where_is_the_list_without_the_rest():
    scores = torch.randn(6, 8, dtype=torch.float64)
    where = torch.rand(6, 8) < 0.6
    where[0], where[1], where[2, 3:] = True, False, False
    shares, grad = with_gradient(scores.masked_fill(~where, torch.nan), 3, tau=0.3, where=where)
    assert (shares[~where] == 0).all() and (grad[~where] == 0).all()
    for row in range(6):
        here = where[row]
        if here.sum() <= 3:  # a place for each
            assert (shares[row, here] == 1).all() and (grad[row] == 0).all()
            continue
        weights = torch.arange(1, 9, dtype=torch.float64)[here]
        alone = scores[row, here].clone().requires_grad_()
        expected = rb.soft_top_k(alone, 3, tau=0.3)
        assert_close(shares[row, here], expected.detach(), **exact)
        assert_close(grad[row, here], torch.autograd.grad((weights * expected).sum(), alone)[0], **exact)


@every_dtype
def test_hard_lists_are_finite(dtype):
    for scores in (torch.zeros(6), torch.tensor([1e30, -1e30, 0, 1, 2, 1e30]), torch.linspace(-1, 1, 6) * 1e-38, 1e6 + torch.arange(6) / 8):
        for tau in (1e-6, 1.0, 1e6):
            shares, grad = with_gradient(scores.to(dtype), 2, tau=tau)
            assert shares.isfinite().all() and grad.isfinite().all()
            assert abs(shares.sum().item() - 2) < 1e-5


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode):
    scores = torch.randn(3, 9)
    shares, grad = with_gradient(scores, 3, tau=0.3)
    with MODES[mode]():
        found, found_grad = with_gradient(scores, 3, tau=0.3)
    assert torch.equal(found, shares) and torch.equal(found_grad, grad)


def test_other_devices():
    """Without float64; without a look at a value."""
    scores, where = torch.randn(3, 9), torch.arange(9) != 4
    shares, grad = with_gradient(scores, 3, tau=0.3, where=where)
    with NoFloat64():
        found, found_grad = with_gradient(scores, 3, tau=0.3, where=where)
    assert_close(found, shares, rtol=1e-5, atol=1e-6)
    assert_close(found_grad, grad, rtol=1e-4, atol=1e-5)
    with rb.checks.off(), NoHostSync():
        assert torch.equal(with_gradient(scores, 3, tau=0.3, where=where)[1], grad)


def test_half_compile_vmap_and_second_order():
    scores = torch.randn(3, 9).half()
    assert torch.equal(rb.soft_top_k(scores, 3, tau=0.3), rb.soft_top_k(scores.float(), 3, tau=0.3))
    scores = torch.randn(3, 9)
    shares = rb.soft_top_k(scores, 3, tau=0.3)
    assert_close(torch.func.vmap(lambda s: rb.soft_top_k(s, 3, tau=0.3))(scores), shares)
    torch._dynamo.reset()
    compiled = torch.compile(lambda s: rb.soft_top_k(s, 3, tau=0.3), backend="eager", fullgraph=True)
    assert torch.equal(compiled(scores), shares)
    (grad,) = torch.autograd.grad(rb.soft_top_k(scores.requires_grad_(), 3, tau=0.3)[:, 0].sum(), scores, create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiable once"):
        grad.sum().backward()


@pytest.mark.parametrize("k", [0, 6, 1.5, True, None, "2", torch.tensor(2)])
def test_k_is_a_whole_number_of_places(k):
    with pytest.raises(ValueError, match="k must be a whole number from 1 to 5, got"):
        rb.soft_top_k(torch.rand(5), k, tau=0.1)
