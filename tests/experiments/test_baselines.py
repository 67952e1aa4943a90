"""The triplet and multi-similarity contenders: the package's own miners, arithmetic by hand, and what happens without the package."""

import math
import sys

import pytest
import torch

from rankbook.experiments.baselines import HardTripletLoss, SemiHardTripletLoss, TripletLoss, multi_similarity, triplets

LABELS = torch.tensor([2, 0, 1, 0, 3, 2, 0, 1, 0])  # any order, unequal classes, one alone


@pytest.fixture(scope="module")
def package():
    return pytest.importorskip("pytorch_metric_learning")


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(len(LABELS), 4, dtype=torch.float64, generator=generator)
    return torch.nn.functional.normalize(embeddings, dim=1).requires_grad_(), LABELS


def test_triplets_are_those_of_the_package(package):
    from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices

    for ours, theirs in zip(triplets(LABELS), get_all_triplets_indices(LABELS), strict=True):
        assert torch.equal(ours, theirs)
    assert len(triplets(LABELS)[0]) == sum(n * (n - 1) * (9 - n) for n in (2, 4, 2, 1))
    assert all(len(index) == 0 for index in triplets(torch.arange(4)))


@pytest.mark.parametrize(("ours", "kind"), [(TripletLoss, "all"), (SemiHardTripletLoss, "semihard")])
def test_value_and_gradient_are_those_of_the_package_with_its_miner(package, batch, ours, kind):
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import TripletMarginMiner

    embeddings, labels = batch
    for margin in (0.1, 0.4):
        mined = TripletMarginMiner(margin=margin, type_of_triplets=kind)(embeddings, labels)
        theirs = TripletMarginLoss(margin=margin)(embeddings, labels, mined)
        loss = ours(margin)(embeddings, labels)
        assert torch.isclose(loss, theirs, rtol=1e-12)
        assert loss > 0
        assert torch.allclose(*(torch.autograd.grad(value, embeddings)[0] for value in (loss, theirs)), atol=1e-12)


def distances(embeddings):
    return [[math.dist(a, b) for b in embeddings.tolist()] for a in embeddings.tolist()]


def test_hard_is_the_farthest_positive_and_the_nearest_negative(package, batch):
    embeddings, labels = batch
    d, y, margin, violations = distances(embeddings), labels.tolist(), 0.3, []
    for a in range(len(y)):
        positives = [d[a][p] for p in range(len(y)) if p != a and y[p] == y[a]]
        if positives:
            violations.append(max(positives) - min(d[a][n] for n in range(len(y)) if y[n] != y[a]) + margin)
    expected = [v for v in violations if v > 0]
    assert HardTripletLoss(margin)(embeddings, labels).item() == pytest.approx(sum(expected) / len(expected), rel=1e-9)


def test_multi_similarity_is_its_formula(package, batch):
    embeddings, labels = batch
    s, y, beta, total = (embeddings @ embeddings.T).tolist(), labels.tolist(), 15.0, 0.0
    for a in range(len(y)):
        positives = sum(math.exp(-2 * (s[a][p] - 0.5)) for p in range(len(y)) if p != a and y[p] == y[a])
        negatives = sum(math.exp(beta * (s[a][n] - 0.5)) for n in range(len(y)) if y[n] != y[a])
        total += math.log1p(positives) / 2 + math.log1p(negatives) / beta
    assert multi_similarity(beta)(embeddings, labels).item() == pytest.approx(total / len(y), rel=1e-9)


@pytest.mark.parametrize("make", [TripletLoss, SemiHardTripletLoss, HardTripletLoss, multi_similarity])
def test_the_knob_moves_the_gradient(package, batch, make):
    """Not the value alone: a margin on triplets that all violate it would only add a constant."""
    small, large = (torch.autograd.grad(make(value)(*batch), batch[0])[0] for value in (0.1, 0.8))
    assert not torch.allclose(small, large)


def test_without_the_package_the_way_out_is_named(monkeypatch):
    for part in ("losses", "miners"):
        monkeypatch.setitem(sys.modules, f"pytorch_metric_learning.{part}", None)
    for make in (TripletLoss, SemiHardTripletLoss, HardTripletLoss, multi_similarity):
        with pytest.raises(ImportError, match="pip install pytorch-metric-learning"):
            make(0.1)
