"""A contender brings its batches, its steps and its learning rate; and each study of them chose a rate inside of its grid."""

import pytest
import torch

import rankbook as rb
from experiments.tiny import clusters
from rankbook.experiments.studies import studies
from rankbook.experiments.tasks.batch_sizes import BatchSizes, InBatches
from rankbook.experiments.tasks.retrieval import Retrieval

STUDIES = {
    f"{study.name}, {study.data}": study for one in studies().values() if isinstance(one.task, BatchSizes) for study in one.everywhere()
}


class Seen(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.loss, self.sizes = rb.SmoothAPLoss(tau=0.1), []

    def forward(self, embeddings, labels):
        self.sizes.append(len(labels))
        return self.loss(embeddings, labels)


def test_the_loss_says_how_it_is_trained():
    task, loss = BatchSizes(load=clusters), Seen()
    head = task.fit(InBatches(loss, 8, 1.5, 0.01), steps=4, seed=0)
    assert loss.sizes == [32] * 6
    same = Retrieval(load=clusters, classes=8).fit(Seen(), lr=0.01, steps=6, seed=0)
    assert torch.equal(head.linear.weight, same.linear.weight)
    other = task.fit(InBatches(Seen(), 8, 1.5, 0.02), steps=4, seed=0)
    assert not torch.equal(head.linear.weight, other.linear.weight)


@pytest.mark.parametrize("name", STUDIES)
def test_the_best_learning_rate_is_inside_of_its_grid(name):
    study = STUDIES[name]
    for loss, setting in study.results().chosen.items():
        rates = study.contenders[loss].grid["lr"]
        assert min(rates) < setting["lr"] < max(rates), f"{loss} chose {setting['lr']} of {rates}"


def test_equal_items_are_equal():
    """Some classes have three drawings, so that a batch of 32 classes holds a little less than 128."""
    study = studies()["large_batches"]
    labels = study.task.samples("train").labels
    of_class = torch.bincount(labels)[labels.unique()].clamp(max=4).float().mean().item()
    items = {}
    for loss, contender in study.contenders.items():
        asked = contender.make(lr=1.0)
        items[loss] = round(asked.share * study.steps) * asked.classes * of_class
    for loss in ("RS@k", "Smooth-AP", "SupCon"):
        assert items[f"{loss}, 128, 4 x steps"] == items[f"{loss}, 512"] == 4 * items[f"{loss}, 128"]
    assert items["RS@k, 128, 8 x steps"] == items["RS@k, 1,024"]
    assert 127 < 32 * of_class < 128
