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
    """Batches of 128 hold at most 128, since some classes have three drawings; a step of the whole holds four times 822 at most."""
    labels = BatchSizes().samples("train").labels
    per_class = torch.bincount(labels)[labels.unique()].clamp(max=4).float()
    assert per_class.numel() == 822
    for name in ("large_batches", "large_batches_whole"):
        study = studies()[name]
        items = {}
        for loss, contender in study.contenders.items():
            asked = contender.make(lr=1.0)
            items[loss] = round(asked.share * study.steps) * asked.classes * per_class.mean().item()
        for loss in ("RS@k", "SupCon"):
            pair = (f"{loss}, 128, 4 x steps", f"{loss}, 512") if name == "large_batches" else (f"{loss}, 128, as many items", f"{loss}, all classes")
            assert items[pair[0]] == pytest.approx(items[pair[1]], rel=2e-3)
