"""The task of toy eyes: what is drawn, what each attention weighs, and how the codes of a network are judged."""

import math

import pytest
import torch

from rankbook.experiments.code_losses import hashed
from rankbook.experiments.tasks.codes import hamming_distances
from rankbook.experiments.tasks.fundus import KINDS, SHARES, SIZE, SPANS, draw_pictures, kinds_by_share, share_of_picture
from rankbook.experiments.tasks.saliency import ATTENTIONS, CodeNetwork, Saliency

TASK = Saliency(train=60, gallery=40, queries=8, per_class=2)
NAMED = [name for name in ATTENTIONS if name != "none"]


def eyes(kind, span=9, n=12, seed=0):
    return draw_pictures(torch.full((n,), KINDS.index(kind)), torch.Generator().manual_seed(seed), (span,))


def test_kinds_come_in_the_shares_of_the_clinic_and_none_is_missing():
    counts = kinds_by_share(sum(SHARES) // 10).bincount()
    assert counts.tolist() == [share // 10 for share in SHARES]
    assert kinds_by_share(20).bincount().tolist() == [15, 2, 1, 1, 1]


def test_pictures_are_those_of_their_generator():
    first, again, other = eyes("ring"), eyes("ring"), eyes("ring", seed=1)
    assert first.inputs.shape == (12, 3, SIZE, SIZE) and first.inputs.dtype == torch.uint8
    assert torch.equal(first.inputs, again.inputs) and not torch.equal(first.inputs, other.inputs)
    mixed = draw_pictures(torch.arange(5).repeat(40), torch.Generator().manual_seed(0))
    assert set(mixed.spans[mixed.labels > 0].tolist()) == set(SPANS) and not mixed.spans[mixed.labels == 0].any()


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_lesion_is_all_that_differs_and_fits_its_circle(kind, span):
    """Dots are darker than the healthy eye of the same generator, the others brighter; nothing changes farther out than the blur."""
    change = (eyes(kind, span).inputs.int() - eyes("none", span).inputs.int()).sum(1)
    assert ((change < 0) == (change != 0)).all() if kind == "dots" else ((change > 0) == (change != 0)).all()
    strong = change.abs() > 0.25 * change.abs().amax((1, 2), keepdim=True)
    for one in strong:
        rows, columns = one.any(1).nonzero(), one.any(0).nonzero()
        across = max(rows.max() - rows.min(), columns.max() - columns.min()).item() + 1
        assert 1 <= across <= span + 2
        assert one.sum() <= 1.1 * share_of_picture(span + 2) * SIZE**2
    if kind in ("ring", "dots", "streak"):
        assert strong.sum() > 12  # more than a pixel each


def test_lesions_are_told_apart_by_their_form():
    """By loops: a ring is dark inside, dots are four pieces, a streak is longer than wide."""
    lesion = {kind: (eyes(kind, 15).inputs.int() - eyes("none", 15).inputs.int()).sum(1).abs() > 60 for kind in KINDS[1:]}

    def pieces(mask):
        left = {(y, x) for y, x in mask.nonzero().tolist()}
        count = 0
        while left:
            count, edge = count + 1, [left.pop()]
            while edge:
                y, x = edge.pop()
                near = {(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
                left -= near
                edge += near
        return count

    def common(counts):
        return max(set(counts), key=counts.count)

    found = {kind: common([pieces(mask) for mask in masks]) for kind, masks in lesion.items()}
    assert found == {"spot": 1, "dots": 4, "ring": 1, "streak": 1}
    holes = {kind: common([pieces(~mask) for mask in masks]) for kind, masks in lesion.items()}
    assert holes["ring"] == 2 and holes["spot"] == holes["streak"] == 1
    assert lesion["spot"].sum() > lesion["streak"].sum()


def by_loops(name, x, weight):
    """The map, a place at a time."""
    channels, height, width = len(x), len(x[0]), len(x[0][0])
    mean = [[sum(x[c][i][j] for c in range(channels)) / channels for j in range(width)] for i in range(height)]
    most = [[max(x[c][i][j] for c in range(channels)) for j in range(width)] for i in range(height)]
    found = torch.zeros(height, width, dtype=torch.float64)
    for i in range(height):
        for j in range(width):
            if name == "mean times max":
                z = mean[i][j] * most[i][j]
            else:
                z = 0.0
                for a in (-1, 0, 1):
                    for b in (-1, 0, 1):
                        if 0 <= i + a < height and 0 <= j + b < width:
                            seen = (1.0, 1.0) if name == "blind" else (mean[i + a][j + b], most[i + a][j + b])
                            z += sum(weight[k][a + 1][b + 1] * seen[k] for k in (0, 1))
            found[i, j] = 1 / (1 + math.exp(-z))
    return found


@pytest.mark.parametrize("name", NAMED)
def test_attention_by_loops(name):
    draw = torch.Generator().manual_seed(0)
    look, x = ATTENTIONS[name]().double(), torch.randn(2, 3, 4, 5, generator=draw).double()
    weight = look.conv.weight[0].tolist() if name != "mean times max" else None
    for one, found, out in zip(x, look.attention(x)[:, 0], look(x), strict=True):
        expected = by_loops(name, one.tolist(), weight)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(out, expected * one)


def test_mean_times_max_keeps_half_of_every_place_only_behind_a_relu():
    """Where all channels are negative, mean and max are too, and their product is positive."""
    look = ATTENTIONS["mean times max"]()
    x = torch.randn(50, 16, 6, 6, generator=torch.Generator().manual_seed(0))
    behind = look.attention(x.relu())
    assert behind.min() >= 0.5 and behind.max() < 1
    assert look.attention(x).min() < 0.5
    below = torch.full((1, 16, 1, 1), -2.0)
    assert look.attention(below).item() == pytest.approx(1 / (1 + math.exp(-4)))


def test_the_control_has_the_weights_and_sees_nothing():
    networks = {name: CodeNetwork(8, name, 0) for name in ATTENTIONS}
    sizes = {name: sum(one.numel() for one in network.parameters()) for name, network in networks.items()}
    assert sizes["blind"] == sizes["convolved"] == sizes["none"] + 18 and sizes["mean times max"] == sizes["none"]
    x = torch.randn(3, 16, 6, 6, generator=torch.Generator().manual_seed(0))
    maps = {name: networks[name].look.attention(x) for name in NAMED}
    assert (maps["blind"] == maps["blind"][:1]).all()
    for name in ("mean times max", "convolved"):
        assert not torch.allclose(maps[name][0], maps[name][1])


def test_arms_begin_alike_see_the_same_and_are_repeated():
    fitted = {name: TASK.fit(hashed(0.01, bits=6, attention=name), lr=0.01, steps=2, seed=3) for name in ATTENTIONS}
    again = TASK.fit(hashed(0.01, bits=6, attention="convolved"), lr=0.01, steps=2, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), fitted["convolved"].parameters(), strict=True))
    start = {name: TASK.fit(hashed(0.01, bits=6, attention=name), lr=1e-12, steps=1, seed=3) for name in ATTENTIONS}
    for name in NAMED:
        for part in ("stem", "rest"):
            for a, b in zip(getattr(start[name], part).parameters(), getattr(start["none"], part).parameters(), strict=True):
                torch.testing.assert_close(a, b)
        assert not torch.equal(fitted[name].rest[0].weight, fitted["none"].rest[0].weight)


def test_measures_are_means_over_kinds_by_loops():
    model = TASK.fit(hashed(0.01, bits=6), lr=0.03, steps=5, seed=1)
    found, world = TASK.measure(model, "test"), TASK.world(1)
    assert set(found) == set(TASK.metrics) and found["worst"] <= found["mAP"] <= found["best"]
    with torch.no_grad():
        distances = hamming_distances(model(world.test.inputs), model(world.gallery.inputs)).tolist()

    def expected_ap(far, relevant):
        """Of a random order within each tie: the place and the hits ahead of each item, averaged over pairs of places."""
        total = 0.0
        for level in sorted(set(far)):
            tied = [hit for d, hit in zip(far, relevant, strict=True) if d == level]
            n, r = len(tied), sum(tied)
            ahead = [hit for d, hit in zip(far, relevant, strict=True) if d < level]
            for place in range(1, n + 1):
                hits_before = (place - 1) * (r - 1) / (n - 1) if n > 1 else 0
                total += r / n * (sum(ahead) + 1 + hits_before) / (len(ahead) + place)
        return total / sum(relevant)

    labels, gallery = world.test.labels.tolist(), world.gallery.labels.tolist()
    each = [expected_ap(far, [other == kind for other in gallery]) for far, kind in zip(distances, labels, strict=True)]

    def macro(keep):
        kept = {
            kind: [v for v, k, s in zip(each, labels, world.test.spans.tolist(), strict=True) if k == kind and keep(s)] for kind in range(5)
        }
        means = [sum(values) / len(values) for values in kept.values() if values]
        return sum(means) / len(means)

    assert found["mAP"] == pytest.approx(macro(lambda span: True))
    for span in SPANS:
        assert found[f"mAP, {span} px"] == pytest.approx(macro(lambda s, span=span: s == span))


def test_training_finds_the_lesions():
    """In a few pictures and steps: more than untrained codes find."""
    loss = hashed(0.01, bits=12)
    trained, start = (TASK.measure(TASK.fit(loss, lr=lr, steps=60, seed=2), "test") for lr in (0.03, 1e-12))
    assert trained["mAP"] > start["mAP"] + 0.02
