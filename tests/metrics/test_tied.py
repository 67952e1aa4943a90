"""AP of ties in closed form, by every order of the tied items."""

from fractions import Fraction
from itertools import pairwise, permutations

import pytest
import torch

import rankbook as rb
from rankbook.metrics.tied import counts_by_level, tied_average_precision


def by_orders(levels, relevance):
    """The worst, the mean and the best AP of all orders of the items in which the levels do not fall, exactly."""
    values = []
    for order in permutations(range(len(levels))):
        if all(levels[a] <= levels[b] for a, b in pairwise(order)):
            found, total = 0, Fraction(0)
            for place, item in enumerate(order, 1):
                found += relevance[item]
                total += Fraction(relevance[item] * found, place)
            values.append(total / found)
    return float(min(values)), float(sum(values) / len(values)), float(max(values))


@pytest.mark.parametrize(
    ("levels", "relevance"),
    [
        ([0] * 6, [1, 0, 0, 1, 0, 0]),
        ([0] * 4, [1] * 4),
        ([3, 1, 2, 0], [0, 1, 0, 1]),
        ([0, 2, 2, 2, 4, 4], [0, 1, 0, 0, 1, 0]),
        ([1, 1, 2, 2, 2, 2], [1, 1, 0, 1, 1, 0]),
        ([2, 0, 0, 2, 0, 1], [1, 0, 0, 1, 0, 0]),
    ],
)
def test_by_every_order(levels, relevance):
    counts = counts_by_level(torch.tensor([levels] * 2), torch.tensor([relevance] * 2), 5)
    for found, expected in zip(tied_average_precision(*counts), by_orders(levels, relevance), strict=True):
        assert found.tolist() == pytest.approx([expected] * 2, abs=1e-12)


def test_without_ties_it_is_the_ap_of_the_package():
    draw = torch.Generator().manual_seed(0)
    levels = torch.stack([torch.randperm(50, generator=draw) for _ in range(20)])
    relevance = torch.randint(2, (20, 50), generator=draw)
    for found in tied_average_precision(*counts_by_level(levels, relevance, 50)):
        torch.testing.assert_close(found, rb.average_precision(-levels.double(), relevance, reduction="none"))


def test_where_leaves_items_out():
    levels, relevance = torch.tensor([[0, 1, 1, 0]]), torch.tensor([[1, 1, 0, 0]])
    left = counts_by_level(levels, relevance, 2, where=torch.tensor([[False, True, True, True]]))
    assert [part.tolist() for part in left] == [[[0, 1]], [[1, 2]]]


def test_what_it_refuses():
    with pytest.raises(ValueError, match="hits must be counts"):
        tied_average_precision(torch.tensor([2]), torch.tensor([1]))
    with pytest.raises(ValueError, match="hits must have a relevant item in every list"):
        tied_average_precision(torch.tensor([[1], [0]]), torch.tensor([[2], [2]]))
