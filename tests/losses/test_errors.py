"""Bad input to the batch losses: each error names the argument, and what came."""

import warnings

import numpy as np
import pytest
import torch

import rankbook as rb
from losses.contract import CASES
from losses.scenes import unit

E, L = torch.rand(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])


def spoiled(index, value):
    embeddings = E.clone()
    embeddings[index] = value
    return embeddings


BAD = {
    "nan": ((spoiled((4, 1), torch.nan), L), ValueError, r"^embeddings must be finite, but embeddings\[4, 1\] is nan"),
    "inf": ((spoiled((0, 3), -torch.inf), L), ValueError, r"^embeddings must be finite, but embeddings\[0, 3\] is -inf"),
    "nan in the reference set": ((E, L, spoiled((2, 0), torch.nan), L), ValueError, r"ref_embeddings\[2, 0\] is nan"),
    "overflow of half precision": ((spoiled((1, 1), 1e6).half(), L), ValueError, r"embeddings\[1, 1\] is inf"),
    "one embedding": ((E[0], L[:1]), ValueError, r"^embeddings must be .*\[items, dimensions\].* got torch.float32 \(4,\)"),
    "no item": ((E[:0], L[:0]), ValueError, r"^embeddings must be .* at least one item, got torch.float32 \(0, 4\)"),
    "three axes": ((E[None], L), ValueError, r"^embeddings must be .*\(1, 6, 4\)"),
    "integers": ((E.long(), L), ValueError, r"^embeddings must be floating point .*torch.int64"),
    "a list": ((E.tolist(), L), TypeError, r"^embeddings must be a torch.Tensor, got list"),
    "labels that are no labels": ((E, [None] * 6), TypeError, r"^labels must be integers or strings .* got list"),
    "labels elsewhere": ((E, L.to("meta")), ValueError, r"^labels must be on the device of embeddings, cpu, got meta; try labels.to"),
    "ref_labels elsewhere": ((E, L, E, L.to("meta")), ValueError, r"^ref_labels must be on the device of labels"),
    "a reference set elsewhere": ((E, L, E.to("meta"), L), ValueError, r"^ref_embeddings must be on the device of embeddings"),
    "multi-hot labels": ((E, torch.eye(3, dtype=torch.long)[L]), ValueError, r"^labels must be nested levels.*multi-hot"),
    "floating labels": ((E, L.float()), ValueError, r"^labels must be integers .*torch.float32"),
    "too few labels": ((E, L[:5]), ValueError, r"^labels must have one entry for each of the 6 embeddings, got 5"),
    "a number as labels": ((E, L[0]), ValueError, r"^labels must be integers of shape"),
    "labels without a level": ((E, L[:, None][:, :0]), ValueError, r"^labels must have at least one item and one level"),
    "only ref_embeddings": ((E, L, E), ValueError, r"^ref_labels is missing: give both"),
    "only ref_labels": ((E, L, None, L), ValueError, r"^ref_embeddings is missing: give both"),
    "too many ref_labels": ((E, L, E[:3], L), ValueError, r"^ref_labels must have one entry for each of the 3 ref_embeddings, got 6"),
    "other dimensions": ((E, L, E[:, :3], L), ValueError, r"^ref_embeddings must have the 4 dimensions of embeddings, got 3"),
    "other levels": ((E, L[:, None].expand(6, 2), E, L), ValueError, r"ref_labels \(6,\) must have the same number of levels"),
    "empty reference set": ((E, L, E[:0], L[:0]), ValueError, r"^ref_embeddings must be .* at least one item"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_bad_batch(case, bad):
    arguments, error, message = BAD[bad]
    with pytest.raises(error, match=message):
        case.make()(*arguments)


SCALES = ("tau", "tau_rank", "tau_score", "temperature", "rho", "delta", "strength")
KNOBS = [(case, name) for case in CASES for name in getattr(case.make, "keywords", {}) if name in SCALES]


@pytest.mark.parametrize("value", [0, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize(("case", "knob"), KNOBS, ids=lambda x: str(x))
def test_bad_knob(case, knob, value):
    with pytest.raises(ValueError, match=rf"^{knob} must be a finite number above 0, got {value}"):
        case.make(**{knob: value})


@pytest.mark.parametrize("make", [rb.RecallAtKLoss, rb.SupRecallLoss])
@pytest.mark.parametrize(
    ("k", "message"),
    [
        (10, r"^k must be a sequence of whole numbers such as \(1, 2, 4\), got 10; try \(10,\)"),
        ((), "^k must hold at least one whole number"),
        ((0,), "^k must be a whole number of at least 1, got 0"),
        ((1, 2.5), "^k must be a whole number of at least 1, got 2.5"),
    ],
)
def test_k_is_checked_when_the_loss_is_made(make, k, message):
    with pytest.raises(ValueError, match=message):
        make(k=k)


def test_k_of_numpy():
    assert rb.RecallAtKLoss(k=np.array([1, 2])).k == (1, 2)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_text_is_no_flag(case):
    with pytest.raises(TypeError, match=r"^include_query must be True or False, got 'False'"):
        case.make(include_query="False")


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (rb.CalibrationLoss, "pos_margin"),
        (rb.CalibrationLoss, "neg_margin"),
        (rb.BlackBoxAPLoss, "margin"),
        (rb.ROADMAPLoss, "calibration_weight"),
        (rb.ROADMAPLoss, "pos_margin"),
    ],
)
def test_margins_are_numbers(make, argument):
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"^{argument} must be a finite number"):
            make(**{argument: value})


@pytest.mark.parametrize("make", [rb.CalibrationLoss, rb.ROADMAPLoss])
def test_violations_only_is_a_flag(make):
    with pytest.raises(TypeError, match=r"^violations_only must be True or False, got 1"):
        make(violations_only=1)


def test_the_order_of_h_ap_is_a_word():
    with pytest.raises(ValueError, match=r'^order must be "relevance" or "levels", got .level.'):
        rb.SupHAPLoss(order="level")


def test_scores_in_the_place_of_embeddings_are_noticed():
    embeddings, labels = unit(12, 4, dtype=torch.float32), torch.arange(12) // 3
    with pytest.warns(UserWarning, match=r"embeddings \(12, 12\) look like a matrix of scores.*rb.as_loss") as caught:
        rb.SmoothAPLoss()(embeddings @ embeddings.T, labels)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "embeddings",
    [torch.eye(12), torch.randn(12, 12), torch.ones(12, 12), torch.zeros(12, 12), unit(12, 12, dtype=torch.float32)],
    ids=["identity", "random", "ones", "zeros", "unit"],
)
def test_square_embeddings_are_no_scores(embeddings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rb.SmoothAPLoss()(embeddings, torch.arange(12) // 3)
