"""Bad input: each error names the argument and what came."""

from functools import partial

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


@pytest.mark.parametrize("metric", [rb.recall_at_k, rb.hit_at_k, rb.precision_at_k, rb.ndcg], ids=lambda m: m.__name__)
@pytest.mark.parametrize("k", [0, -1, 2.0, True, "3"])
def test_bad_k(metric, k):
    with pytest.raises(ValueError, match=r"k must be a whole number of at least 1, got"):
        metric(SCORES, RELEVANCE, k=k)


@pytest.mark.parametrize("metric", [*(partial(m, k=2) for m in (rb.recall_at_k, rb.hit_at_k, rb.precision_at_k, rb.ndcg)), rb.map_at_r])
@pytest.mark.parametrize("tau_rank", [0, -1.0, torch.nan, torch.inf])
def test_bad_tau_rank(metric, tau_rank):
    with pytest.raises(ValueError, match="tau_rank must be a finite number above 0, got"):
        metric(SCORES, RELEVANCE, tau_rank=tau_rank)


def test_k_has_no_default():
    with pytest.raises(TypeError, match="k"):
        rb.recall_at_k(SCORES, RELEVANCE)
