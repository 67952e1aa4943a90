"""The expected average precision of a thinned list against all subsets, draws, and the batches of an encoder."""

import itertools
from functools import partial

import pytest
import torch

import oracles
import rankbook as rb


def over_all_subsets(scores, relevance, p, n):
    kinds = [[i for i, rel in enumerate(relevance) if (rel > 0) == positive] for positive in (True, False)]
    subsets = itertools.product(*(itertools.combinations(kind, min(k, len(kind))) for kind, k in zip(kinds, (p, n), strict=True)))
    values = [oracles.average_precision([scores[i] for i in a + b], [relevance[i] for i in a + b]) for a, b in subsets]
    return sum(values) / len(values)


@pytest.mark.parametrize("kept", [(1, 1), (2, 3), (3, 2), (9, 9)])
def test_the_thinned_ranking_is_the_mean_over_all_subsets(kept):
    """Ties included; of several lists, some with fewer items than are kept, and with absent ones."""
    g = torch.Generator().manual_seed(0)
    scores = (2 * torch.randn(3, 2, 8, generator=g)).round()
    relevance = torch.randint(3, (3, 2, 8), generator=g).clamp(max=1)
    relevance[2, 1] = 0
    where = torch.rand(3, 2, 8, generator=g) < 0.8
    options = {"kept_positives": kept[0], "kept_negatives": kept[1]}
    for mask in (None, where):
        values = rb.thinned_average_precision(scores, relevance, **options, where=mask, reduction="none")
        there = torch.ones_like(where) if mask is None else mask
        for at in itertools.product(range(3), range(2)):
            of_list = relevance[at][there[at]].tolist()
            expected = over_all_subsets(scores[at][there[at]].tolist(), of_list, *kept) if any(of_list) else 0
            assert values[at].item() == pytest.approx(expected, abs=1e-12)
    if kept == (9, 9):
        whole = rb.average_precision(scores, relevance, reduction="none")
        assert torch.allclose(rb.thinned_average_precision(scores, relevance, **options, reduction="none"), whole.double())


def test_batches_drawn_at_random_are_worth_what_thinning_predicts():
    """1,000 draws of 3 of 20 positives and 40 of 400 negatives, within four standard errors, of which the formula knows nothing."""
    g = torch.Generator().manual_seed(0)
    relevance = (torch.arange(420) < 20).long()
    scores = torch.randn(420, generator=g) + 1.5 * relevance
    kept = torch.stack([torch.cat([torch.randperm(20, generator=g)[:3], 20 + torch.randperm(400, generator=g)[:40]]) for _ in range(1000)])
    drawn = rb.average_precision(scores[kept], relevance[kept], reduction="none").double()
    predicted = rb.thinned_average_precision(scores, relevance, kept_positives=3, kept_negatives=40)
    error = drawn.std() / len(drawn) ** 0.5
    assert error < 0.01 < abs(drawn.mean() - rb.average_precision(scores, relevance))
    assert abs(drawn.mean() - predicted) < 4 * error


def test_it_predicts_the_batches_of_an_encoder():
    """As a metric of the whole, and a little too low, as the batches are drawn by class: 10 of 60, and 3 of their 8 items."""
    g = torch.Generator().manual_seed(0)
    y = torch.arange(480) % 60
    x = torch.nn.functional.normalize(torch.randn(60, 16, generator=g)[y] + 1.5 * torch.randn(480, 16, generator=g), dim=1)
    batches = []
    for _ in range(60):
        classes = torch.randperm(60, generator=g)[:10]
        batches.append(torch.cat([(y == c).nonzero()[torch.randperm(8, generator=g)[:3], 0] for c in classes]))
    result = rb.decomposability_gap(x, y, batches)
    thinned = partial(rb.thinned_average_precision, kept_positives=2, kept_negatives=27)
    predicted = rb.evaluate_retrieval(x, y, metrics={"AP": thinned})["AP"]
    assert result["gap"] > 0.2
    assert predicted < result["batch"] < predicted + 0.02


def test_blocks_change_nothing(monkeypatch):
    g = torch.Generator().manual_seed(0)
    scores, relevance = torch.randn(5, 40, generator=g), torch.randint(2, (5, 40), generator=g)
    expected = rb.thinned_average_precision(scores, relevance, kept_positives=4, kept_negatives=7)
    monkeypatch.setattr("rankbook.gap.thinning._CHANCES", 1)
    assert rb.thinned_average_precision(scores, relevance, kept_positives=4, kept_negatives=7) == pytest.approx(expected.item(), abs=1e-14)


def test_a_device_without_float64_borrows_it(monkeypatch):
    """1,000 items, whose factorials have 2,568 digits."""
    scores, relevance = torch.randn(1000), torch.arange(1000) < 20
    expected = rb.thinned_average_precision(scores, relevance, kept_positives=4, kept_negatives=60)
    monkeypatch.setattr("rankbook.gap.thinning.wide", lambda device: torch.float32)
    found = rb.thinned_average_precision(scores, relevance, kept_positives=4, kept_negatives=60)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
