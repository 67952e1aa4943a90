"""The losses on scores under contract: `test_score_contract.py` runs each promise for each case. A new loss joins with one entry.

An oracle is a loop over the numbers of one list, in float64, written from the definition: ``(scores, relevance) -> float``.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import pytest
from scipy.stats import rankdata
from torch import nn

import oracles
import rankbook as rb

SMOOTH = partial(rb.sigmoid_ranks, tau=0.4)


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[..., nn.Module]  # ``make(reduction=...)``
    oracle: Callable[[list[float], list[float]], float]
    #: which lists count: ``(relevance) -> bool``
    counts: Callable[[list[float]], bool] = lambda relevance: len(set(relevance)) > 1
    #: what a perfect order with far gaps costs, by relevance
    floor: Callable[[list[float]], float] = lambda relevance: 0.0
    #: the name of the second argument
    second: str = "relevance"
    #: promise -> why the loss does not make it
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.name


def logistic(x: float) -> float:
    """log(1 + e^-x)."""
    return math.log1p(math.exp(-x)) if x > 0 else -x + math.log1p(math.exp(x))


def pairs(relevance):
    return [(i, j) for i, j in itertools.permutations(range(len(relevance)), 2) if relevance[i] > relevance[j]]


def ranknet(scores, relevance, *, sigma):
    found = pairs(relevance)
    return sum(logistic(sigma * (scores[i] - scores[j])) for i, j in found) / len(found)


def listnet(scores, relevance):
    target, shares = oracles.softmax(relevance), oracles.softmax(scores)
    return -sum(p * math.log(q) for p, q in zip(target, shares, strict=True))


def likelihood(scores, order):
    """-log of the probability that the items are drawn in this order."""
    return sum(math.log(sum(math.exp(scores[k]) for k in order[p:])) - scores[order[p]] for p in range(len(order)))


def right_orders(relevance):
    """Every order of the items whose grades never rise."""
    return [o for o in itertools.permutations(range(len(relevance))) if all(relevance[a] >= relevance[b] for a, b in itertools.pairwise(o))]


def listmle(scores, relevance):
    """By all orders: the worst of those that the ties allow."""
    return max(likelihood(scores, order) for order in right_orders(relevance))


def worst_places(scores, relevance):
    """The items from the first place on, of equal scores the less relevant first."""
    return sorted(range(len(scores)), key=lambda i: (-scores[i], relevance[i]))


def lambdas(scores, relevance, *, metric, sigma=1.0):
    """Swap two grades in the current order, and measure again."""
    order = worst_places(scores, relevance)
    s, now = [scores[i] for i in order], [relevance[i] for i in order]
    fresh = [-float(p) for p in range(len(s))]  # the same order, without ties
    total = 0.0
    for i, j in pairs(now):
        swapped = list(now)
        swapped[i], swapped[j] = swapped[j], swapped[i]
        total += abs(metric(fresh, swapped) - metric(fresh, now)) * logistic(sigma * (s[i] - s[j]))
    return total


def multi_label(scores, relevance, *, weighting):
    labels = [1 if rel > 0 else -1 for rel in relevance]
    c, p = len(labels), labels.count(1)
    n = c - p
    if weighting == "pa":
        return ranknet(scores, [rel > 0 for rel in relevance], sigma=1)
    weight = {"u1": lambda y: 1 / c, "u2": lambda y: 1 / (p * n), "u3": lambda y: 1 / labels.count(y), "u4": lambda y: 1 / min(p, n)}
    return sum(weight[weighting](y) * logistic(y * s) for s, y in zip(scores, labels, strict=True))


def smooth(scores):
    return [oracles.rank(i, range(len(scores)), scores, oracles.sigmoid(0.4)) for i in range(len(scores))]


def spearman(scores, target):
    n = len(scores)
    return sum(((r - t) / n) ** 2 for r, t in zip(smooth(scores), rankdata([-t for t in target]), strict=True)) / n


def mean_rank(scores, relevance):
    return sum(r for r, rel in zip(smooth(scores), relevance, strict=True) if rel > 0) / len(scores)


def spearman_floor(relevance):
    """Scores that go down the grades one by one part the ties of the target."""
    n = len(relevance)
    return sum(((p + 1 - t) / n) ** 2 for p, t in enumerate(rankdata([-r for r in sorted(relevance, reverse=True)]))) / n


def mean_rank_floor(relevance):
    positives = sum(rel > 0 for rel in relevance)
    return positives * (positives + 1) / 2 / len(relevance)


SPREAD = {"floor": "its smallest value stands where scores and grades agree, not where the gaps are large: see test_listwise.py"}
TIED = {"floor": "equally relevant items part only by chance: the worst order of far gaps is infinitely bad"}
THRESHOLD = {
    "offset": "each label is set against a threshold at 0",
    "floor": "the perfect order costs nothing only if the threshold stands in its gap: see test_multi_label.py",
    "second order": "plain operations",
}
ROUNDS = {"constant": "a ranker of one's own says what constant scores are worth"}


def _lambda(name, metric, oracle, **exceptions):
    return Case(f"LambdaLoss {name}", partial(rb.LambdaLoss, metric), partial(lambdas, metric=oracle), exceptions=exceptions)


CASES = [
    Case("RankNetLoss", partial(rb.RankNetLoss, sigma=1.5), partial(ranknet, sigma=1.5)),
    Case("ListNetLoss", rb.ListNetLoss, listnet, exceptions=SPREAD | {"second order": "plain operations"}),
    Case("ListMLELoss", rb.ListMLELoss, listmle, exceptions=TIED),
    _lambda("ndcg", rb.ndcg, oracles.ndcg),
    _lambda("ndcg@3", partial(rb.ndcg, k=3), partial(oracles.ndcg, k=3)),
    _lambda("average_precision", rb.average_precision, oracles.average_precision),
    _lambda("reciprocal_rank", rb.reciprocal_rank, oracles.reciprocal_rank),
    _lambda("recall@2", partial(rb.recall_at_k, k=2), partial(oracles.recall_at_k, k=2)),
    _lambda("hierarchical_ap", rb.hierarchical_ap, oracles.hierarchical_ap),
    Case("SpearmanLoss", partial(rb.SpearmanLoss, SMOOTH), spearman, lambda relevance: len(relevance) > 1, spearman_floor, "target"),
    *(
        Case(
            f"MultiLabelRankingLoss {weighting}",
            partial(rb.MultiLabelRankingLoss, weighting),
            partial(multi_label, weighting=weighting),
            lambda relevance: len({rel > 0 for rel in relevance}) > 1,
            exceptions={} if weighting == "pa" else THRESHOLD,
        )
        for weighting in ("pa", "u1", "u2", "u3", "u4")
    ),
    Case("MeanRankLoss", partial(rb.MeanRankLoss, SMOOTH), mean_rank, lambda relevance: any(relevance), mean_rank_floor),
]

#: Public losses on scores that are no cases, and where they are tested instead.
ELSEWHERE = {"HardNegativeRankLoss": "test_hard_negatives.py: a matrix of pairs, without relevance"}

PROMISES = frozenset({"floor", "offset", "second order"})


def promise(name: str) -> pytest.MarkDecorator:
    """Run the test for each loss that does not except itself from the promise."""
    assert name in PROMISES, name
    return pytest.mark.parametrize("case", [case for case in CASES if name not in case.exceptions], ids=repr)
