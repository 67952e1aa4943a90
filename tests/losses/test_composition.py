"""`as_loss` and `RankLoss`: 1 - any metric with any ranker."""

import copy
import io
from functools import partial

import pytest
import torch
from torch import nn

import oracles
import rankbook as rb
from metrics.cases import CORRELATIONS, METRICS, SOFT_CUTS, lists

SMOOTH = partial(rb.sigmoid_ranks, tau=0.5)
every_metric = pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)


class Sorter(nn.Module):
    """A ranker with a weight and a buffer, as a learned sorter has."""

    def __init__(self, tau=0.5):
        super().__init__()
        self.log_tau = nn.Parameter(torch.tensor(float(tau)).log())
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, scores, relevance=None, *, where=None):
        self.calls += 1
        return rb.sigmoid_ranks(scores / self.log_tau.exp(), where=where, tau=1.0)


@every_metric
def test_the_loss_is_one_minus_the_metric(case):
    scores, relevance = lists(5, 9)
    relevance[2] = 0
    for rank_fn in (SMOOTH, rb.exact_ranks):
        values = case.metric(scores, relevance, rank_fn=rank_fn, reduction="none")
        losses = torch.where(relevance.any(-1), 1 - values, 0.0)
        for reduction, expected in (("none", losses), ("sum", losses.sum()), ("mean", losses.sum() / 4)):
            loss = rb.as_loss(case.metric, rank_fn, reduction=reduction)
            torch.testing.assert_close(loss(scores, relevance), expected)
        torch.testing.assert_close(rb.as_loss(case.metric, rank_fn)(scores, relevance), losses.sum() / 4)


@every_metric
def test_the_loss_is_the_loop(case):
    scores, relevance = lists(5, 9, grid=3)
    values = [case.oracle(s, r, oracles.sigmoid(0.5)) for s, r in zip(scores.tolist(), relevance.tolist(), strict=True)]
    assert rb.as_loss(case.metric, SMOOTH)(scores, relevance).item() == pytest.approx(1 - sum(values) / 5, abs=1e-12)


@every_metric
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scores", ["distinct", "tied", "constant", "huge", "one item"])
def test_gradients_are_finite(case, scores, dtype):
    given, relevance = lists(3, 9, grid=2 if scores == "tied" else None)
    if scores == "one item":
        given, relevance = given[:, 1:2], relevance[:, 1:2]
    given = (given * {"constant": 0.0, "huge": 1e6}.get(scores, 1.0)).to(dtype).requires_grad_()
    loss = rb.as_loss(case.metric, partial(rb.sigmoid_ranks, tau=0.01))(given, relevance)
    loss.backward()
    assert loss.isfinite()
    assert given.grad.isfinite().all()
    assert given.grad.dtype == dtype


@every_metric
def test_gradcheck(case):
    scores, relevance = lists(2, 6)
    loss = rb.as_loss(case.metric, SMOOTH)
    assert torch.autograd.gradcheck(lambda s: loss(s, relevance), scores.requires_grad_())


@pytest.mark.parametrize("case", [case for case in METRICS + SOFT_CUTS if "@" not in case.name or case in SOFT_CUTS], ids=repr)
def test_a_step_against_the_gradient_lowers_the_loss(case):
    scores, relevance = lists(4, 9)
    loss = rb.as_loss(case.metric, SMOOTH)
    before = loss(scores.requires_grad_(), relevance)
    before.backward()
    assert scores.grad.any()
    assert loss(scores.detach() - 1e-3 * scores.grad, relevance) < before


def test_spearman_is_a_loss_too():
    scores, target = lists(4, 9)
    loss = rb.as_loss(rb.spearman, SMOOTH)
    assert loss(10 * target.double() + 0.1 * torch.arange(9), target * 10 + torch.arange(9)).item() < 0.2
    before = loss(scores.requires_grad_(), target)
    before.backward()
    assert loss(scores.detach() - 1e-2 * scores.grad, target) < before
    assert torch.autograd.gradcheck(lambda s: loss(s, target), scores)


@every_metric
@pytest.mark.parametrize("kind", [rb.as_loss, rb.RankLoss], ids=["as_loss", "RankLoss"])
def test_without_positives_the_loss_is_zero_and_warns(case, kind):
    scores = torch.rand(3, 5, requires_grad=True)
    with pytest.warns(UserWarning, match="relevance has no positive in any list: the loss is 0"):
        loss = kind(case.metric, SMOOTH)(scores, torch.zeros(3, 5))
    loss.backward()
    assert loss.item() == 0
    assert scores.grad.eq(0).all()


