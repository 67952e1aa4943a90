"""The loss of class vectors, by hand."""

from math import exp, log

import pytest
import torch

import rankbook as rb
from losses.scenes import gradients, unit


def test_cluster_by_hand():
    loss = rb.ClusterLoss(classes=3, dimensions=2, temperature=0.5).double()
    with torch.no_grad():
        loss.proxies.copy_(torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]))  # counted as unit vectors
    value = loss(torch.tensor([[0.6, 0.8]], dtype=torch.float64), torch.tensor([1]))
    assert value.item() == pytest.approx(-log(exp(0.8 / 0.5) / (exp(0.6 / 0.5) + exp(0.8 / 0.5) + exp(-0.6 / 0.5))))


def test_cluster_trains_its_proxies_to_the_classes():
    loss = rb.ClusterLoss(classes=3, dimensions=4, generator=torch.Generator().manual_seed(1)).double()
    embeddings, labels = torch.eye(4, dtype=torch.float64)[:3], torch.arange(3)
    before = loss(embeddings, labels)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(30):
        optimizer.zero_grad()
        loss(embeddings, labels).backward()
        optimizer.step()
    assert loss(embeddings, labels) < 0.01 * before
    assert list(loss.state_dict()) == ["proxies"]


def test_cluster_weighs_and_reduces():
    embeddings, labels, weights = unit(5, 4), torch.tensor([0, 1, 2, 2, 0]), torch.tensor([1, 2, 0, 3, 1])
    loss = rb.ClusterLoss(3, 4, reduction="none").double()
    losses = loss(embeddings, labels)
    assert losses.shape == (5,)
    torch.testing.assert_close(losses[2], loss(embeddings[2:3], labels[2:3])[0])
    loss.reduction = "mean"
    torch.testing.assert_close(loss(embeddings, labels), losses.mean())
    torch.testing.assert_close(loss(embeddings, labels, query_weights=weights), (weights * losses).sum() / 7)
    assert loss(embeddings, labels, query_weights=0 * weights) == 0
    loss.reduction = "sum"
    torch.testing.assert_close(loss(embeddings, labels, query_weights=weights), (weights * losses).sum())


def test_cluster_draws_from_its_generator_only():
    state = torch.get_rng_state()
    first, second = (rb.ClusterLoss(3, 2, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.proxies, second.proxies)
    assert torch.equal(torch.get_rng_state(), state)


def test_cluster_gradcheck():
    loss = rb.ClusterLoss(3, 4, temperature=0.5).double()
    assert torch.autograd.gradcheck(lambda x: loss(x, torch.tensor([0, 2, 2])), unit(3, 4).requires_grad_())


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_cluster_knows_its_labels(labels):
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.2.*got"):
        rb.ClusterLoss(3, 2)(torch.rand(2, 2), torch.tensor(labels))


def test_cluster_knows_its_dimensions():
    with pytest.raises(ValueError, match="embeddings must have 2 dimensions, got 4"):
        rb.ClusterLoss(3, 2)(torch.rand(2, 4), torch.tensor([0, 1]))


@pytest.mark.parametrize(("classes", "dimensions"), [(0, 2), (2.5, 2), (2, "2"), (True, 2)])
def test_cluster_knows_its_sizes(classes, dimensions):
    with pytest.raises(ValueError, match=r"^(classes|dimensions) must be a whole number of at least 1"):
        rb.ClusterLoss(classes, dimensions)


def test_cluster_is_the_same_under_autocast():
    loss, embeddings, labels = rb.ClusterLoss(3, 8), unit(6, 8, dtype=torch.float32), torch.tensor([0, 0, 1, 1, 2, 2])
    value, grad = gradients(lambda x: loss(x, labels), embeddings)
    x = embeddings.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        low = loss(x, labels)
        low.backward()
    assert torch.equal(low, value)
    assert torch.equal(x.grad, grad)
