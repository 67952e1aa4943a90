"""Calibration and ROADMAP, by hand."""

import pytest
import torch

import rankbook as rb
from losses.scenes import batch, gradients, scored

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
    with pytest.raises(ValueError, match=r"^calibration_weight must be a finite number of at least 0 and of at most 1, got"):
        rb.ROADMAPLoss(weight)