@every_metric
def test_lists_without_positives_do_not_count(case):
    scores, relevance = lists(4, 9)
    relevance[1] = 0
    scores.requires_grad_()
    rb.as_loss(case.metric, SMOOTH)(scores, relevance).backward()
    rest = torch.tensor([0, 2, 3])
    alone = scores.detach()[rest].requires_grad_()
    rb.as_loss(case.metric, SMOOTH)(alone, relevance[rest]).backward()
    torch.testing.assert_close(scores.grad[rest], alone.grad)
    assert scores.grad[1].eq(0).all()


def test_where_reaches_the_metric():
    scores, relevance = torch.tensor([[0.9, torch.nan, 0.7, 0.8]]), torch.tensor([[0, 1, 1, 0]])
    where = torch.tensor([[True, False, True, True]])
    for kind in (rb.as_loss, rb.RankLoss):
        loss = kind(rb.average_precision, rb.exact_ranks)(scores, relevance, where=where)
        assert loss.item() == pytest.approx(1 - 1 / 3)


def test_a_rank_loss_owns_its_ranker():
    loss = rb.RankLoss(rb.average_precision, Sorter())
    assert [name for name, _ in loss.named_parameters()] == ["rank_fn.log_tau"]
    assert set(loss.state_dict()) == {"rank_fn.log_tau", "rank_fn.calls"}
    scores, relevance = lists(3, 9)
    loss(scores, relevance).backward()
    assert loss.rank_fn.log_tau.grad.abs() > 1e-4
    assert loss.double().rank_fn.log_tau.dtype == torch.float64
    assert not loss.eval().rank_fn.training
    assert not list(rb.RankLoss(rb.average_precision, SMOOTH).parameters())


def test_a_rank_loss_saves_and_loads():
    scores, relevance = lists(3, 9)
    trained, fresh = rb.RankLoss(rb.ndcg, Sorter(0.1), k=3), rb.RankLoss(rb.ndcg, Sorter(0.9), k=3)
    expected = trained(scores, relevance)
    assert (fresh(scores, relevance) - expected).abs() > 1e-3
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert fresh(scores, relevance) == expected


def test_a_copied_or_replaced_ranker_is_the_one_that_ranks():
    scores, relevance = lists(3, 9)
    loss = rb.RankLoss(rb.average_precision, Sorter(0.1))
    other = copy.deepcopy(loss)
    with torch.no_grad():
        other.rank_fn.log_tau += 1
    assert other(scores, relevance) != loss(scores, relevance)
    other.rank_fn = loss.rank_fn
    assert other(scores, relevance) == loss(scores, relevance)


def test_metric_arguments_are_kept():
    scores, relevance = lists(3, 9)
    for kind in (rb.as_loss, rb.RankLoss):
        loss = kind(rb.recall_at_k, SMOOTH, k=2, tau_rank=0.5, reduction="sum")
        expected = 3 - rb.recall_at_k(scores, relevance, k=2, tau_rank=0.5, rank_fn=SMOOTH, reduction="sum")
        torch.testing.assert_close(loss(scores, relevance), expected)
        torch.testing.assert_close(loss(scores, relevance), expected)  # also the second time


def test_a_metric_of_your_own():
    """The last line of a metric is `reduce_lists`; that is all it takes."""

    def reciprocal_rank_of_the_first_item(scores, relevance, *, rank_fn, where=None, reduction="mean"):
        values = 1 / rank_fn(scores, relevance, where=where)[..., 0]
        return rb.reduce_lists(values, torch.ones_like(values, dtype=torch.bool), reduction)

    loss = rb.as_loss(reciprocal_rank_of_the_first_item, rb.exact_ranks)
    assert loss(torch.tensor([0.1, 0.2, 0.3]), torch.ones(3)).item() == pytest.approx(1 - 1 / 3)


@pytest.mark.parametrize("kind", [rb.as_loss, rb.RankLoss], ids=["as_loss", "RankLoss"])
def test_bad_arguments_are_refused_when_constructed(kind):
    for reduction in ("median", None, 3, torch.tensor(1)):
        with pytest.raises(ValueError, match=r'reduction must be "mean", "sum" or "none", got'):
            kind(rb.average_precision, SMOOTH, reduction=reduction)
    with pytest.raises(TypeError, match="metric must be callable"):
        kind("ndcg", SMOOTH)
    with pytest.raises(TypeError, match=r"rank_fn must be callable, such as partial\(rb.sigmoid_ranks, tau=0.1\), got 0.1"):
        kind(rb.ndcg, 0.1)


def test_kendall_cannot_train():
    """It takes no ranker: its pairs are signs."""
    assert "kendall" in CORRELATIONS
    with pytest.raises(TypeError, match="rank_fn"):
        rb.as_loss(rb.kendall, SMOOTH)(torch.rand(3), torch.rand(3))
