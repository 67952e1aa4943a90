"""Calibration, clusters and ROADMAP, by hand."""

from math import exp, log

import pytest
import torch

import rankbook as rb
from losses.scenes import batch, gradients, scored, unit

SCORES = torch.tensor([[0.95, 0.5, 0.7, 0.1], [0.8, 0.3, 0.2, 0.65]], dtype=torch.float64)
POSITIVE = torch.tensor([[True, True, False, False], [False, False, True, False]])
PULL = [0.9 - 0.5, 0.9 - 0.2]  # one of three positives is above .9 already
PUSH = [0.7 - 0.6, 0.8 - 0.6, 0.65 - 0.6]  # of five negatives


def test_calibration_by_hand():
    loss = rb.CalibrationLoss(pos_margin=0.9, neg_margin=0.6)(*scored(SCORES, POSITIVE))
    assert loss.item() == pytest.approx(sum(PULL) / 3 + sum(PUSH) / 5)


def test_calibration_of_violations_by_hand():
    loss = rb.CalibrationLoss(pos_margin=0.9, neg_margin=0.6, violations_only=True)(*scored(SCORES, POSITIVE))
    assert loss.item() == pytest.approx(sum(PULL) / 2 + sum(PUSH) / 3)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_roadmap_is_a_mixture(weight):
    embeddings, labels = batch()
    mixed = gradients(lambda x: rb.ROADMAPLoss(weight)(x, labels), embeddings)
    rank = gradients(lambda x: rb.SupAPLoss()(x, labels), embeddings)
    calibration = gradients(lambda x: rb.CalibrationLoss()(x, labels), embeddings)
    for found, one, other in zip(mixed, rank, calibration, strict=True):
        torch.testing.assert_close(found, (1 - weight) * one + weight * other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_roadmap_weight_is_a_share(weight):
    with pytest.raises(ValueError, match="calibration_weight must be between 0 and 1, got"):
        rb.ROADMAPLoss(weight)


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
