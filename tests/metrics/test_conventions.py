"""The conventions that all metrics share: masks, batches, lists without a positive, reductions, dtypes, errors."""

import math
from fractions import Fraction
from functools import partial

import pytest
import torch

import rankbook as rb
from metrics.cases import CORRELATIONS, METRICS, SOFT_CUTS, lists
from ranks.contract import RANKERS

SUP = next(ranker.soft for ranker in RANKERS if ranker.name == "suprank")
SMOOTH = partial(rb.sigmoid_ranks, tau=0.5)
every_metric = pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)
every_call = pytest.mark.parametrize(
    "call", [case.metric for case in METRICS] + list(CORRELATIONS.values()), ids=[case.name for case in METRICS] + list(CORRELATIONS)
)


def test_every_public_metric_is_in_the_contract():
    """Or it would be held to nothing: a new metric joins METRICS or CORRELATIONS of cases.py."""
    inner = [getattr(call, "func", call) for call in [case.metric for case in METRICS] + list(CORRELATIONS.values())]
    assert {f.__name__ for f in inner} == set(rb.metrics.__all__) - {"reduce_lists", "within_top_k"}


@every_call
@pytest.mark.parametrize("junk", [torch.nan, torch.inf, -1e30, 1e30])
def test_where_equals_the_sublist(call, junk):
    scores, relevance = lists(6, 9)
    where = torch.rand(6, 9) < 0.6
    where[:, :4] = True
    where[0] = True
    expected = torch.stack([call(s[w], r[w], reduction="none") for s, r, w in zip(scores, relevance, where, strict=True)])
    padded = torch.where(where, scores, junk)
    torch.testing.assert_close(call(padded, relevance, where=where, reduction="none"), expected, rtol=0, atol=1e-12)
    noise = torch.where(where, relevance.double(), 3.0 if junk != junk else abs(junk))
    torch.testing.assert_close(call(padded, noise, where=where, reduction="none"), expected, rtol=0, atol=1e-12)


@every_metric
def test_where_has_the_gradient_of_the_sublist(case):
    scores, relevance = lists(1, 9)
    where = torch.tensor([[True, True, True, False, True, False, True, True, False]])
    padded = torch.where(where, scores, torch.nan).requires_grad_()
    short = scores[where].requires_grad_()
    case.metric(padded, relevance, where=where, rank_fn=SMOOTH).backward()
    case.metric(short, relevance[where], rank_fn=SMOOTH).backward()
    torch.testing.assert_close(padded.grad[where], short.grad, rtol=0, atol=1e-12)
    assert padded.grad[~where].eq(0).all()
    if ("@" not in case.name and case.name != "r_precision") or case in SOFT_CUTS:  # a hard cut passes a gradient at its edge only
        assert short.grad.any()


@every_call
def test_leading_axes_are_a_batch(call):
    scores, relevance = lists(6, 9)
    values = call(scores, relevance, reduction="none")
    assert values.shape == (6,)
    assert torch.equal(call(scores.view(2, 3, 9), relevance.view(2, 3, 9), reduction="none"), values.view(2, 3))
    one_by_one = [call(s, r) for s, r in zip(scores, relevance, strict=True)]
    torch.testing.assert_close(torch.stack(one_by_one), values, rtol=0, atol=1e-12)
    assert one_by_one[0].shape == ()
    shared = call(scores, relevance[0], reduction="none")  # one relevance for all lists
    torch.testing.assert_close(shared, call(scores, relevance[:1].expand(6, 9), reduction="none"))


@every_call
@pytest.mark.parametrize("leading", [(0,), (2, 0)], ids=str)
def test_no_list_has_no_value(call, leading):
    rankers = [{}] if call is rb.kendall else [{}] + [{"rank_fn": ranker.soft} for ranker in RANKERS if not ranker.length]
    for kwargs in rankers:
        if call is rb.spearman and kwargs.get("rank_fn") is SUP:
            continue  # which needs a relevance
        scores = torch.zeros(*leading, 20, requires_grad=True)
        values = call(scores, torch.zeros(*leading, 20), reduction="none", **kwargs)
        assert values.shape == leading
        with pytest.raises(ValueError, match="nothing to average"):
            call(scores, torch.zeros(*leading, 20), **kwargs)


