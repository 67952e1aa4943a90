"""Published losses as their authors compute them: the peers of the benchmark that pip cannot install.

Each is written anew, and builds the same large tensors by the same kinds of operations as the published code, so that time and
memory stand for that code's: the cubes [query, k, j], the dense bins, the loop over queries. Where that code computes a mask
twice, once is enough here. As there, labels come sorted, with equally many items a class. One thing differs, so that the
values equal ours: the query is left out of its gallery, by a score below every cosine (an operation on B x B).
"""

from __future__ import annotations

import math
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import conv1d

_BEHIND = -3.0  # below every cosine by more than any temperature here can see, and finite: 0 * inf is NaN


def cubic_smooth_ap(embeddings: Tensor, labels: Tensor, tau: float = 0.01) -> Tensor:
    """Smooth-AP's code: eleven tensors of B^3 forward (mask, repeated scores, leads, seven in the sigmoid, the masked steps), the
    positives once more as class blocks, a loop over the classes."""
    size = _class_size(labels)
    classes, items = len(labels) // size, len(labels)
    not_self = (1 - torch.eye(items, dtype=embeddings.dtype)).unsqueeze(0).repeat(items, 1, 1)
    repeated = _without_query(embeddings @ embeddings.T).unsqueeze(1).repeat(1, items, 1)
    ranks = 1 + (_sigmoid(repeated - repeated.permute(0, 2, 1), tau) * not_self).sum(-1)

    blocks = embeddings.view(classes, size, -1)
    repeated = _without_query(blocks @ blocks.permute(0, 2, 1)).unsqueeze(2).repeat(1, 1, size, 1)
    not_self = (1 - torch.eye(size, dtype=embeddings.dtype)).repeat(classes, size, 1, 1)
    among_positives = 1 + (_sigmoid(repeated - repeated.permute(0, 1, 3, 2), tau) * not_self).sum(-1)

    others = 1 - torch.eye(size, dtype=embeddings.dtype)
    total = 0.0
    for c in range(classes):
        own = slice(c * size, (c + 1) * size)
        total = total + (among_positives[c] / ranks[own, own] * others).sum() / (size - 1)
    return 1 - total / items


def cubic_sup_ap(embeddings: Tensor, labels: Tensor, tau: float = 0.01, rho: float = 100.0, delta: float = 0.05) -> Tensor:
    """SupRank's code for SupAP: the step of the negatives case by case, each by reading and writing a boolean mask of the cube.

    Forward seven float tensors of B^3 (leads, two copies, a step, three products), one of integers and thirteen boolean ones, with
    four masked reads and four masked writes; autograd makes as many again. The knee is continuous and H(0) = 1, as in ours.
    """
    scores = _without_query(embeddings @ embeddings.T)
    relevance = _positives(labels).long()
    not_self = (1 - torch.eye(len(scores), dtype=scores.dtype)).unsqueeze(0)
    leads = scores.unsqueeze(1) - scores.unsqueeze(1).permute(0, 2, 1)
    by_j, by_k = relevance.unsqueeze(1), relevance.unsqueeze(1).permute(0, 2, 1)
    both = torch.where(by_j < by_k, by_j, by_k)  # the smaller relevance of k and j
    ranks = 1 + (_sup_step_(leads.clone(), by_j < by_k, tau, rho, delta) * not_self).sum(-1)
    among_positives = relevance + (_step(leads.clone()) * not_self * both).sum(-1)
    return 1 - ((among_positives / ranks).sum(-1) / relevance.sum(-1)).mean()


def looped_recall_at_k(
    embeddings: Tensor, labels: Tensor, k: tuple[int, ...] = (1, 2, 4, 8, 16), tau_rank: float = 1.0, tau_score: float = 0.01
) -> Tensor:
    """RS@k's code: a loop over the queries, in it one over k; a query ranks its positives only, B x R."""
    size, items = _class_size(labels), len(labels)
    total = 0.0
    for q in range(items):
        nth, first = q % size, q - q % size
        scores = (embeddings[q] * embeddings).sum(1)
        leads = scores.unsqueeze(-1) - scores[first : first + size].unsqueeze(0).repeat(items, 1)
        steps = _sigmoid(leads, tau_score)
        for i in range(size):
            steps[first + i, i] = 0.0
        steps[q] = 0.0  # leaves the query out
        ranks = (1 + steps.sum(0)).unsqueeze(-1).repeat(1, len(k))
        cuts = torch.tensor(k, dtype=scores.dtype)
        found = cuts - ranks
        for n in range(len(k)):
            found[:, n] = _sigmoid(found[:, n], tau_rank)
        found[nth] = 0.0  # the query itself
        total = total + (torch.minimum(found.sum(0), cuts) / cuts.clamp(max=size - 1)).mean()
    return 1 - total / items


