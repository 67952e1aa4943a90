"""Many views: metrics are their definitions, batches are what they claim, losses their loops, lost views are another item's."""

import itertools
import math

import pytest
import torch
from torch.nn.functional import normalize

from rankbook.experiments.tasks.many_views import ManyViews, across, clean_views, emoji_styles, one_view_lost
from rankbook.experiments.view_losses import MeanInfoNCE, PairwiseInfoNCE, PooledSupCon


def unit(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


def test_the_metrics_are_those_of_loops():
    centers = unit(9, 5)
    views = normalize(centers + 0.5 * unit(4, 9, 5, seed=1), dim=2)
    first, tuples, precisions = [], [], []
    for a, i in itertools.product(range(4), range(9)):
        right = []
        for b in range(4):
            if b != a:
                scores = [float(views[a, i] @ views[b, j]) for j in range(9)]
                right.append(max(range(9), key=scores.__getitem__) == i)
        first += right
        tuples.append(all(right))
        order = sorted(((float(views[a, i] @ views[b, j]), j) for b in range(4) if b != a for j in range(9)), reverse=True)
        places = [place for place, (_, j) in enumerate(order, 1) if j == i]
        precisions.append(sum(found / place for found, place in enumerate(places, 1)) / 3)
    found = across(views)
    assert 0.2 < found["R@1"] < 1
    for name, values in (("R@1", first), ("tuples", tuples), ("AP", precisions)):
        assert found[name] == pytest.approx(sum(values) / len(values), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_losses_are_their_loops(temperature):
    views = unit(3, 4, 5)

    def nce(query, gallery, own):
        scores = [float(query @ one) / temperature for one in gallery]
        return math.log(sum(math.exp(score) for score in scores)) - scores[own]

    pairs = [nce(views[a, i], views[b], i) for a, b in itertools.permutations(range(3), 2) for i in range(4)]
    assert PairwiseInfoNCE(temperature)(views).item() == pytest.approx(sum(pairs) / len(pairs))
    means = []
    for a in range(3):
        rest = normalize(sum(views[b] for b in range(3) if b != a), dim=1)
        means += [nce(views[a, i], rest, i) + nce(rest[i], views[a], i) for i in range(4)]
    assert MeanInfoNCE(temperature)(views).item() == pytest.approx(sum(means) / len(means) / 2)
    pooled = []
    for a, i in itertools.product(range(3), range(4)):
        others = [(b, j) for b in range(3) for j in range(4) if (b, j) != (a, i)]
        gallery = [views[other] for other in others]
        pooled.append(sum(nce(views[a, i], gallery, others.index((b, i))) for b in range(3) if b != a) / 2)
    assert PooledSupCon(temperature)(views).item() == pytest.approx(sum(pooled) / len(pooled), rel=1e-5)


def test_a_batch_holds_each_item_in_different_views_of_its_own():
    data = torch.arange(5)[:, None, None] + 100 * torch.arange(10.0)[None, :, None]  # view + 100 item
    batches = ManyViews(views=3, items=4).batches(data, torch.Generator().manual_seed(0))
    seen = []
    for _ in range(2):  # an epoch is two batches of four; two items wait for the next shuffle
        features, rows = next(batches)
        assert features.shape == (3, 4, 1) and (features[..., 0] // 100 == rows).all()
        assert all(len(set(column.tolist())) == 3 for column in (features[..., 0] % 100).T)
        seen += rows.tolist()
    assert len(set(seen)) == 8


def test_emoji_are_those_that_all_six_designers_drew():
    counts = {split: emoji_styles(split).shape for split in ("train", "validation", "test")}
    assert counts == {"train": (6, 521, 512), "validation": (6, 164, 512), "test": (6, 369, 512)}


def test_of_every_training_item_one_view_is_another_items():
    clean, lost = clean_views("train"), one_view_lost("train")
    changed = (clean != lost).any(2)
    assert (changed.sum(0) == 1).all() and (changed.double().mean(1) - 1 / 3).abs().max() < 0.03
    view, item = changed.nonzero()[0]
    assert (clean[view] == lost[view, item]).all(1).sum() == 1  # moved, not made up
    assert torch.equal(clean_views("test"), one_view_lost("test"))


def test_training_is_the_same_again_and_helps():
    task = ManyViews(load=clean_views, outputs=8, shared=False)
    loss = PairwiseInfoNCE(0.3)
    first, again = (task.measure(task.fit(loss, lr=0.01, steps=40, seed=0), "validation") for _ in range(2))
    untrained = task.measure(task.fit(loss, lr=0.01, steps=1, seed=0), "validation")
    assert first == again and first["AP"] > 2 * untrained["AP"]
