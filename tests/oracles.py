"""Slow, obvious versions of everything: Python loops over float64 numbers, written from the definitions alone.

A list is two sequences, scores and relevance. A rank counts the items above, each by a step function of its lead:

    rank(i, among) = 1 + sum of step(s_j - s_i) over the items j of `among`, j != i.

`step=at_or_above` gives the exact rank (tied items share the last of their places), `sigmoid(tau)` the smooth one.
"""

import math


def at_or_above(lead):
    return 1.0 if lead >= 0 else 0.0


def sigmoid(tau):
    def step(lead):
        x = lead / tau
        return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))

    return step


def rank(i, among, scores, step):
    total = 1.0
    for j in among:
        if j != i:
            total += step(scores[j] - scores[i])
    return total


def positives(relevance):
    return [i for i, rel in enumerate(relevance) if rel > 0]


def worths(relevance, weights):
    """The weight of each positive as a share of the largest one; 1 without weights."""
    found = positives(relevance)
    if weights is None:
        return dict.fromkeys(found, 1.0)
    return {i: weights[i] / max(weights[i] for i in found) for i in found}


def most(worth, k):
    """What the k best places can hold."""
    return sum(sorted(worth.values(), reverse=True)[:k])


def average_precision(scores, relevance, step=at_or_above, *, k=None, tau_rank=None, weights=None):
    everything, found, worth = range(len(scores)), positives(relevance), worths(relevance, weights)
    total = 0.0
    for i in found:
        r = rank(i, everything, scores, step)
        total += worth[i] * rank(i, found, scores, step) / r * (1 if k is None else cut(r, k, tau_rank))
    return min(1.0, total / most(worth, k))


def hierarchical_ap(scores, relevance, step=at_or_above, *, weights=None):
    everything, found, worth = range(len(scores)), positives(relevance), worths(relevance, weights)
    total = 0.0
    for i in found:
        h_rank = relevance[i]
        for j in found:
            if j != i:
                h_rank += min(relevance[i], relevance[j]) * step(scores[j] - scores[i])
        total += worth[i] * h_rank / rank(i, everything, scores, step)
    return total / sum(worth[i] * relevance[i] for i in found)


def asi(scores, relevance, step=at_or_above, *, weights=None):
    """At each depth, grade by grade: the worth found, at most that of the ideal head."""
    worth = worths(relevance, weights)
    found = [i for i in worth if worth[i] > 0]
    ranks = {i: rank(i, range(len(scores)), scores, step) for i in found}
    ideal = sorted(found, key=lambda i: (-relevance[i], -worth[i]))
    total = 0.0
    for depth in range(1, len(found) + 1):
        shared = 0.0
        for grade in {relevance[i] for i in found}:
            head = sum(worth[i] * cut(ranks[i], depth, None) for i in found if relevance[i] == grade)
            shared += min(head, sum(worth[i] for i in ideal[:depth] if relevance[i] == grade))
        total += shared / sum(worth[i] for i in ideal[:depth])
    return total / len(found)


def cut(r, k, tau_rank):
    """1 inside the top k, 0 behind it."""
    if tau_rank is None:
        return 1.0 if r <= k else max(0.0, k + 1 - r)
    return sigmoid(tau_rank)(k - r)


def hits(scores, relevance, k, tau_rank, step, weights):
    worth = worths(relevance, weights)
    return [worth[i] * cut(rank(i, range(len(scores)), scores, step), k, tau_rank) for i in positives(relevance)]


def recall_at_k(scores, relevance, step=at_or_above, *, k, tau_rank=None, weights=None):
    return sum(hits(scores, relevance, k, tau_rank, step, weights)) / most(worths(relevance, weights), None)


def r_precision(scores, relevance, step=at_or_above, *, tau_rank=None, weights=None):
    return recall_at_k(scores, relevance, step, k=len(positives(relevance)), tau_rank=tau_rank, weights=weights)


def capped_recall(scores, relevance, step=at_or_above, *, k, tau_rank=None, weights=None):
    """Recall at each k, of the most that k places can hold."""
    shares = []
    for places in k:
        found, best = sum(hits(scores, relevance, places, tau_rank, step, weights)), most(worths(relevance, weights), places)
        shares.append(min(best, found) / best)
    return sum(shares) / len(k)


def hit_at_k(scores, relevance, step=at_or_above, *, k, tau_rank=None, weights=None):
    return max(hits(scores, relevance, k, tau_rank, step, weights))


def precision_at_k(scores, relevance, step=at_or_above, *, k, tau_rank=None, weights=None):
    return sum(hits(scores, relevance, k, tau_rank, step, weights)) / k


def reciprocal_rank(scores, relevance, step=at_or_above, *, k=None, tau_rank=None, weights=None):
    best = 0.0
    for i, worth in worths(relevance, weights).items():
        r = rank(i, range(len(scores)), scores, step)
        best = max(best, worth / r * (1 if k is None else cut(r, k, tau_rank)))
    return best


def map_at_r(scores, relevance, step=at_or_above, *, tau_rank=None, weights=None):
    everything, found, worth = range(len(scores)), positives(relevance), worths(relevance, weights)
    total = 0.0
    for i in found:
        r = rank(i, everything, scores, step)
        total += worth[i] * rank(i, found, scores, step) / r * cut(r, len(found), tau_rank)
    return total / most(worth, None)


def exponential(rel):
    return 2**rel - 1


def dcg(scores, relevance, step=at_or_above, *, k=None, gain=exponential, tau_rank=None, weights=None):
    gained = 0.0
    for i in positives(relevance):
        r = rank(i, range(len(scores)), scores, step)
        worth = gain(relevance[i]) * (1 if weights is None else weights[i])
        gained += worth / math.log2(1 + r) * (1 if k is None else cut(r, k, tau_rank))
    return gained


