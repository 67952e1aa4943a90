"""The steps that rankers and batch losses share: in float32 they keep the digits of the float64 formulas, far leads too."""

import pytest
import torch

import rankbook as rb
from rankbook.ranks.kernels import BoxStep, LaplaceStep
from rankbook.ranks.pairs import count, count_exactly
from rankbook.ranks.smooth import SigmoidStep
from rankbook.ranks.suprank import SupStep

# leads in units of tau; behind them the float32 slopes stop falling
LEADS = torch.cat([torch.linspace(-40, 40, 201, dtype=torch.float64), torch.tensor([-1e-20, 0.0, 1e-20], dtype=torch.float64)])


def sigmoid(x):
    """Exact also for a slope, which is a product of two values."""
    return torch.where(x > 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x)))


def slope(x):
    return sigmoid(x) * sigmoid(-x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_slopes_of_the_sigmoid_keep_their_digits(dtype):
    x = LEADS.to(dtype)
    step, tolerance = SigmoidStep(tau=1.0), 30 * torch.finfo(dtype).eps
    torch.testing.assert_close(step.sums(x.clone()[:, None]).double(), sigmoid(x.double()), rtol=tolerance, atol=0)
    torch.testing.assert_close(step.slopes_(x.clone()).double(), slope(x.double()), rtol=tolerance, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_slopes_of_sup_rank_keep_their_digits(dtype):
    x = LEADS.to(dtype)
    step, tolerance = SupStep(tau=1.0, rho=3.0, delta=5.0), 30 * torch.finfo(dtype).eps
    far = x.double() > 5
    value = torch.where(far, sigmoid(torch.tensor(5.0)).double() + 3 * (x.double() - 5), sigmoid(x.double())) + (x >= 0) / 2
    torch.testing.assert_close(step.sums(x.clone()[:, None]).double(), value, rtol=max(tolerance, 1e-7), atol=0)
    torch.testing.assert_close(step.slopes_(x.clone()).double(), torch.where(far, 3.0, slope(x.double())), rtol=tolerance, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_slopes_of_laplace_and_box_keep_their_digits(dtype):
    x = LEADS.to(dtype)
    wide, tolerance = x.double(), 30 * torch.finfo(dtype).eps
    tail = torch.exp(-wide.abs()) / 2
    for step, value, slope in (
        (LaplaceStep(tau=1.0), torch.where(wide > 0, 1 - tail, tail), tail),
        (BoxStep(width=1.0), ((1 + wide) / 2).clamp(0, 1), torch.where(wide.abs() < 1, 0.5, 0.0).double()),
    ):
        torch.testing.assert_close(step.sums(x.clone()[:, None]).double(), value, rtol=tolerance, atol=1e-18)
        torch.testing.assert_close(step.slopes_(x.clone()).double(), slope, rtol=tolerance, atol=0)


@pytest.mark.parametrize(
    "step", [SigmoidStep(0.1), SupStep(0.1, 3.0, 0.2), LaplaceStep(0.1), BoxStep(0.1)], ids=lambda step: type(step).__name__
)
def test_an_absent_item_counts_nothing_and_is_not_subnormal(step):
    absent = torch.full((2, 3), -torch.inf)
    assert (step.sums(absent.clone()) < 1e-18).all()
    slopes = step.slopes_(absent.clone())
    assert (slopes < 1e-18).all()
    assert ((slopes == 0) | (slopes**2 >= torch.finfo(torch.float32).tiny)).all()


def test_the_small_gradient_of_a_far_item_keeps_its_digits():
    """Leads of 15 and 17 tau: slopes of 3e-7 and 4e-8, which drown in the item's own 1/4 if it takes part."""
    gradients = []
    for dtype in (torch.float32, torch.float64):
        scores = torch.tensor([0.0, 15.0, 32.0], dtype=dtype, requires_grad=True)
        rb.sigmoid_ranks(scores, tau=1.0)[0].backward()
        gradients.append(scores.grad.double())
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=0)


def test_each_step_is_its_ranker():
    scores, relevance = torch.randn(4, 9, dtype=torch.float64), torch.randint(0, 3, (4, 9))
    knobs = {"tau": 0.1, "rho": 3.0, "delta": 0.2}
    assert torch.equal(SigmoidStep(0.1).ranks(scores), rb.sigmoid_ranks(scores, tau=0.1))
    assert torch.equal(SupStep(**knobs).ranks(scores, relevance), rb.sup_ranks(scores, relevance, **knobs))
    for step, ranks in ((LaplaceStep(0.1), rb.laplace_ranks(scores, tau=0.1)), (BoxStep(0.1), rb.box_ranks(scores, width=0.1))):
        assert torch.equal(step.ranks(scores), ranks)
        torch.testing.assert_close(count(scores, scores, step.scale, step.sums) + 0.5, ranks, rtol=0, atol=1e-12)
    assert torch.equal(count_exactly(scores, scores), rb.exact_ranks(scores))
