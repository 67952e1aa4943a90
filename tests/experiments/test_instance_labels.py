"""The metric of the labels of a picture is scikit-learn's ranking loss, and a training orders them."""

import pytest
import torch
from sklearn.metrics import label_ranking_loss

import rankbook as rb
from rankbook.experiments.tasks.instance_labels import InstanceLabels, every_fourth, every_fourth_keyword, pairs_right
from rankbook.experiments.tasks.labels import Scorer, Tagged, emoji_keywords


def pictures():
    """Sixty pictures whose four labels their inputs tell, in groups of two; a fifth chooses."""
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 6, generator=draw)
    targets = (inputs[:, :4] > 0.3).float()
    groups = torch.arange(60) // 2
    return Tagged(inputs, targets, groups, groups % 5 == 0, ("a", "b", "c", "d"))


def test_pairs_right_is_one_minus_the_ranking_loss():
    draw = torch.Generator().manual_seed(1)
    scores = torch.randint(-3, 4, (40, 6), generator=draw).double()  # ties
    targets = torch.rand(40, 6, generator=draw) < 0.4
    both = targets.any(1) & ~targets.all(1)
    found = pairs_right(scores[both], targets[both]).mean().item()
    assert found == pytest.approx(1 - label_ranking_loss(targets[both].numpy(), scores[both].numpy()), rel=1e-12)


@pytest.mark.parametrize("weighting", ["pa", "u3"])
def test_a_training_orders_the_labels_of_unseen_pictures(weighting):
    task = InstanceLabels(load=pictures, batch=16)
    loss = rb.MultiLabelRankingLoss(weighting)
    start = task.measure(Scorer(task.data.inputs, 4, task.divided(0)[1]), "test")
    found = task.measure(task.fit(loss, lr=0.1, steps=80, seed=0), "test")
    assert start == {"pairs right": 0, "first right": 0}  # all scores are 0: every pair ties
    assert found["pairs right"] > 0.8 and found["first right"] > 0.7


def test_a_quarter_of_the_labels_are_the_same_pictures_and_some_of_their_labels():
    few, all_labels = every_fourth_keyword(), emoji_keywords()
    assert few.names == all_labels.names[::4] and len(few.names) == 10
    assert torch.equal(few.inputs, all_labels.inputs) and torch.equal(few.groups, all_labels.groups)
    assert all(torch.equal(few.targets[:, i], all_labels.targets[:, all_labels.names.index(name)]) for i, name in enumerate(few.names))
    assert every_fourth(pictures()).names == ("a",)
