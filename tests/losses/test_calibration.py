"""Calibration and ROADMAP, by hand."""

import pytest
import torch

import rankbook as rb
from losses.contract import CASES
from losses.galleries import CALLS, B, M, call, leaves, masked, of_embeddings
from losses.scenes import gradients, scored

CALIBRATION = next(case for case in CASES if case.name == "CalibrationLoss")

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


@pytest.mark.parametrize("violations_only", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_calibration_of_a_call_is_the_loop(name, violations_only):
    """Over all pairs of a query and an item of its gallery, weighed by the query, and by the item if it is a positive."""
    embeddings, arguments = call(name)
    where, relevance = masked(CALIBRATION, arguments)
    scores = embeddings @ arguments.get("ref_embeddings", embeddings).T
    by_query, by_item = (arguments.get(f"{of}_weights", torch.ones(M)).tolist() for of in ("query", "item"))
    sums = {True: [0.0, 0.0], False: [0.0, 0.0]}
    for q, j in where.nonzero().tolist():
        positive, score = bool(relevance[q, j] > 0), scores[q, j].item()
        lack = max(0.0, 0.9 - score if positive else score - 0.3)
        weight = by_query[q] * (by_item[j] if positive else 1)
        sums[positive][0] += weight * lack
        sums[positive][1] += weight * (not violations_only or lack > 0)
    loss = of_embeddings(rb.CalibrationLoss(neg_margin=0.3, violations_only=violations_only), arguments)
    expected = sum(total / count for total, count in sums.values())
    assert loss(*leaves(embeddings, arguments)).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_roadmap_is_a_mixture(weight, reduction):
    embeddings, arguments = call("places, mask")
    inputs, upstream = leaves(embeddings, arguments), torch.rand(B, dtype=torch.float64) if reduction == "none" else 1.0

    def of(module):
        return gradients(lambda *x: (upstream * of_embeddings(module, arguments)(*x)).sum(), *inputs)

    mixed = of(rb.ROADMAPLoss(weight, reduction=reduction))
    rank, calibration = of(rb.SupAPLoss(reduction=reduction)), of(rb.CalibrationLoss(reduction=reduction))
    for found, one, other in zip(mixed, rank, calibration, strict=True):
        torch.testing.assert_close(found, (1 - weight) * one + weight * other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_roadmap_weight_is_a_share(weight):
    with pytest.raises(ValueError, match=r"^calibration_weight must be a finite number of at least 0 and of at most 1, got"):
        rb.ROADMAPLoss(weight)
