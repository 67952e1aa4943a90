"""RS@k's head by hand is the metric of sigmoid ranks by autograd, also where more is found than counts."""

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from rankbook.losses.recall_head import RecallHead
from rankbook.ranks.smooth import SigmoidStep
from rankbook.retrieval.counts import MetricHead
from rankbook.retrieval.positives import Group


@pytest.mark.parametrize("weights", [None, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(("positives", "k", "tau_rank"), [(1, (1, 3), 0.8), (3, (1, 2, 4), 0.8), (20, (1, 2, 16), 4.0)])
def test_value_and_gradients(positives, k, tau_rank, wanted, weights):
    step = SigmoidStep(0.3)
    scores, above = torch.randn(6, positives, dtype=torch.float64), 2 * torch.rand(6, positives, dtype=torch.float64)
    rows = torch.arange(6)
    group = Group(rows, torch.arange(positives).expand(6, -1), torch.ones(6, positives), weights=weights and torch.rand(6, positives))
    by_autograd = MetricHead(lambda *lists, **more: rb.capped_recall(*lists, k=k, tau_rank=tau_rank, **more), step.ranks)
    found = RecallHead(step, k, tau_rank)(scores, group, above, wanted)
    expected = by_autograd(scores, group, above, wanted)
    for ours, theirs in zip(found[: 3 if wanted else 1], expected, strict=False):
        assert_close(ours, theirs, rtol=0, atol=1e-12)
    within = torch.sigmoid((1 - rb.sigmoid_ranks(scores, tau=0.3) - above) / tau_rank).sum(1)
    assert (within > 1).all() == (positives == 20)  # there the softest cut finds more than one item within the first place
