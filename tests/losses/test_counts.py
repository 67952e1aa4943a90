"""The core of the batch losses: analytic heads equal autograd, and blocks of any size give the same result."""

from functools import partial

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.scenes import batch, gradients
from rankbook.losses.smooth_ap import SmoothAPHead
from rankbook.ranks import pairs
from rankbook.ranks.smooth import SigmoidStep
from rankbook.ranks.suprank import SupStep
from rankbook.retrieval import blocks
from rankbook.retrieval.batch import check_batch
from rankbook.retrieval.counts import MetricHead, RankLoss
from rankbook.retrieval.gradients import with_gradients

TAU = 0.1
SMOOTH = partial(rb.sigmoid_ranks, tau=TAU)
METRICS = {
    "average_precision": rb.average_precision,
    "ndcg": rb.ndcg,
    "hierarchical_ap": rb.hierarchical_ap,
    "map_at_r": partial(rb.map_at_r, tau_rank=0.5),
    "recall_at_k": partial(rb.recall_at_k, k=2, tau_rank=0.5),
    "precision_at_k": partial(rb.precision_at_k, k=2, tau_rank=0.5),
    "hit_at_k": partial(rb.hit_at_k, k=2, tau_rank=0.5),
    "reciprocal_rank": rb.reciprocal_rank,
}


def fused_with(head, labels, *, include_query=False, step=None):
    step = step or SigmoidStep(TAU)
    return lambda x: of_blocks(check_batch(x, labels), RankLoss(step, head), "positive" if include_query else "absent")


def of_blocks(batch, of_block, query="absent"):
    return with_gradients(batch, partial(blocks.in_blocks, of_block), query, "mean")


