"""Exact ranks forward, another ranker's gradient backward: equal to both, to the last bit. The contract has the rest."""

from functools import partial

import pytest
import torch

import rankbook as rb
from ranks.test_contract import with_gradient
from sorters.models import SMALL, small

RANKERS = {
    "sigmoid": partial(rb.sigmoid_ranks, tau=0.3),
    "suprank": partial(rb.sup_ranks, tau=0.3),
    "sinkhorn": partial(rb.sinkhorn_ranks, tau=0.3),
    "blackbox": partial(rb.blackbox_ranks, strength=1.0),
    "exact": rb.exact_ranks,
    **{kind.__name__: small(kind).requires_grad_(False) for kind in SMALL},
}


@pytest.mark.parametrize("name", RANKERS)
@pytest.mark.parametrize("ties", ["max", "average", "min", "worst"])
def test_forward_is_exact_and_backward_is_the_rankers(name, ties):
    ranker = RANKERS[name]
    n = getattr(ranker, "length", None) or 9
    scores, relevance = torch.randint(5, (3, n)) / 4, torch.randint(3, (3, n))
    where = torch.rand(3, n) < 0.8
    ranks, grad = with_gradient(rb.straight_through(ranker, ties=ties), scores, relevance, where=where)
    _, expected = with_gradient(ranker, scores, relevance, where=where)
    assert torch.equal(ranks, rb.exact_ranks(scores, relevance, where=where, ties=ties))
    assert torch.equal(grad, expected)


def test_a_ranker_that_errs_by_far_costs_no_digits():
    scores = torch.randn(3, 9)
    far = rb.straight_through(lambda s, relevance=None, *, where=None: s * 1e9)
    assert torch.equal(far(scores.clone().requires_grad_()).detach(), rb.exact_ranks(scores))


def test_a_loss_has_the_value_of_the_metric():
    scores, relevance = torch.randn(4, 9, requires_grad=True), torch.randint(2, (4, 9))
    loss = rb.RankLoss(rb.average_precision, rb.straight_through(RANKERS["sigmoid"]))(scores, relevance)
    assert loss.item() == pytest.approx(1 - rb.average_precision(scores.detach(), relevance).item())
    loss.backward()
    assert scores.grad.any()


def test_it_owns_its_sorter():
    sorter = rb.KernelSorter()
    ranker = rb.straight_through(sorter)
    assert list(ranker.parameters()) == list(sorter.parameters())
    ranker(torch.randn(2, 9)).square().sum().backward()
    assert all(weights.grad is not None for weights in sorter.parameters())


def test_what_is_refused():
    with pytest.raises(TypeError, match="ranker must be callable"):
        rb.straight_through("sigmoid")
    with pytest.raises(ValueError, match='ties must be "max", "average", "min" or "worst"'):
        rb.straight_through(rb.sigmoid_ranks, ties="first")
    with pytest.raises(ValueError, match="relevance must be given"):
        rb.straight_through(rb.sigmoid_ranks, ties="worst")(torch.rand(3))