@every_call
def test_reductions(call):
    scores, relevance = lists(6, 9)
    values = call(scores, relevance, reduction="none")
    torch.testing.assert_close(call(scores, relevance), values.mean())
    torch.testing.assert_close(call(scores, relevance, reduction="sum"), values.sum())
    worst = call(scores, relevance, reduction=lambda values, defined: values[defined].min())
    torch.testing.assert_close(worst, values.min())
    with pytest.raises(ValueError, match="reduction"):
        call(scores, relevance, reduction="median")


@every_call
def test_lists_without_a_value_are_not_in_the_mean(call):
    """No positive for a metric, a constant target for a correlation: relevance 0 is both."""
    scores, relevance = lists(4, 9)
    relevance[2] = 0
    values = call(scores, relevance, reduction="none")
    assert values[2] == 0
    others = torch.tensor([0, 1, 3])
    torch.testing.assert_close(call(scores, relevance), values[others].mean())
    torch.testing.assert_close(call(scores, relevance, reduction="sum"), values[others].sum())
    defined = call(scores, relevance, reduction=lambda values, defined: defined)
    assert defined.tolist() == [True, True, False, True]


@every_call
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_no_value_in_any_list_is_an_error(call, reduction):
    scores, relevance = torch.rand(3, 5), torch.zeros(3, 5)
    with pytest.raises(ValueError, match=r"no positive.*reduction='none'"):
        call(scores, relevance, reduction=reduction)
    assert call(scores, relevance, reduction="none").tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="no positive"):
        call(scores, torch.eye(3, 5), where=~torch.eye(3, 5, dtype=torch.bool), reduction=reduction)


@pytest.mark.parametrize("correlation", CORRELATIONS.values(), ids=CORRELATIONS)
@pytest.mark.parametrize("n", [1, 2, 7, 10_000])
def test_constant_scores_have_no_correlation(correlation, n):
    """Also where n is so large that float32 cannot hold the mean rank."""
    if correlation is rb.kendall:
        n = min(n, 300)  # n^2 pairs
    where = torch.rand(n) < 0.9
    for scores, target, mask in (
        (torch.full((n,), 0.3), torch.rand(n), None),
        (torch.rand(n), torch.full((n,), 3), None),
        (torch.full((n,), 0.3).masked_fill(~where, 8.0), torch.rand(n), where),
    ):
        assert correlation(scores, target, where=mask, reduction="none") == 0
        with pytest.raises(ValueError, match="constant"):
            correlation(scores, target, where=mask)


@pytest.mark.parametrize("correlation", CORRELATIONS.values(), ids=CORRELATIONS)
def test_close_targets_stay_apart(correlation):
    scores = torch.tensor([0.1, 0.3, 0.2])
    expected = correlation(scores, torch.tensor([1, 2, 3]))
    assert correlation(scores, torch.tensor([1_000_000_001, 1_000_000_002, 1_000_000_003])) == expected
    assert correlation(scores, torch.tensor([1 + 1e-12, 1 + 2e-12, 1 + 3e-12], dtype=torch.float64)) == expected


@every_call
def test_dtypes(call):
    scores, relevance = lists(3, 9)
    for given, computed in (
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ):
        value = call(scores.to(given), relevance)
        assert value.dtype == computed
        torch.testing.assert_close(value, call(scores.to(given).to(computed), relevance))
    for dtype in (torch.uint8, torch.int32, torch.float32, torch.float16):
        torch.testing.assert_close(call(scores, relevance.to(dtype)), call(scores, relevance))
    binary = relevance > 0
    torch.testing.assert_close(call(scores, binary), call(scores, binary.double()))