def ideal_dcg(relevance, *, k=None, gain=exponential, weights=None):
    gains = sorted((gain(rel) * (1 if weights is None else weights[i]) for i, rel in enumerate(relevance) if rel > 0), reverse=True)
    return sum(g / math.log2(1 + place) for place, g in enumerate(gains[:k], start=1))


def ndcg(scores, relevance, step=at_or_above, *, k=None, gain=exponential, tau_rank=None, weights=None):
    gained = dcg(scores, relevance, step, k=k, gain=gain, tau_rank=tau_rank, weights=weights)
    return gained / ideal_dcg(relevance, k=k, gain=gain, weights=weights)


def batch_loss(scores, relevance, list_metric, *, without_query):
    """1 - the mean of a metric over the queries that have a positive; row q of the matrix is the list of query q."""
    values = []
    for q, (row, rel) in enumerate(zip(scores, relevance, strict=True)):
        items = [j for j in range(len(row)) if not (without_query and j == q)]
        rel = [rel[j] for j in items]
        if any(rel):
            values.append(list_metric([row[j] for j in items], rel))
    return 1 - sum(values) / len(values)


def supervised_contrastive(scores, relevance, temperature, *, without_query):
    """The mean over queries of the mean over positives of -log softmax."""
    values = []
    for q, (row, rel) in enumerate(zip(scores, relevance, strict=True)):
        items = [j for j in range(len(row)) if not (without_query and j == q)]
        found = [j for j in items if rel[j]]
        total = sum(math.exp(row[j] / temperature) for j in items)
        if found:
            values.append(sum(-math.log(math.exp(row[j] / temperature) / total) for j in found) / len(found))
    return sum(values) / len(values)


# Rankers


def laplace(tau):
    return lambda lead: 0.5 * math.exp(lead / tau) if lead <= 0 else 1 - 0.5 * math.exp(-lead / tau)


def box(width):
    return lambda lead: min(1.0, max(0.0, (1 + lead / width) / 2))


def upper_step(tau, rho, delta):
    """SupRank's H^-: never below the step."""

    def step(lead):
        if lead < 0:
            return sigmoid(tau)(lead)
        return sigmoid(tau)(min(lead, delta)) + 0.5 + rho * max(0.0, lead - delta)

    return step


def sup_ranks(scores, relevance, *, tau, rho, delta):
    ranks = []
    for k in range(len(scores)):
        less = [j for j in range(len(scores)) if relevance[j] < relevance[k]]
        rest = [j for j in range(len(scores)) if relevance[j] >= relevance[k]]
        ranks.append(rank(k, rest, scores, at_or_above) + rank(k, less, scores, upper_step(tau, rho, delta)) - 1)
    return ranks


def softmax(logits):
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    return [w / sum(weights) for w in weights]


def mean_places(matrix):
    """From rows that say which item stands at a place to the mean place of each item."""
    columns = list(zip(*matrix, strict=True))
    return [sum(p * x for p, x in enumerate(column, start=1)) / sum(column) for column in columns]


def neuralsort_ranks(scores, *, tau):
    n = len(scores)
    distance = [sum(abs(a - b) for b in scores) for a in scores]
    rows = [[((n + 1 - 2 * p) * s - d) / tau for s, d in zip(scores, distance, strict=True)] for p in range(1, n + 1)]
    return mean_places([softmax(row) for row in rows])


def softsort_ranks(scores, *, tau):
    return mean_places([softmax([-abs(top - s) / tau for s in scores]) for top in sorted(scores, reverse=True)])


def sinkhorn_ranks(scores, *, tau, iterations):
    """From a flat start, without logarithms: for few items and a large tau only."""
    n = len(scores)
    plan = [[math.exp(-s * p / tau) for p in range(1, n + 1)] for s in scores]
    for _ in range(iterations):
        sums = [sum(row[p] for row in plan) for p in range(n)]
        plan = [[x / total for x, total in zip(row, sums, strict=True)] for row in plan]
        plan = [[x / sum(row) for x in row] for row in plan]
    return [sum(p * x for p, x in enumerate(row, start=1)) for row in plan]


def network_ranks(scores, comparators, *, tau):
    """Comparators (a, b), in order, each a soft swap that brings the higher value to wire a; the mean place of each item."""
    n = len(scores)
    values = list(scores)
    share = [[float(i == j) for j in range(n)] for i in range(n)]  # share[wire][item]
    for a, b in comparators:
        stay = 0.5 + math.atan((values[a] - values[b]) / tau) / math.pi
        values[a], values[b] = stay * values[a] + (1 - stay) * values[b], stay * values[b] + (1 - stay) * values[a]
        share[a], share[b] = (
            [stay * x + (1 - stay) * y for x, y in zip(share[a], share[b], strict=True)],
            [stay * y + (1 - stay) * x for x, y in zip(share[a], share[b], strict=True)],
        )
    return mean_places(share)


def binned_ap(scores, relevance, centers):
    """AP of soft histograms: each score is split between the two nearest bin centers, which descend; all of a bin is tied."""
    width = centers[0] - centers[1]
    found = everything = total = 0.0
    for center in centers:
        weights = [max(0.0, 1 - abs(s - center) / width) for s in scores]
        in_bin = sum(w for w, rel in zip(weights, relevance, strict=True) if rel)
        found += in_bin
        everything += sum(weights)
        if everything > 0:
            total += in_bin * found / everything
    return total / len(positives(relevance))
