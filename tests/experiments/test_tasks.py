"""The tasks: what is shared by all losses is shared, what a loss may not see it does not see, metrics are their definitions."""

from dataclasses import replace

import pytest
import torch

import rankbook as rb
from experiments.tiny import clusters
from rankbook.experiments.contenders import SUP_AP, scaled_sup_ap
from rankbook.experiments.tasks.hierarchical import HierarchicalRetrieval
from rankbook.experiments.tasks.retrieval import Retrieval

FLAT, TREE = Retrieval(load=clusters, classes=8), HierarchicalRetrieval(load=clusters, classes=8)


@pytest.mark.parametrize("task", [FLAT, TREE], ids=["flat", "tree"])
def test_losses_share_the_first_weights_and_the_batches(task):
    """The weights of a training that does not move are the first ones; the batches are seen by a loss that keeps them."""

    class Seen(torch.nn.Module):
        def __init__(self, loss):
            super().__init__()
            self.loss, self.labels = loss, []

        def forward(self, embeddings, labels):
            self.labels.append(labels)
            return self.loss(embeddings, labels)

    losses = [Seen(loss) for loss in (rb.SmoothAPLoss(), rb.SupConLoss(), scaled_sup_ap(0.1))]
    heads = [task.fit(loss, lr=0.0, seed=3, steps=2) for loss in losses]
    for loss, head in zip(losses[1:], heads[1:], strict=True):
        assert torch.equal(head.linear.weight, heads[0].linear.weight)
        assert all(torch.equal(one, other) for one, other in zip(loss.labels, losses[0].labels, strict=True))
    another = Seen(rb.SmoothAPLoss())
    assert not torch.equal(heads[0].linear.weight, task.fit(another, lr=0.0, seed=4, steps=2).linear.weight)
    assert not torch.equal(another.labels[0], losses[0].labels[0])


def test_fit_leaves_the_global_seed_alone_and_repeats():
    before = torch.get_rng_state()
    one, other = (FLAT.fit(rb.SmoothAPLoss(tau=0.1), lr=1e-3, seed=0, steps=3).linear.weight for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, other)
    assert not torch.equal(one, FLAT.fit(rb.SmoothAPLoss(tau=0.1), lr=1e-3, seed=0, steps=4).linear.weight)


def test_the_parameters_of_a_loss_are_trained_too():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, embeddings, labels):
            return self.scale * rb.SmoothAPLoss(tau=0.1)(embeddings, labels)

    loss = Scaled()
    FLAT.fit(loss, lr=0.01, seed=0, steps=3)
    assert loss.scale.item() < 1


def test_a_loss_on_the_class_does_not_see_the_tree():
    """Smooth-AP ends in the same weights as without the coarse levels; SupH-AP does not."""
    options = {"lr": 0.01, "seed": 3, "steps": 3}
    blind = FLAT.fit(rb.SmoothAPLoss(tau=0.1), **options).linear.weight
    assert torch.equal(TREE.fit(rb.SmoothAPLoss(tau=0.1), **options).linear.weight, blind)

    def flattened(split):
        return replace(clusters(split), levels=clusters(split).levels[:, [0, 0, 0]])

    tasks = TREE, replace(TREE, load=flattened)
    assert not torch.equal(*(task.fit(rb.SupHAPLoss(), **options).linear.weight for task in tasks))


def test_the_metrics_are_those_of_the_score_matrix():
    """H-AP and NDCG of the whole gallery, from the definitions, with the query left out."""
    data = clusters("test")
    scores, where = data.inputs.double() @ data.inputs.double().T, rb.leave_query_out(len(data.labels))
    levels = rb.shared_levels(data.levels)
    relevance = rb.hierarchical_relevance(levels, where=where, dtype=torch.float64)
    found = TREE.measure(torch.nn.Identity(), "test")
    assert found["H-AP"] == pytest.approx(rb.hierarchical_ap(scores, relevance, where=where).item(), rel=1e-6)
    assert found["NDCG"] == pytest.approx(rb.ndcg(scores, levels, where=where).item(), rel=1e-6)
    assert found["AP"] == pytest.approx(rb.average_precision(scores, levels == 3, where=where).item(), rel=1e-6)
    assert found["AP"] == pytest.approx(FLAT.measure(torch.nn.Identity(), "test")["AP"], rel=1e-6)
    assert found["AP"] != pytest.approx(FLAT.measure(torch.nn.Identity(), "validation")["AP"], rel=1e-2)
    for task in (FLAT, TREE):
        assert tuple(task.measure(torch.nn.Identity(), "test")) == task.metrics


def test_a_split_is_read_once():
    calls = []

    def counted(split):
        calls.append(split)
        return clusters(split)

    task = Retrieval(load=counted, classes=8)
    for seed in (0, 1):
        task.measure(task.fit(rb.SmoothAPLoss(), lr=0.1, seed=seed, steps=1), "test")
    assert calls == ["train", "test"]


def test_the_knob_of_sup_ap_scales_the_published_setting():
    loss = scaled_sup_ap(0.01)
    assert (loss.tau, loss.rho, loss.delta) == pytest.approx((0.01, 100, 0.05))
    assert 0.01 in SUP_AP.grid["tau"]


def test_training_pays():
    """On the training classes: steps are better than none."""
    blank, trained = (FLAT.measure(FLAT.fit(rb.SupConLoss(0.1), lr=lr, seed=0, steps=40), "train")["AP"] for lr in (0.0, 0.03))
    assert trained > blank + 0.05