def equal(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("include_query", [False, True])
def test_the_head_by_hand_is_the_head_by_autograd(include_query):
    embeddings, labels = batch((5, 4, 2, 2, 1))
    by_hand = fused_with(SmoothAPHead(SigmoidStep(TAU)), labels, include_query=include_query)
    by_autograd = fused_with(MetricHead(rb.average_precision, SMOOTH), labels, include_query=include_query)
    equal(gradients(by_hand, embeddings), gradients(by_autograd, embeddings))


@pytest.mark.parametrize("name", METRICS)
def test_any_metric_stands_on_the_core(name):
    """Binary relevance: all items that are less relevant than a positive are negatives, so the split of the rank is exact."""
    embeddings, labels = batch((5, 4, 2, 2, 1))
    where = rb.leave_query_out(len(labels))
    composition = rb.as_loss(METRICS[name], SMOOTH)
    expected = gradients(lambda x: composition(x @ x.T, rb.same_label(labels), where=where), embeddings)
    equal(gradients(fused_with(MetricHead(METRICS[name], SMOOTH), labels), embeddings), expected)


@pytest.mark.parametrize("name", ["ndcg", "hierarchical_ap"])
def test_graded_relevance_stands_on_the_core(name):
    embeddings, labels = batch((5, 4, 2, 2, 1), levels=True)
    where = rb.leave_query_out(len(labels))
    composition = rb.as_loss(METRICS[name], SMOOTH)
    expected = gradients(lambda x: composition(x @ x.T, rb.shared_levels(labels), where=where), embeddings)
    equal(gradients(fused_with(MetricHead(METRICS[name], SMOOTH), labels), embeddings), expected)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("elements", [1, 15, 30, 61, 100])
@pytest.mark.parametrize("head", ["by hand", "by autograd"])
def test_blocks_of_any_size_agree(monkeypatch, head, elements, rows):
    """14 items: 1 is one positive at a time, 15 to 61 split the positives of a query, 100 splits the queries; rows bound the
    scores [queries, 14] and the comparisons of the positives [queries, R, R]."""
    embeddings, labels = batch((5, 4, 2, 2, 1))
    head = SmoothAPHead(SigmoidStep(TAU)) if head == "by hand" else MetricHead(rb.ndcg, SMOOTH)
    expected = gradients(fused_with(head, labels), embeddings)
    reference = batch((3, 0, 2, 5))
    with_reference = lambda x, y: of_blocks(  # noqa: E731
        check_batch(x, labels, y, reference[1]), RankLoss(SigmoidStep(TAU), head)
    )
    expected_reference = gradients(with_reference, embeddings, reference[0])
    monkeypatch.setattr(pairs, "BLOCK", elements)
    monkeypatch.setattr(blocks, "_ROWS", rows)
    monkeypatch.setattr(blocks, "_SCORES", 1)
    monkeypatch.setattr(blocks, "BLOCK", 16 * rows)
    equal(gradients(fused_with(head, labels), embeddings), expected)
    equal(gradients(with_reference, embeddings, reference[0]), expected_reference)


def test_blocks_bound_the_memory_of_a_step(monkeypatch):
    """The step sees at most _ELEMENTS leads at a time, or one row of the gallery; all of them once, and once more for the slopes."""
    seen = {"sums": [], "slopes_": []}

    class Step(SigmoidStep):
        def sums(self, leads):
            seen["sums"].append(leads.numel())
            return super().sums(leads)

        def slopes_(self, leads):
            seen["slopes_"].append(leads.numel())
            return super().slopes_(leads)

    embeddings, labels = batch((5, 4, 2, 2, 1))
    monkeypatch.setattr(pairs, "BLOCK", 40)
    loss = fused_with(SmoothAPHead(SigmoidStep(TAU)), labels, step=Step(TAU))
    loss(embeddings)
    every = 14 * (5 * 4 + 4 * 3 + 2 * 1 + 2 * 1)  # each (query, positive) meets the gallery once
    assert (sum(seen["sums"]), sum(seen["slopes_"])) == (every, 0)
    loss(embeddings.requires_grad_())
    assert (sum(seen["sums"]), sum(seen["slopes_"])) == (2 * every, every)
    assert max(seen["sums"] + seen["slopes_"]) <= 40


@pytest.mark.parametrize(
    ("step", "value"),
    [(SigmoidStep(0.1), lambda x: torch.sigmoid(x / 0.1)), (SupStep(0.1, 20.0, 0.15), lambda x: sup(x, 0.1, 20.0, 0.15))],
    ids=["sigmoid", "sup"],
)
def test_a_step_gives_its_sum_and_its_slope(step, value):
    leads = torch.tensor([[-0.3, 0.0, 0.05, -torch.inf, 0.4], [0.2, -torch.inf, -torch.inf, -5.0, 3.0]], dtype=torch.float64)
    x = leads.clone().requires_grad_()
    expected = torch.where(x.isinf(), 0.0, value(x.clamp(min=-100))).sum(-1)
    expected.sum().backward()
    assert_close(step.sums(leads * step.scale), expected.detach(), rtol=0, atol=1e-13)
    scaled = leads * step.scale
    assert step.slopes_(scaled) is scaled
    assert_close(scaled * step.scale, x.grad, rtol=0, atol=1e-13)
    assert scaled[0, 3] < 1e-150


def sup(x, tau, rho, delta):
    """H^- by cases, as in `rankbook.sup_ranks`."""
    near = torch.sigmoid(x / tau) + torch.where(x >= 0, 0.5, 0.0)
    knee = torch.sigmoid(torch.tensor(delta / tau, dtype=x.dtype)) + 0.5
    return torch.where(x > delta, knee + rho * (x - delta), near)


def test_queries_without_gradient_cost_no_backward_pass(monkeypatch):
    embeddings, labels = batch()
    monkeypatch.setattr(torch.Tensor, "index_add_", None)  # where the gradient is collected
    assert rb.SmoothAPLoss()(embeddings, labels).isfinite()
    with torch.no_grad():
        assert rb.SmoothAPLoss()(embeddings.requires_grad_(), labels).isfinite()
