"""Values written out as arithmetic, in the order of the ranking: what one would compute on paper."""

from functools import partial
from math import log2

import pytest
import torch
from sklearn.metrics import average_precision_score

import rankbook as rb

# ranks           1    2    3    4    5    6
SCORES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
BINARY = [1, 0, 1, 0, 0, 1]
GRADED = [1, 0, 3, 2, 0, 0]
LATE = [0, 0, 0, 1, 1, 0]

GOLDENS = [
    (rb.average_precision, {}, BINARY, (1 / 1 + 2 / 3 + 3 / 6) / 3),
    (rb.average_precision, {}, LATE, (1 / 4 + 2 / 5) / 2),
    (rb.average_precision, {"k": 2}, BINARY, (1 / 1) / 2),  # two places hold two of three positives
    (rb.average_precision, {"k": 3}, BINARY, (1 / 1 + 2 / 3) / 3),
    (rb.average_precision, {"k": 4}, LATE, (1 / 4) / 2),
    (rb.average_precision, {"k": 60}, LATE, (1 / 4 + 2 / 5) / 2),
    (rb.average_precision, {"item_weights": torch.tensor([1, 9, 2, 9, 9, 5])}, BINARY, (1 * 1 / 1 + 2 * 2 / 3 + 5 * 3 / 6) / 8),
    (rb.average_precision, {"item_weights": torch.tensor([1, 9, 2, 9, 9, 5]), "k": 2}, BINARY, (1 * 1 / 1) / (5 + 2)),
    (rb.map_at_r, {}, BINARY, (1 / 1 + 2 / 3 + 0) / 3),  # R = 3: rank 6 is behind the cut
    (rb.map_at_r, {}, LATE, 0.0),
    (rb.reciprocal_rank, {}, BINARY, 1 / 1),
    (rb.reciprocal_rank, {}, LATE, 1 / 4),
    (rb.reciprocal_rank, {"k": 4}, LATE, 1 / 4),
    (rb.reciprocal_rank, {"k": 3}, LATE, 0.0),
    (rb.reciprocal_rank, {"item_weights": torch.tensor([0, 0, 0, 1, 4, 0])}, LATE, (4 / 5) / 4),  # 4 / 5 is more than 1 / 4
    (rb.r_precision, {}, BINARY, 2 / 3),
    (rb.r_precision, {}, LATE, 0.0),
    (rb.r_precision, {}, [0, 1, 0, 0, 0, 0], 0.0),  # R = 1: rank 2 is behind the cut
    (rb.recall_at_k, {"k": 1}, BINARY, 1 / 3),
    (rb.recall_at_k, {"k": 1, "item_weights": torch.tensor([4, 9, 1, 9, 9, 3])}, BINARY, 4 / 8),
    (rb.precision_at_k, {"k": 4, "item_weights": torch.tensor([4, 9, 1, 9, 9, 3])}, BINARY, (4 / 4 + 1 / 4) / 4),
    (rb.recall_at_k, {"k": 3}, BINARY, 2 / 3),
    (rb.recall_at_k, {"k": 6}, BINARY, 3 / 3),
    (rb.recall_at_k, {"k": 60}, BINARY, 3 / 3),  # k may exceed the list
    (rb.capped_recall, {"k": (1, 2, 4)}, BINARY, (1 / 1 + 1 / 2 + 2 / 3) / 3),  # k places hold at most min(k, 3)
    (rb.hit_at_k, {"k": 3}, LATE, 0.0),
    (rb.hit_at_k, {"k": 4}, LATE, 1.0),
    (rb.hit_at_k, {"k": 60}, LATE, 1.0),
    (rb.precision_at_k, {"k": 3}, BINARY, 2 / 3),
    (rb.precision_at_k, {"k": 4}, BINARY, 2 / 4),
    (rb.precision_at_k, {"k": 60}, BINARY, 3 / 60),
    # gains 2^rel - 1 = 1, 0, 7, 3; the ideal order is 7, 3, 1
    (rb.ndcg, {}, GRADED, (1 / log2(2) + 7 / log2(4) + 3 / log2(5)) / (7 / log2(2) + 3 / log2(3) + 1 / log2(4))),
    (rb.ndcg, {"k": 1}, GRADED, 1 / 7),
    (rb.ndcg, {"k": 3}, GRADED, (1 / log2(2) + 7 / log2(4)) / (7 / log2(2) + 3 / log2(3) + 1 / log2(4))),
    (rb.ndcg, {"k": 60}, GRADED, (1 / log2(2) + 7 / log2(4) + 3 / log2(5)) / (7 / log2(2) + 3 / log2(3) + 1 / log2(4))),
    (rb.dcg, {}, GRADED, 1 / log2(2) + 7 / log2(4) + 3 / log2(5)),
    (rb.dcg, {"k": 3}, GRADED, 1 / log2(2) + 7 / log2(4)),
    (rb.dcg, {"gain": "linear"}, GRADED, 1 / log2(2) + 3 / log2(4) + 2 / log2(5)),
    (rb.dcg, {"item_weights": torch.tensor([2, 9, 0.5, 1, 9, 9])}, GRADED, 2 / log2(2) + 3.5 / log2(4) + 3 / log2(5)),
    (rb.ndcg, {"gain": "linear"}, GRADED, (1 / log2(2) + 3 / log2(4) + 2 / log2(5)) / (3 / log2(2) + 2 / log2(3) + 1 / log2(4))),
    # H-rank: 1; 3 + min(3, 1); 2 + min(2, 1) + min(2, 3)
    (rb.hierarchical_ap, {}, GRADED, (1 / 1 + (3 + 1) / 3 + (2 + 1 + 2) / 4) / (1 + 3 + 2)),
    (rb.hierarchical_ap, {}, BINARY, (1 / 1 + 2 / 3 + 3 / 6) / 3),
]


