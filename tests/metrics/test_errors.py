"""Bad input: each error names the argument and what came."""

import math
from functools import partial

import numpy as np
import pytest
import torch

import rankbook as rb
from metrics.cases import CORRELATIONS, METRICS

every_call = pytest.mark.parametrize(
    "call", [case.metric for case in METRICS] + list(CORRELATIONS.values()), ids=[case.name for case in METRICS] + list(CORRELATIONS)
)
SCORES, RELEVANCE = torch.rand(2, 4), torch.tensor([[1, 0, 1, 0], [0, 2, 0, 1]])


def at(tensor, index, value):
    tensor = tensor.clone().float()
    tensor[index] = value
    return tensor


BAD = {
    "nan in scores": (at(SCORES, (1, 2), torch.nan), RELEVANCE, {}, ValueError, r"scores\[1, 2\] is nan"),
    "inf in scores": (at(SCORES, (0, 3), torch.inf), RELEVANCE, {}, ValueError, r"scores\[0, 3\] is inf"),
    "the first of two": (at(SCORES, (slice(None), 1), -torch.inf), RELEVANCE, {}, ValueError, r"scores\[0, 1\] is -inf"),
    "nan where present": (
        at(SCORES, (1, slice(None)), torch.nan),
        RELEVANCE,
        {"where": torch.tensor([False, False, True, True])},
        ValueError,
        r"scores\[1, 2\] is nan",
    ),
    "integer scores": (torch.ones(2, 4, dtype=torch.int64), RELEVANCE, {}, TypeError, r"scores must be floating point, got torch.int64"),
    "complex scores": (SCORES.to(torch.complex64), RELEVANCE, {}, TypeError, r"scores must be real .*got torch.complex64; try scores.real"),
    "a list of floats": (SCORES.tolist(), RELEVANCE, {}, TypeError, r"scores must be a torch.Tensor, got list"),
    "no item": (torch.rand(2, 0), torch.rand(2, 0), {}, ValueError, r"scores must have shape .* at least one item, got \(2, 0\)"),
    "no axis": (torch.tensor(1.0), torch.tensor(1.0), {}, ValueError, r"scores must have shape"),
    "where of numbers": (SCORES, RELEVANCE, {"where": torch.ones(2, 4)}, TypeError, r"where must be a boolean mask.*float32"),
    "where too long": (SCORES, RELEVANCE, {"where": torch.ones(2, 5, dtype=torch.bool)}, ValueError, r"where .*\(2, 4\), got \(2, 5\)"),
    "where a list": (SCORES, RELEVANCE, {"where": [True] * 4}, TypeError, r"where must be a torch.Tensor, got list"),
}
BAD_RELEVANCE = {
    "too short": (torch.ones(2, 3), ValueError, r"{} must have the shape of scores \(2, 4\), got \(2, 3\)"),
    "a column": (torch.ones(2, 1), ValueError, r"{} must have the shape of scores \(2, 4\), got \(2, 1\)"),
    "a number": (torch.tensor(1), ValueError, r"{} must have the shape of scores \(2, 4\), got \(\)"),
    "another batch": (torch.ones(3, 4), ValueError, r"{} must have the shape of scores"),
    "more axes": (torch.ones(2, 2, 4), ValueError, r"{} must have the shape of scores"),
    "nan": (at(RELEVANCE, (1, 0), torch.nan), ValueError, r"{0}\[1, 0\] is nan"),
    "inf": (at(RELEVANCE, (0, 0), torch.inf), ValueError, r"{0}\[0, 0\] is inf"),
    "complex": (torch.ones(2, 4, dtype=torch.complex64), TypeError, r"{} must be real"),
    "a list": ([[1, 0, 1, 0]] * 2, TypeError, r"{} must be a torch.Tensor, got list"),
}


@every_call
@pytest.mark.parametrize("bad", BAD)
def test_bad_scores_and_masks(call, bad):
    scores, relevance, kwargs, error, message = BAD[bad]
    with pytest.raises(error, match=message):
        call(scores, relevance, **kwargs)


@every_call
@pytest.mark.parametrize("bad", BAD_RELEVANCE)
def test_bad_relevance(call, bad):
    relevance, error, message = BAD_RELEVANCE[bad]
    name = "target" if call in CORRELATIONS.values() else "relevance"
    with pytest.raises(error, match=message.format(name)):
        call(SCORES, relevance)


