"""The losses on a label tree are what their names say: sums of losses that have their own oracles."""

import pytest
import torch

import rankbook as rb
from rankbook.experiments import tree_losses
from rankbook.experiments.class_vectors import NormalizedSoftmax

CLASSES = torch.arange(8).repeat_interleave(3)
LEVELS = torch.stack([CLASSES + 7, CLASSES // 2, CLASSES // 4], dim=1)  # classes are numbered from anywhere


@pytest.fixture
def embeddings():
    x = torch.randn(len(LEVELS), 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(x, dim=1)


def test_sup_con_on_each_level_is_the_mean_over_the_levels(embeddings):
    each = [rb.SupConLoss(0.1)(embeddings, LEVELS[:, level]) for level in range(3)]
    torch.testing.assert_close(tree_losses.LevelSupCon(0.1)(embeddings, LEVELS), sum(each) / 3)
    assert len({one.item() for one in each}) == 3


def test_half_and_half_is_the_mean_of_its_ends(embeddings):
    ends = [tree_losses.class_to_tree(weight)(embeddings, LEVELS) for weight in (0, 1)]
    torch.testing.assert_close(tree_losses.half_and_half(0.1)(embeddings, LEVELS), sum(ends) / 2)
    torch.testing.assert_close(ends[0], rb.SmoothAPLoss(tau=0.1)(embeddings, LEVELS[:, 0]))


def test_the_form_of_happier_adds_class_vectors_that_are_trained(embeddings):
    loss = tree_losses.sup_hap_with_classes(0.9)
    torch.manual_seed(0)
    loss.meet(LEVELS[:, 0], 5)
    on_class, on_tree = loss.losses
    assert isinstance(on_class, NormalizedSoftmax) and len(on_class.loss.proxies) == 8
    loss.double()
    expected = 0.1 * on_class(embeddings, LEVELS[:, 0]) + 0.9 * on_tree(embeddings, LEVELS)
    found = loss(embeddings, LEVELS)
    torch.testing.assert_close(found, expected)
    found.backward()
    assert on_class.loss.proxies.grad.abs().sum() > 0


def test_sup_ndcg_is_stretched_as_sup_hap_is():
    found, other = tree_losses.scaled_sup_ndcg(0.02), tree_losses.scaled_sup_hap(0.02)
    assert (found.tau, found.rho, found.delta) == (other.tau, other.rho, other.delta) == (0.02, 50, 0.1)