@pytest.mark.parametrize("correlation", CORRELATIONS.values(), ids=CORRELATIONS)
@pytest.mark.parametrize("target", [[-(2**63), 0, 2**63 - 1], [5e-324, 1e-323, 1.5e-323], [-1.7e308, 0, 1.7e308]], ids=str)
def test_any_target_has_an_order(correlation, target):
    """Differences of these overflow or vanish."""
    target = torch.tensor(target, dtype=torch.float64 if isinstance(target[2], float) else torch.int64)
    for scores in (torch.tensor([0.1, 0.2, 0.3]), torch.tensor([-3e38, 0.0, 3e38])):
        assert correlation(scores, target) == pytest.approx(1, abs=1e-6)
        assert correlation(scores, target, where=torch.tensor([True, False, True])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("grades", [[3, 285, 0, 284], [1000, 1, 0, 999], [31, 30, 0, 1], [2**62 - 1, 2**62, 0, 5], [0.25, 0.5, 0.0, 1e-9]])
@pytest.mark.parametrize("scores", [torch.float32, torch.float64], ids=str)
def test_ndcg_of_any_grade(grades, scores):
    """By hand, with exact gains: 2^rel - 1 overflows float32 at 128 and float64 at 1024."""
    most = max(grades)
    if most > 1:
        gains = [float((1 - Fraction(1, 2 ** min(g, 2000))) / 2 ** min(most - g, 2000)) for g in grades]  # over 2^most
    else:
        gains = [math.expm1(math.log(2) * g) for g in grades]
    dcg = sum(g / math.log2(2 + i) for i, g in enumerate(gains))
    ideal = sum(g / math.log2(2 + i) for i, g in enumerate(sorted(gains, reverse=True)))
    s = torch.tensor([0.9, 0.8, 0.7, 0.6], dtype=scores, requires_grad=True)
    kind = torch.int64 if isinstance(most, int) else torch.float64
    assert rb.ndcg(s, torch.tensor(grades, dtype=kind)).item() == pytest.approx(dcg / ideal, rel=1e-6)
    rb.as_loss(rb.ndcg, SMOOTH)(s, torch.tensor(grades, dtype=kind)).backward()
    assert s.grad.isfinite().all()
    assert s.grad.any()


def test_tiny_grades_keep_their_digits():
    """2^rel - 1 is rel log 2 there; in float32 the difference would be 0."""
    scores = torch.tensor([0.9, 0.8, 0.7])
    for grade in (1e-3, 1e-9, 1e-30, 1e-40):
        value = rb.ndcg(scores, grade * torch.tensor([1.0, 3.0, 2.0]))
        expected = (1 + 3 / math.log2(3) + 2 / 2) / (3 + 2 / math.log2(3) + 1 / 2)
        assert value.item() == pytest.approx(expected, rel=2e-3 if grade == 1e-3 else 1e-4)


@pytest.mark.parametrize("case", METRICS, ids=repr)
def test_a_positive_is_what_is_above_zero_before_any_cast(case):
    """1e-60 is 0 in float32, the dtype of the scores."""
    relevance = torch.tensor([0.0, 1e-60, 0.0, 2e-60], dtype=torch.float64)
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6])
    assert case.metric(scores, relevance).item() == pytest.approx(case.metric(scores.double(), relevance).item(), abs=1e-6)
    assert case.metric(scores, relevance) > 0 or case.name in ("map_at_r", "dcg@3")  # DCG is of the size of the grades


@every_call
def test_inputs_are_not_modified(call):
    scores, relevance = lists(3, 9)
    where = torch.rand(3, 9) < 0.9
    before = scores.clone(), relevance.clone(), where.clone(), torch.get_rng_state()
    scores.requires_grad_()
    call(scores, relevance, where=where, reduction="none")
    assert torch.equal(scores, before[0])
    assert torch.equal(relevance, before[1])
    assert torch.equal(where, before[2])
    assert torch.equal(torch.get_rng_state(), before[3])
    assert scores.requires_grad
    assert scores.grad is None


@pytest.fixture
def warn_always():
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@every_call
def test_views_with_strides(call, warn_always):
    """Without torch's performance warning, which shows up once a process."""
    scores, relevance = lists(5, 9)
    expected = call(scores, relevance, reduction="none")
    strided = scores.T.contiguous().T, relevance.T.contiguous().T
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(call(*strided, reduction="none"), expected)


@pytest.mark.parametrize("case", METRICS, ids=repr)
def test_a_list_of_one(case):
    value = case.metric(torch.tensor([0.3]), torch.tensor([1]))
    assert value.item() == pytest.approx(case.best([1]))


@pytest.mark.parametrize("case", METRICS, ids=repr)
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_scores(case, scale):
    scores, relevance = lists(4, 9)
    torch.testing.assert_close(case.metric((scores * scale).float(), relevance), case.metric(scores, relevance).float())