@pytest.mark.parametrize("case", METRICS, ids=repr)
def test_negative_relevance(case):
    with pytest.raises(ValueError, match=r"relevance must be >= 0.*relevance\[1, 3\] is -2"):
        case.metric(SCORES, at(RELEVANCE, (1, 3), -2))
    case.metric(SCORES, at(RELEVANCE, (1, 3), -2), where=torch.tensor([True, True, True, False]))


@pytest.mark.parametrize("correlation", CORRELATIONS.values(), ids=CORRELATIONS)
def test_a_target_may_be_negative(correlation):
    scores = torch.rand(6)
    torch.testing.assert_close(correlation(scores, scores - 10), torch.tensor(1.0))


WITH_K = [rb.recall_at_k, rb.hit_at_k, rb.precision_at_k, rb.ndcg, rb.dcg, rb.average_precision, rb.reciprocal_rank]
SOFT = [partial(metric, k=2) for metric in WITH_K] + [partial(rb.capped_recall, k=(1, 2)), rb.map_at_r, rb.r_precision]


@pytest.mark.parametrize("metric", WITH_K, ids=lambda m: m.__name__)
@pytest.mark.parametrize("k", [0, -1, 2.0, True, "3", np.float64(2.0), torch.tensor(2), (1, 2), math.nan])
def test_bad_k(metric, k):
    with pytest.raises(ValueError, match=r"k must be a whole number of at least 1, got"):
        metric(SCORES, RELEVANCE, k=k)


@pytest.mark.parametrize("k", [(0,), (1, -1), (2.0,), ("3",), "12", (True,)])
def test_bad_member_of_k(k):
    with pytest.raises(ValueError, match=r"k must be a whole number of at least 1, got"):
        rb.capped_recall(SCORES, RELEVANCE, k=k)


@pytest.mark.parametrize("k", [2, np.int64(2), None])
def test_capped_recall_wants_a_sequence(k):
    with pytest.raises(ValueError, match=r"k must be a sequence of whole numbers such as \(1, 2, 4\), got .*; try \("):
        rb.capped_recall(SCORES, RELEVANCE, k=k)
    with pytest.raises(ValueError, match="k must hold at least one whole number"):
        rb.capped_recall(SCORES, RELEVANCE, k=())


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
@pytest.mark.parametrize("tau_rank", [None, 0.7])
def test_any_whole_number_is_a_k(kind, tau_rank):
    for metric in WITH_K:
        assert metric(SCORES, RELEVANCE, k=kind(2), tau_rank=tau_rank) == metric(SCORES, RELEVANCE, k=2, tau_rank=tau_rank)
    values = [rb.capped_recall(SCORES, RELEVANCE, k=k, tau_rank=tau_rank) for k in ((1, 3), np.array([1, 3]), [kind(1), kind(3)])]
    assert values[0] == values[1] == values[2]


@pytest.mark.parametrize("metric", SOFT)
@pytest.mark.parametrize("tau_rank", [0, -1.0, torch.nan, torch.inf, True, "1"])
def test_bad_tau_rank(metric, tau_rank):
    with pytest.raises(ValueError, match="tau_rank must be a finite number above 0, got"):
        metric(SCORES, RELEVANCE, tau_rank=tau_rank)


@pytest.mark.parametrize("metric", [rb.ndcg, rb.dcg])
@pytest.mark.parametrize(
    ("gain", "error", "message"),
    [
        ("squared", ValueError, r'gain must be "exponential" or "linear", got'),
        (None, ValueError, r'gain must be "exponential" or "linear", got None'),
        (lambda r: r - 2, ValueError, r"gain\(relevance\) must be >= 0 .*gain\(relevance\)\[0, 0\] is -1"),
        (lambda r: r / 0, ValueError, r"gain\(relevance\)\[0, 0\] is inf"),
        (lambda r: r[0, :3], ValueError, r"gain\(relevance\) must have the shape of scores"),
        (lambda r: 1.0, TypeError, r"gain\(relevance\) must be a torch.Tensor, got float"),
    ],
    ids=["a name", "none", "negative", "inf", "another shape", "a number"],
)
def test_bad_gain(metric, gain, error, message):
    with pytest.raises(error, match=message):
        metric(SCORES, RELEVANCE, gain=gain)


