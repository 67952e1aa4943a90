"""SoDeep's losses: values by loops, exact targets, what they refuse. In every mode of torch: metrics/test_modes.py."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

import oracles
import rankbook as rb

SMOOTH = partial(rb.sigmoid_ranks, tau=0.3)
SHARP = partial(rb.sigmoid_ranks, tau=1e-4)
LOSSES = {
    "SpearmanLoss": (rb.SpearmanLoss, lambda loss, scores: loss(scores, scores.detach())),
    "MeanRankLoss": (rb.MeanRankLoss, lambda loss, scores: loss(scores, torch.ones_like(scores))),
    "HardNegativeRankLoss": (rb.HardNegativeRankLoss, lambda loss, scores: loss(scores)),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


def smooth(scores):
    return [oracles.rank(i, range(len(scores)), scores, oracles.sigmoid(0.3)) for i in range(len(scores))]


def test_spearman_by_loops():
    scores, target = torch.randn(4, 7, dtype=torch.float64), torch.randint(4, (4, 7))
    expected = np.mean([((smooth(s) - rankdata(-t)) / 7) ** 2 for s, t in zip(scores.tolist(), target.numpy(), strict=True)])
    assert rb.SpearmanLoss(SMOOTH)(scores, target).item() == pytest.approx(expected, abs=1e-12)


def test_spearman_is_an_affine_function_of_rho():
    scores, target = torch.randn(7, dtype=torch.float64), torch.randn(7)
    expected = (1 - rb.spearman(scores, target).item()) * (7**2 - 1) / (6 * 7**2)
    assert rb.SpearmanLoss(rb.exact_ranks)(scores, target).item() == pytest.approx(expected)


def test_mean_rank_by_loops():
    scores, relevance = torch.randn(4, 7, dtype=torch.float64), torch.randint(2, (4, 7))
    relevance[1] = 0  # does not count
    relevance[2, 0] = 1
    sums = [
        sum(r for r, rel in zip(smooth(s), q, strict=True) if rel) / 7 for s, q in zip(scores.tolist(), relevance.tolist(), strict=True)
    ]
    expected = sum(sums) / sum(any(q) for q in relevance.tolist())
    assert rb.MeanRankLoss(SMOOTH)(scores, relevance).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.int32])
def test_close_targets_stay_apart(dtype):
    seconds = (1_700_000_000 + torch.arange(50)).to(dtype)
    scores = torch.linspace(-1, 1, 50)
    assert rb.SpearmanLoss(SHARP)(scores, seconds).item() < 1e-6
    assert rb.SpearmanLoss(SHARP)(scores, seconds.flip(0)).item() > 0.1


@pytest.mark.parametrize("name", ["SpearmanLoss", "MeanRankLoss"])
def test_lists_of_one_item_are_refused_with_the_way_out(name):
    make, call = LOSSES[name]
    column = torch.nn.Linear(3, 1)(torch.rand(8, 3))
    with pytest.raises(ValueError, match=r"at least two items, got shape \(8, 1\).*one list of 8 items after scores.squeeze\(-1\)"):
        call(make(SMOOTH), column)
    assert call(make(SMOOTH), column.squeeze(-1)).isfinite()
    with pytest.raises(ValueError, match=r"got shape \(1,\); hand over all items"):
        call(make(SMOOTH), torch.rand(1))


@every_loss
def test_bad_rankers(name):
    make, call = LOSSES[name]
    with pytest.raises(TypeError, match="ranker must be callable"):
        make("sigmoid")
    scores = torch.rand(4, 4)
    for ranker, error, message in (
        (lambda s, r=None: s.sum(), ValueError, r"ranker must return one rank for each score, shape \(4, 4\), got \(\)"),
        (lambda s, r=None: s * torch.nan, ValueError, r"ranker\(scores\) must be finite"),
        (lambda s, r=None: None, TypeError, "ranker must return a torch.Tensor"),
    ):
        with pytest.raises(error, match=message):
            call(make(ranker), scores)


@every_loss
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_bad_scores(name, value):
    make, call = LOSSES[name]
    scores = torch.rand(4, 4)
    scores[1, 2] = value
    with pytest.raises(ValueError, match=r"scores\[1, 2\] is"):
        call(make(SMOOTH), scores)


@every_loss
def test_a_loss_owns_its_ranker(name):
    make, _ = LOSSES[name]
    sorter = rb.KernelSorter()
    assert list(make(sorter).parameters()) == list(sorter.parameters())
