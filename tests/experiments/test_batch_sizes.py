"""A contender brings its batches, its steps and its learning rate; and each study of them chose a rate inside of its grid."""

import pytest
import torch

import rankbook as rb
from experiments.test_pixels import few
from experiments.tiny import clusters
from rankbook.experiments.parts import signature
from rankbook.experiments.studies import studies
from rankbook.experiments.studies.large_batches_whole import STUDY as WHOLE
from rankbook.experiments.tasks.batch_sizes import BatchSizes, InBatches, PixelBatchSizes
from rankbook.experiments.tasks.fitting import seeded
from rankbook.experiments.tasks.pixels import drawings, untrained_drawings
from rankbook.experiments.tasks.retrieval import Retrieval
from rankbook.experiments.train.networks import Patches

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
    whole = {loss: one.make(lr=1.0) for loss, one in WHOLE.contenders.items()}
    sizes = [round(one.share * study.steps) * min(one.classes, len(labels.unique())) * of_class for one in whole.values()]
    assert abs(sizes[0] / sizes[1] - 1) < 1e-3 and whole["RS@k, all classes"].classes == len(labels.unique())


def test_pictures_are_learned_in_the_batches_of_the_loss():
    """And what is trained is the network of the pixels, from its first weights."""
    task, loss = PixelBatchSizes(load=few), Seen()
    network = task.fit(InBatches(loss, 6, 0.5, 0.01), steps=4, seed=0)
    assert len(loss.sizes) == 2 and set(loss.sizes) <= {22, 23, 24} and isinstance(network, Patches)
    assert PixelBatchSizes().load is drawings and signature(PixelBatchSizes()) == "PixelBatchSizes()"


def test_untrained_features_are_those_of_random_first_weights():
    data, pictures = untrained_drawings("validation"), drawings("validation")
    with seeded(0), torch.no_grad():
        first = Patches(48).blocks(pictures.inputs[:3].float() / 255).flatten(1)
    torch.testing.assert_close(data.inputs[:3], torch.nn.functional.normalize(first, dim=1))
    assert torch.equal(data.labels, pictures.labels) and data.inputs.shape == (len(pictures), 1024)