def test_a_dcg_that_overflows_is_refused():
    """NDCG of the same grades has a value; so have the float64 one and the linear one."""
    grades = torch.tensor([200, 1, 0])
    scores = torch.tensor([0.9, 0.8, 0.7])
    with pytest.raises(ValueError, match=r'relevance has gains that overflow torch.float32: grades up to 200; .*gain="linear"'):
        rb.dcg(scores, grades)
    assert rb.dcg(scores.double(), grades).item() == pytest.approx(2.0**200)
    assert rb.dcg(scores, grades, gain="linear").item() == pytest.approx(200 + 1 / math.log2(3))
    assert rb.ndcg(scores, grades) == 1


def test_k_has_no_default():
    with pytest.raises(TypeError, match="k"):
        rb.recall_at_k(SCORES, RELEVANCE)


RANKED = [call for call in [case.metric for case in METRICS] + list(CORRELATIONS.values()) if call is not rb.kendall]
every_ranked = pytest.mark.parametrize("call", RANKED, ids=[case.name for case in METRICS] + ["spearman"])
BAD_RANKERS = {  # H-AP ranks a list for each grade in one call: one more leading axis
    "a name": ("exact", TypeError, r"rank_fn must be callable, such as partial\(rb.sigmoid_ranks, tau=0.1\), got 'exact'"),
    "none": (None, TypeError, "rank_fn must be callable"),
    "a list of ranks": (lambda s, r=None, *, where=None: [1.0], TypeError, "rank_fn must return a torch.Tensor of ranks, got list"),
    "too few": (
        lambda s, r=None, *, where=None: s[..., :1],
        ValueError,
        r"rank_fn must return one rank for each score, shape \((\d, )?2, 4\), got \((\d, )?2, 1\)",
    ),
    "one for all": (lambda s, r=None, *, where=None: s.sum(), ValueError, r"shape \((\d, )?2, 4\), got \(\)"),
    "nan": (
        lambda s, r=None, *, where=None: s.sqrt().neg().log(),
        ValueError,
        r"rank_fn\(scores\) must be finite, but rank_fn\(scores\)\[(0, )?0, 0\] is nan",
    ),
    "inf": (lambda s, r=None, *, where=None: s / 0, ValueError, r"rank_fn\(scores\) must be finite"),
}


@every_ranked
@pytest.mark.parametrize("bad", BAD_RANKERS)
def test_bad_rankers(call, bad):
    rank_fn, error, message = BAD_RANKERS[bad]
    with pytest.raises(error, match=message):
        call(SCORES, RELEVANCE, rank_fn=rank_fn)


@every_ranked
def test_what_a_ranker_says_about_absent_items_does_not_matter(call):
    scores, where = SCORES.clone().requires_grad_(), torch.tensor([True, True, False, True])

    def ranker(scores, relevance=None, *, where=None):
        ranks = partial(rb.sigmoid_ranks, tau=0.5)(scores, where=where)
        return torch.where(torch.ones_like(scores, dtype=torch.bool) if where is None else where, ranks, torch.nan)

    value = call(scores, RELEVANCE, rank_fn=ranker, where=where)
    assert value.isfinite()
    assert torch.autograd.grad(value, scores)[0].isfinite().all()


@every_ranked
def test_whole_numbers_are_ranks_too(call):
    """Of a ranker that counts: int64 ranks, float64 ranks of float32 scores."""

    def counted(dtype, scores, relevance=None, *, where=None):
        return rb.exact_ranks(scores, where=where).to(dtype)

    for dtype in (torch.int64, torch.float64):
        value = call(SCORES, RELEVANCE, rank_fn=partial(counted, dtype))
        assert value.dtype == torch.float32
        assert value == call(SCORES, RELEVANCE, rank_fn=rb.exact_ranks)


@every_call
@pytest.mark.parametrize("reduction", ["median", None, 3, ["mean"], torch.tensor(1)])
def test_bad_reduction(call, reduction):
    with pytest.raises(ValueError, match=r'reduction must be "mean", "sum", "none" or a callable \(values, defined\), got'):
        call(SCORES, RELEVANCE, reduction=reduction)
