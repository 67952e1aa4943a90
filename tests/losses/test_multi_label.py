"""Losses of the labels of an instance: what bounds the ranking loss, what a threshold does, what equal counts make alike."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_loss
from torch.testing import assert_close

import rankbook as rb

WEIGHTINGS = ("pa", "u1", "u2", "u3", "u4")
exact = {"rtol": 0, "atol": 1e-12}


def instances(labels, rows=40, *, positives=None, steps=4):
    """Scores with ties, and labels of both kinds; ``positives`` of them, or any number."""
    scores = torch.randint(-steps, steps + 1, (rows, labels)).double() / steps
    wanted = torch.randint(1, labels, (rows, 1)) if positives is None else torch.full((rows, 1), positives)
    return scores, (torch.rand(rows, labels).argsort(1).argsort(1) < wanted).long()


@given(st.lists(st.tuples(st.integers(-6, 6), st.booleans()), min_size=2, max_size=7))
def test_u3_and_pa_bound_the_ranking_loss_of_every_instance(items):
    """A tie is a wrong pair, here as in scikit-learn."""
    scores, labels = torch.tensor([s / 3 for s, _ in items]).double(), torch.tensor([y for _, y in items])
    if labels.all() or not labels.any():
        return
    wrong = label_ranking_loss(labels[None].numpy(), scores[None].numpy())
    for weighting in ("pa", "u3"):
        assert wrong <= rb.MultiLabelRankingLoss(weighting)(scores, labels).item() / math.log(2) + 1e-12


@pytest.mark.parametrize("weighting", ["pa", "u3"])
def test_the_bounds_are_attained_or_not(weighting):
    """Constant scores: every pair is wrong. pa charges log 2 for each, u3 twice that: once for each kind."""
    loss = rb.MultiLabelRankingLoss(weighting)(torch.zeros(5), torch.tensor([1, 0, 0, 1, 0])).item()
    assert loss / math.log(2) == pytest.approx({"pa": 1, "u3": 2}[weighting], rel=1e-6)


def test_the_others_bound_nothing():
    """u1 spreads over all labels: one relevant label behind ninety-nine costs little."""
    scores, labels = torch.zeros(100), torch.arange(100) == 0
    scores[1:] = -3
    scores[0] = -3.1
    assert label_ranking_loss(labels[None].numpy(), scores[None].numpy()) == 1
    for weighting in ("u1", "u2"):
        assert rb.MultiLabelRankingLoss(weighting)(scores, labels).item() / math.log(2) < 0.2


@pytest.mark.parametrize(("positives", "alike"), [(2, True), (None, False)])
def test_equal_counts_make_three_weightings_one(positives, alike):
    scores, labels = instances(6, positives=positives)
    u1, u2, u4 = (rb.MultiLabelRankingLoss(w, reduction="none")(scores, labels) for w in ("u1", "u2", "u4"))
    for other in (u2, u4):
        ratio = other / u1
        assert (ratio.max() / ratio.min() < 1 + 1e-9) == alike


def test_pa_is_ranknet_of_two_grades():
    scores, labels = instances(8)
    assert_close(rb.MultiLabelRankingLoss("pa")(scores, labels * 3), rb.RankNetLoss()(scores, labels), **exact)


def test_a_perfect_order_is_free_once_the_threshold_stands_in_its_gap():
    labels = torch.tensor([1, 1, 0, 0, 0])
    scores = torch.arange(5, 0, -1).double() * 100
    for weighting in WEIGHTINGS:
        loss = rb.MultiLabelRankingLoss(weighting)
        assert loss(scores - 350, labels).item() == pytest.approx(0, abs=1e-9)
        assert (loss(scores, labels).item() > 1) == (weighting != "pa")


def test_an_unknown_weighting_is_named():
    with pytest.raises(ValueError, match='weighting must be "pa", "u1", "u2", "u3" or "u4", got \'u5\''):
        rb.MultiLabelRankingLoss("u5")
