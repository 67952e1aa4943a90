"""A sorter is a ranker: every metric and every loss of ranks takes it."""

import copy
import io

import pytest
import torch

import rankbook as rb
from metrics.cases import METRICS, SOFT_CUTS, lists
from rankbook.sorters.checkpoints import shipped_names
from sorters.models import SMALL, small

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))]
every_sorter = pytest.mark.parametrize("architecture", SMALL, ids=lambda kind: kind.__name__)
every_device = pytest.mark.parametrize("device", DEVICES)


def assert_trains(loss, inputs, *, flat=False):
    """Finite, on the device of the scores, and, unless it may be flat, with a gradient that says something."""
    (grad,) = torch.autograd.grad(loss, inputs)
    assert loss.shape == ()
    assert loss.isfinite()
    assert grad.isfinite().all()
    assert flat or grad.abs().max() > 0
    assert grad.device.type == inputs.device.type == loss.device.type


PAIRS = [(name, case) for name in shipped_names() for case in METRICS + SOFT_CUTS]


@every_device
@pytest.mark.parametrize(("name", "case"), PAIRS, ids=str)
def test_every_metric_takes_every_shipped_sorter(name, case, device):
    sorter = rb.load_sorter(name, device=device)
    scores, relevance = lists(3, sorter.length or 100, dtype=torch.float32)
    scores, relevance = scores.to(device).requires_grad_(), relevance.to(device)
    loss = rb.as_loss(case.metric, sorter)(scores, relevance)
    assert torch.equal(rb.RankLoss(case.metric, sorter)(scores, relevance), loss)
    hard_cut = ("@" in case.name or case.name in ("map_at_r", "r_precision")) and case not in SOFT_CUTS  # its gradient may be zero
    assert_trains(loss, scores, flat=hard_cut)


@every_device
@every_sorter
def test_spearman(architecture, device):
    sorter = small(architecture).requires_grad_(False).to(device)
    scores, target = torch.randn(2, 3, sorter.length or 12, device=device)
    assert_trains(rb.as_loss(rb.spearman, sorter)(scores.requires_grad_(), target), scores)


@every_device
@every_sorter
def test_sodeep_losses(architecture, device):
    sorter = small(architecture).requires_grad_(False).to(device)
    n = sorter.length or 12
    scores = torch.randn(n, n, device=device).requires_grad_()
    relevance = torch.randint(2, (n, n), device=device)
    assert_trains(rb.SpearmanLoss(sorter)(scores, torch.randn(n, n, device=device)), scores)
    assert_trains(rb.MeanRankLoss(sorter)(scores, relevance), scores)
    assert_trains(rb.HardNegativeRankLoss(sorter)(scores), scores)


@every_sorter
def test_the_loss_owns_its_sorter(architecture):
    """It moves, saves and copies with the loss, and trains unless it is frozen."""
    loss = rb.RankLoss(rb.average_precision, small(architecture))
    scores, relevance = lists(3, loss.rank_fn.length or 12, dtype=torch.float32)
    loss(scores, relevance).backward()
    assert all(weights.grad is not None for weights in loss.parameters())
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    other = copy.deepcopy(loss)
    with torch.no_grad():
        for weights in other.parameters():
            weights += 1
    assert not torch.equal(other(scores, relevance), loss(scores, relevance))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(scores, relevance), loss(scores, relevance))
    assert loss.double()(scores.double(), relevance).dtype == torch.float64