def dense_soft_bin_ap(embeddings: Tensor, labels: Tensor, bins: int = 20) -> Tensor:
    """SoftBin AP's code: a convolution gives every score two lines for each bin, the lower one (cut at 0) is its share.

    Five times B x B x bins forward: the lines (twice that), their minimum, the same cut at 0, the shares of the positives.
    """
    positive = _positives(labels).to(embeddings.dtype)
    scores = embeddings @ embeddings.T
    scores = scores.masked_fill(torch.eye(len(scores), dtype=torch.bool), -1.0)  # the query falls into the last bin, whole
    slope, nth = (bins - 1) / 2, torch.arange(bins)
    falling, rising = bins - slope - nth, 2 - bins + slope + nth  # at score 0
    weight = torch.full((2 * bins, 1, 1), slope, dtype=scores.dtype)
    weight[:bins] = -slope
    weight[0] = weight[-1] = 0.0  # beyond the best and the worst bin the share stays 1
    offset = torch.cat([falling, rising]).to(scores.dtype)
    offset[0] = offset[-1] = 1.0
    lines = conv1d(scores.unsqueeze(1), weight, offset)
    shares = torch.min(lines[:, :bins], lines[:, bins:]).clamp(min=0)
    counts = shares.sum(-1) - torch.nn.functional.one_hot(nth[-1], bins)  # and out of it again
    of_positives = (shares * positive.unsqueeze(1)).sum(-1)
    precision = of_positives.cumsum(-1) / (1e-16 + counts.cumsum(-1))
    return 1 - (precision * of_positives / of_positives.sum(-1, keepdim=True)).sum(-1).mean()


class _PlainBlackbox(torch.autograd.Function):
    """Ranks by two argsorts, forward and on the shifted scores."""

    @staticmethod
    def forward(ctx, scores: Tensor, strength: float) -> Tensor:
        ranks = _argsort_ranks(scores)
        ctx.save_for_backward(scores, ranks)
        ctx.strength = strength
        return ranks

    @staticmethod
    def backward(ctx, grad: Tensor):
        scores, ranks = ctx.saved_tensors
        return (_argsort_ranks(scores + ctx.strength * grad) - ranks) / ctx.strength, None


def plain_blackbox_ap(embeddings: Tensor, labels: Tensor, strength: float = 4.0, margin: float = 0.02) -> Tensor:
    """RaMBO's code: six argsorts of all scores, two each for the ranks, the ranks among the positives (constant) and backward.

    The margin is fixed where that code draws it, and ours ranks the positives among themselves with a gradient: equal in value.
    """
    positive = _positives(labels).to(embeddings.dtype)
    scores = _without_query(embeddings @ embeddings.T) - margin * (positive - 0.5)
    ranks = _PlainBlackbox.apply(scores, strength)
    among = _argsort_ranks(len(scores) * positive - ranks.detach())
    return 1 - ((among / ranks * positive).sum(1) / positive.sum(1)).mean()


def full_matching_gap(views: Tensor, epsilon: float = 0.1, tolerance: float = 1e-3) -> Tensor:
    """The multi-marginal matching gap by Sinkhorn on the whole tensor of n^k tuples, as ott-jax has it: costs, then a log-sum-exp over
    all other views for each view of a sweep, at last a plan of n^k shares.

    As there, the potentials are constants to the gradient, which goes through the costs; here these start from the pairs of views, not
    from the n^k d numbers of all means.
    """
    k, n, _ = views.shape
    axes = [[n if axis == view else 1 for axis in range(k)] for view in range(k)]
    lengths = sum(x.square().sum(1).reshape(axis) for x, axis in zip(views, axes, strict=True))
    for a, b in combinations(range(k), 2):
        lengths = lengths + 2 * (views[a] @ views[b].T).reshape([n if axis in (a, b) else 1 for axis in range(k)])
    cost = 1 - lengths / k**2
    true = 1 - views.mean(0).square().sum(1).mean()
    with torch.no_grad():
        log_plan, value, error = -cost / epsilon, 0.0, math.inf
        while error >= tolerance:
            error = 0.0
            for view in range(k):
                share = log_plan.logsumexp([axis for axis in range(k) if axis != view], keepdim=True)
                error += float((share.exp() - 1 / n).abs().sum())
                log_plan = log_plan - share - math.log(n)
                value -= epsilon * (share.mean() + math.log(n))  # the dual, a potential after the other
        plan = log_plan.exp()
        gap = true - value - epsilon * math.log(n)
    slope = true - (plan * cost).sum()
    return slope + (gap - slope).detach()


def _argsort_ranks(scores: Tensor) -> Tensor:
    return scores.argsort(-1).flip(-1).argsort(-1).to(scores.dtype) + 1


def _sigmoid(x: Tensor, tau: float) -> Tensor:
    """Seven tensors of the size of x: the sigmoid of these codes."""
    return 1.0 / (1.0 + (-x / tau).clamp(-50, 50).exp())


@torch.no_grad()
def _step(x: Tensor) -> Tensor:
    return torch.heaviside(x, torch.ones((), dtype=x.dtype))


def _sup_step_(x: Tensor, less_relevant: Tensor, tau: float, rho: float, delta: float) -> Tensor:
    x[~less_relevant] = _step(x[~less_relevant])
    ahead, far = x >= 0, x > delta
    near = less_relevant & ahead & ~far
    x[near] = 0.5 + _sigmoid(x[near], tau)
    knee = _sigmoid(torch.tensor(delta, dtype=x.dtype), tau) + 0.5
    line = less_relevant & ahead & far
    x[line] = rho * (x[line] - delta) + knee
    behind = less_relevant & ~ahead
    x[behind] = _sigmoid(x[behind], tau)
    return x


def _without_query(scores: Tensor) -> Tensor:
    """Scores [..., n, n]: item q goes behind all others in the list of query q."""
    return scores.masked_fill(torch.eye(scores.shape[-1], dtype=torch.bool), _BEHIND)


def _positives(labels: Tensor) -> Tensor:
    """Pairs of one class, but no item with itself: [B, B]."""
    return (labels[:, None] == labels) & ~torch.eye(len(labels), dtype=torch.bool)


def _class_size(labels: Tensor) -> int:
    return int((labels == labels[0]).sum())
