"""Theorems on the metrics, with lists drawn by hypothesis."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rankbook as rb
from metrics.cases import CORRELATIONS, METRICS

few = settings(deadline=None, max_examples=30, derandomize=True)
relevances = st.lists(st.integers(0, 3), min_size=1, max_size=8).filter(any)  # in the order of the ranking
binary = st.lists(st.integers(0, 1), min_size=1, max_size=8).filter(any)
tied_scores = st.lists(st.integers(0, 3), min_size=8, max_size=8)


def ranked(relevance):
    """Distinct descending scores for a relevance that is given in the order of the ranking."""
    return torch.arange(len(relevance), 0, -1, dtype=torch.float64), torch.tensor(relevance, dtype=torch.float64)


@few
@given(relevance=relevances, scores=tied_scores)
def test_between_zero_and_one(relevance, scores):
    scores = torch.tensor(scores[: len(relevance)], dtype=torch.float64)
    for case in METRICS:
        assert 0 <= case.metric(scores, torch.tensor(relevance)).item() <= case.bound(relevance) * (1 + 1e-12), case


@few
@given(relevance=relevances)
def test_the_perfect_order_earns_the_most(relevance):
    for case in METRICS:
        value = case.metric(*ranked(sorted(relevance, reverse=True))).item()
        assert value == pytest.approx(case.best(relevance), abs=1e-12), case


@few
@given(relevance=relevances, data=st.data())
def test_raising_an_item_above_less_relevant_ones_never_hurts(relevance, data):
    """No two scores tie, before or after; on binary relevance this is: raising a positive never hurts."""
    item = data.draw(st.integers(0, len(relevance) - 1))
    place = item
    while place > 0 and relevance[place - 1] <= relevance[item]:
        place -= 1
    raised = relevance[:item] + relevance[item + 1 :]
    raised.insert(data.draw(st.integers(place, item)), relevance[item])
    for case in METRICS:
        assert case.metric(*ranked(raised)).item() >= case.metric(*ranked(relevance)).item() - 1e-12, case


@few
@given(relevance=binary, scores=tied_scores, weight=st.floats(0.1, 5))
def test_hierarchical_ap_is_ap_on_binary_relevance(relevance, scores, weight):
    scores, relevance = torch.tensor(scores[: len(relevance)], dtype=torch.float64), torch.tensor(relevance, dtype=torch.float64)
    torch.testing.assert_close(rb.hierarchical_ap(scores, weight * relevance), rb.average_precision(scores, relevance))


@few
@given(relevance=binary, scores=tied_scores, k=st.integers(1, 10))
def test_metrics_of_one_cut_agree(relevance, scores, k):
    scores, relevance = torch.tensor(scores[: len(relevance)], dtype=torch.float64), torch.tensor(relevance)
    recall, precision, hit = (metric(scores, relevance, k=k).item() for metric in (rb.recall_at_k, rb.precision_at_k, rb.hit_at_k))
    assert precision * k == pytest.approx(recall * relevance.sum().item())
    assert hit == float(recall > 0)
    assert hit == float(rb.reciprocal_rank(scores, relevance).item() >= 1 / k - 1e-12)
    assert rb.map_at_r(scores, relevance) <= rb.average_precision(scores, relevance) + 1e-12


@few
@given(n=st.integers(1, 8), positive=st.integers(0, 7), scores=tied_scores, k=st.integers(1, 10))
def test_a_single_positive_makes_metrics_equal(n, positive, scores, k):
    scores = torch.tensor(scores[:n], dtype=torch.float64)
    relevance = torch.zeros(n).index_fill(0, torch.tensor(positive % n), 1)
    reciprocal = rb.reciprocal_rank(scores, relevance)
    assert rb.hit_at_k(scores, relevance, k=k) == rb.recall_at_k(scores, relevance, k=k)
    assert rb.average_precision(scores, relevance) == reciprocal == rb.hierarchical_ap(scores, relevance)
    torch.testing.assert_close(rb.ndcg(scores, relevance), 1 / torch.log2(1 + 1 / reciprocal))
    assert rb.map_at_r(scores, relevance).item() == float(reciprocal == 1)


@few
@given(relevance=relevances, scores=tied_scores, data=st.data())
def test_the_order_of_the_items_does_not_matter(relevance, scores, data):
    scores, relevance = torch.tensor(scores[: len(relevance)], dtype=torch.float64), torch.tensor(relevance)
    order = torch.tensor(data.draw(st.permutations(range(len(relevance)))))
    for case in METRICS:
        found, expected = case.metric(scores[order], relevance[order]), case.metric(scores, relevance)
        torch.testing.assert_close(found, expected, msg=lambda words, case=case: f"{case}: {words}")


@few
@given(relevance=relevances, scores=tied_scores)
def test_only_the_order_of_the_scores_matters(relevance, scores):
    scores, relevance = torch.tensor(scores[: len(relevance)], dtype=torch.float64), torch.tensor(relevance)
    for case in METRICS:
        assert case.metric(scores.exp() * 1e3 - 7, relevance) == case.metric(scores, relevance), case


@pytest.mark.parametrize("name", CORRELATIONS)
@few
@given(scores=st.permutations(range(7)), target=st.permutations(range(7)))
def test_correlations_are_odd_symmetric_and_bounded(name, scores, target):
    correlation = CORRELATIONS[name]
    scores, target = torch.tensor(scores, dtype=torch.float64), torch.tensor(target, dtype=torch.float64)
    value = correlation(scores, target)
    assert -1 - 1e-12 <= value.item() <= 1 + 1e-12
    torch.testing.assert_close(correlation(-scores, target), -value)
    torch.testing.assert_close(correlation(target, scores), value)
    torch.testing.assert_close(correlation(scores, scores.exp()), torch.ones_like(value))
