"""Bad input to the batch losses: each error names the argument, and what came."""

import warnings

import numpy as np
import pytest
import torch

import rankbook as rb
from losses.contract import CASES
from losses.scenes import unit
from rankbook.ranks.smooth import SigmoidStep

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
    "no dimension": ((E[:, :0], L), ValueError, r"^embeddings must be .* with a dimension .*\(6, 0\)"),
    "three axes": ((E[None], L), ValueError, r"^embeddings must be .*\(1, 6, 4\)"),
    "integers": ((E.long(), L), ValueError, r"^embeddings must be floating point .*torch.int64"),
    "a list": ((E.tolist(), L), TypeError, r"^embeddings must be a torch.Tensor, got list"),
    "labels that are no labels": ((E, [1.5] * 6), TypeError, r"^labels must be integers or strings .* got list"),
    "labels that are missing": ((E, [0, 0, 1, 1, None, None]), TypeError, r"^labels .* entry 4 is missing \(None\), 2 in all; drop these"),
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
R, P, W = torch.eye(6), torch.arange(6), torch.ones(6, 6, dtype=torch.bool)
#: Calls with embeddings and these arguments.
BAD_CALLS = {
    "nothing tells the positives": ({}, ValueError, r"^labels or relevance must be given, one of the two, got neither"),
    "two things tell the positives": ({"labels": L, "relevance": R}, ValueError, r"^labels or relevance must be given.*got both"),
    "relevance and ref_labels": ({"relevance": R, "ref_embeddings": E, "ref_labels": L}, ValueError, r"^ref_labels go with labels"),
    "relevance of another shape": ({"relevance": R[:, :5]}, ValueError, r"^relevance must have shape \(6, 6\).*got \(6, 5\)"),
    "relevance of one query": ({"relevance": R[0]}, ValueError, r"^relevance must have shape \(6, 6\).*got \(6,\)"),
    "negative relevance": ({"relevance": -R}, ValueError, r"^relevance must be >= 0 \(0 = irrelevant\), but relevance\[0, 0\] is -1"),
    "relevance of nan": ({"relevance": R / R}, ValueError, r"^relevance must be finite, but relevance\[0, 1\] is nan"),
    "relevance as a list": ({"relevance": R.tolist()}, TypeError, r"^relevance must be a torch.Tensor, got list"),
    "relevance elsewhere": ({"relevance": R.to("meta")}, ValueError, r"^relevance must be on the device of embeddings"),
    "places without a reference set": ({"labels": L, "self_index": P}, ValueError, r"^self_index tells where .* in ref_embeddings"),
    "places beyond the reference set": ({"self_index": P + 1}, ValueError, r"^self_index must be places .* self_index\[5\] is 6"),
    "places below -1": ({"self_index": P - 2}, ValueError, r"^self_index must be places .* self_index\[0\] is -2"),
    "floating places": ({"self_index": P.float()}, TypeError, r"^self_index must be integers.*torch.float32"),
    "a mask as places": ({"self_index": P > 2}, TypeError, r"^self_index must be integers.*torch.bool"),
    "too few places": ({"self_index": P[:5]}, ValueError, r"^self_index must have one entry for each of the 6 embeddings.*\(5,\)"),
    "places elsewhere": ({"self_index": P.to("meta")}, ValueError, r"^self_index must be on the device of embeddings"),
    "a mask of numbers": ({"labels": L, "where": W.float()}, TypeError, r"^where must be a boolean mask.*try where.bool"),
    "a mask of another shape": ({"labels": L, "where": W[:, :5]}, ValueError, r"^where must have shape \(6,\) or \(6, 6\).*got \(6, 5\)"),
    "a column as a mask": ({"labels": L, "where": W[:, :1]}, ValueError, r"^where must have shape"),
    "a mask elsewhere": ({"labels": L, "where": W.to("meta")}, ValueError, r"^where must be on the device of embeddings"),
    "negative weights of queries": (
        {"labels": L, "query_weights": -P},
        ValueError,
        r"^query_weights must be >= 0 \(0 = does not count\), but query_weights\[1\] is -1",
    ),
    "weights of queries of nan": ({"labels": L, "query_weights": P / 0 * 0}, ValueError, r"^query_weights must be finite"),
    "too few weights of queries": ({"labels": L, "query_weights": P[:5]}, ValueError, r"^query_weights must have shape \(6,\).*got \(5,\)"),
    "negative weights of items": (
        {"labels": L, "item_weights": -P},
        ValueError,
        r"^item_weights must be >= 0 \(0 = does not count\), but item_weights\[1\] is -1",
    ),
    "infinite weights of items": ({"labels": L, "item_weights": 1 / P}, ValueError, r"^item_weights must be finite"),
    "a matrix of weights of items": ({"labels": L, "item_weights": R}, ValueError, r"^item_weights must have shape \(6,\).*got \(6, 6\)"),
    "weights as a list": ({"labels": L, "item_weights": [1.0] * 6}, TypeError, r"^item_weights must be a torch.Tensor, got list"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_bad_batch(case, bad):
    arguments, error, message = BAD[bad]
    with pytest.raises(error, match=message):
        case.make()(*arguments)


@pytest.mark.parametrize("bad", BAD_CALLS)
def test_bad_call(bad):
    arguments, error, message = BAD_CALLS[bad]
    if "self_index" in arguments and "labels" not in arguments:
        arguments = {"labels": L, "ref_embeddings": E, "ref_labels": L, **arguments}
    with pytest.raises(error, match=message):
        rb.SmoothAPLoss()(E, **arguments)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_every_loss_checks_its_call(case):
    with pytest.raises(ValueError, match=r"^item_weights must be >= 0"):
        case.make()(E, L, item_weights=-P)
    with pytest.raises(ValueError, match=r'^reduction must be "mean", "sum" or "none", got .average.'):
        case.make(reduction="average")


def test_h_ap_by_levels_wants_labels():
    with pytest.raises(ValueError, match=r'^relevance has no levels: make the loss with order="relevance"'):
        rb.SupHAPLoss(order="levels")(E, relevance=R + 1)


def test_a_metric_without_weights_says_so():
    def metric(scores, relevance, *, rank_fn, where=None, reduction="mean"):
        return rb.average_precision(scores, relevance, rank_fn=rank_fn, where=where, reduction=reduction)

    loss = rb.BatchRankLoss(metric, SigmoidStep(0.1))
    torch.testing.assert_close(loss(E, L), rb.SmoothAPLoss(0.1)(E, L))
    with pytest.raises(TypeError, match=r"^item_weights: the metric .*metric.* takes none"):
        loss(E, L, item_weights=torch.ones(6))


@pytest.mark.parametrize("argument", ["ref_embeddings", "ref_labels", "self_index", "where", "relevance", "item_weights"])
def test_class_vectors_have_no_gallery(argument):
    with pytest.raises(TypeError, match=f"^{argument} means nothing to ClusterLoss"):
        rb.ClusterLoss(3, 4)(E, L, **{argument: L})


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