@pytest.mark.parametrize(("metric", "kwargs", "relevance", "expected"), GOLDENS, ids=lambda x: getattr(x, "__name__", None))
def test_golden(metric, kwargs, relevance, expected):
    value = metric(torch.tensor(SCORES), torch.tensor(relevance), **kwargs)
    assert value.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("metric", "kwargs", "relevance", "expected"), GOLDENS, ids=lambda x: getattr(x, "__name__", None))
def test_golden_in_any_order(metric, kwargs, relevance, expected):
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    kwargs = {name: value[order] if isinstance(value, torch.Tensor) else value for name, value in kwargs.items()}
    value = metric(torch.tensor(SCORES)[order], torch.tensor(relevance)[order], **kwargs)
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_the_soft_cut_is_a_half_at_k():
    scores, relevance = torch.tensor([0.9, 0.8, 0.7], dtype=torch.float64), torch.tensor([0, 1, 0])
    assert rb.recall_at_k(scores, relevance, k=2, tau_rank=1.0).item() == 0.5
    assert rb.within_top_k(torch.tensor([1.0, 2.0, 2.25, 3.0, 9.0]), 2, None).tolist() == [1.0, 1.0, 0.75, 0.0, 0.0]


def test_a_short_list_holds_no_more_than_k():
    """Soft or tied ranks may put more than k items into the top k; capped recall counts k of them."""
    scores, relevance = torch.full((4,), 0.5), torch.tensor([1, 1, 1, 0])
    first = partial(rb.exact_ranks, ties="min")  # all at rank 1
    assert rb.capped_recall(scores, relevance, k=(1, 2), rank_fn=first).item() == 1
    assert rb.recall_at_k(scores, relevance, k=2, rank_fn=first).item() == 1


def test_constant_scores():
    """AP is the share of positives, as in scikit-learn; the others are worth the worst order, the two positives on places 7 and 8."""
    scores, relevance = torch.full((8,), 0.5), torch.tensor([1, 1, 0, 0, 0, 0, 0, 0])
    assert rb.average_precision(scores, relevance).item() == pytest.approx(2 / 8)
    assert rb.reciprocal_rank(scores, relevance).item() == pytest.approx(1 / 7)
    assert rb.hit_at_k(scores, relevance, k=6).item() == 0
    assert rb.hit_at_k(scores, relevance, k=7).item() == 1
    assert rb.recall_at_k(scores, relevance, k=7).item() == 1 / 2
    assert rb.ndcg(scores, relevance).item() == pytest.approx((1 / log2(8) + 1 / log2(9)) / (1 / log2(2) + 1 / log2(3)))


def test_breaking_a_tie_between_positives_may_lower_ap():
    """With a negative in front, two tied positives earn 2/3 each, and 1/2 and 2/3 when one of them moves ahead; scikit-learn agrees.

    So "a higher score for a positive never hurts" holds for AP only where no two scores tie (see test_properties.py).
    """
    relevance = torch.tensor([0, 1, 1])
    for scores, expected in (([0.9, 0.5, 0.5], (2 / 3 + 2 / 3) / 2), ([0.9, 0.6, 0.5], (1 / 2 + 2 / 3) / 2)):
        assert rb.average_precision(torch.tensor(scores), relevance).item() == pytest.approx(expected)
        assert average_precision_score(relevance.numpy(), scores) == pytest.approx(expected)


def test_spearman_and_kendall_by_hand():
    scores, target = torch.tensor([0.1, 0.4, 0.2, 0.3]), torch.tensor([1.0, 2.0, 3.0, 4.0])
    # ranks of the scores 4, 1, 3, 2 and of the target 4, 3, 2, 1: squared differences 0, 4, 1, 1
    assert rb.spearman(scores, target).item() == pytest.approx(1 - 6 * (0 + 4 + 1 + 1) / (4 * (4**2 - 1)))
    # 6 pairs: (1,2) (1,3) (1,4) (3,4) agree, (2,3) (2,4) do not
    assert rb.kendall(scores, target).item() == pytest.approx((4 - 2) / 6)
