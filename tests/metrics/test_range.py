"""Whatever a ranker says, a metric stays in its range and its gradient is finite."""

from functools import partial

import pytest
import torch

import rankbook as rb
from metrics.cases import METRICS, SOFT_CUTS, lists, remembering
from rankbook.metrics.ranking import clamp_through
from ranks.contract import RANKERS

every_metric = pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)


def scenes(length):
    """Scores from N(0, 1) of 100 items, of two, and of a list with ties."""
    for n, grid in ((length or 100, None), (length or 2, None), (length or 12, 1)):
        scores, relevance = lists(6, n, grid=grid, dtype=torch.float32)
        yield scores.requires_grad_(), relevance


def finite_gradient(value, scores):
    return torch.autograd.grad(value, scores, retain_graph=True)[0].isfinite().all()


@pytest.mark.parametrize("ranker", RANKERS, ids=str)
def test_values_and_gradients(ranker):
    """Of every metric."""
    for scores, relevance in scenes(ranker.length):
        for rank_fn in map(remembering, {ranker.soft, ranker.sharp or ranker.soft}):
            values = {}
            for case in METRICS + SOFT_CUTS:
                values[case] = case.metric(scores, relevance, rank_fn=rank_fn, reduction="none")
                assert ((values[case] >= 0) & (values[case] <= case.bounds(relevance) * (1 + 1e-6))).all(), case
            differentiable = {case: value.sum() for case, value in values.items() if value.requires_grad}
            if differentiable and not finite_gradient(sum(differentiable.values()), scores):
                culprits = [case for case, value in differentiable.items() if not finite_gradient(value, scores)]
                pytest.fail(f"the gradient is not finite of {culprits}")


@pytest.mark.parametrize("ranker", [ranker for ranker in RANKERS if ranker.name != "suprank"], ids=str)
def test_spearman(ranker):
    """Of any ranker that needs no relevance."""
    for scores, _ in scenes(ranker.length):
        target = torch.randn(scores.shape)
        for rank_fn in (ranker.soft, ranker.sharp or ranker.soft):
            values = rb.spearman(scores, target, rank_fn=rank_fn, reduction="none")
            assert (values.abs() <= 1).all()
            if values.requires_grad:
                (gradient,) = torch.autograd.grad(values.sum(), scores)
                assert gradient.isfinite().all()


@every_metric
@pytest.mark.parametrize("said", [-3.0, -1.0, 0.0, 0.3, 1e-30, 1e30])
def test_any_rank(case, said):
    """A ranker without an idea: one rank for all, next to nothing, negative or huge, with a slope."""
    scores, relevance = lists(4, 9, dtype=torch.float32)
    scores.requires_grad_()
    values = case.metric(scores, relevance, rank_fn=lambda s, r=None, *, where=None: said - s, reduction="none")
    assert ((values >= 0) & (values <= case.bounds(relevance) * (1 + 1e-6))).all()
    (gradient,) = torch.autograd.grad(values.sum(), scores)
    assert gradient.isfinite().all()


@every_metric
def test_more_above_among_the_positives_than_in_all(case):
    """rank+ above rank: a share that would exceed 1."""

    def ranker(scores, relevance=None, *, where=None):
        ranks = rb.exact_ranks(scores, where=where)
        return ranks if where is None else 50 * ranks

    scores, relevance = lists(6, 9)
    values = case.metric(scores, relevance, rank_fn=ranker, reduction="none")
    assert ((values >= 0) & (values <= case.bounds(relevance) * (1 + 1e-6))).all()


@every_metric
def test_what_is_inside_keeps_its_bits_and_its_gradient(case, monkeypatch):
    scores, relevance = lists(6, 9, dtype=torch.float32)
    scores.requires_grad_()
    rank_fn = partial(rb.sigmoid_ranks, tau=0.5)
    values = case.metric(scores, relevance, rank_fn=rank_fn, reduction="none")
    for module in ("ranking", "cutoff", "precision", "hierarchy", "intersection", "gains"):
        monkeypatch.setattr(f"rankbook.metrics.{module}.clamp_through", lambda values, low, high=None: values)
    free = case.metric(scores, relevance, rank_fn=rank_fn, reduction="none")
    assert torch.equal(values, free)
    assert torch.equal(*(torch.autograd.grad(x.sum(), scores)[0] for x in (values, free)))


def test_clamp_through():
    values = torch.tensor([-2.0, -0.0, 0.3, 1.0, 178.3], requires_grad=True)
    clamped = clamp_through(values, 0, 1)
    assert clamped.tolist() == [0, 0, values[2].item(), 1, 1]
    assert torch.autograd.grad(clamped.sum(), values)[0].tolist() == [1] * 5
    assert clamp_through(torch.tensor([0.1, 7.0]), 0.5).tolist() == [0.5, 7]
