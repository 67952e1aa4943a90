"""Published formulas in plain autograd: the peers of the benchmark that pip cannot install.

Each follows its paper's code in what it builds (the B^3 tensor, the dense bins, the loop over queries), not in its words. All
leave the query out, so that the values can be compared with ours. Labels must come sorted, with equally many items a class,
as those codes assume.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cubic_smooth_ap(embeddings: Tensor, labels: Tensor, tau: float = 0.01) -> Tensor:
    """Smooth-AP with all differences of all queries at once: B^3."""
    scores, positive, present = _matrices(embeddings, labels)
    steps = torch.sigmoid(_leads(scores) / tau) * present.unsqueeze(1) * ~torch.eye(len(scores), dtype=torch.bool)
    return _ap_loss(steps.sum(-1), (steps * positive.unsqueeze(1)).sum(-1), positive)


def cubic_sup_ap(embeddings: Tensor, labels: Tensor, tau: float = 0.01, rho: float = 100.0, delta: float = 0.05) -> Tensor:
    """SupAP in the same way: the step of the negatives by cases on the B^3 tensor."""
    scores, positive, present = _matrices(embeddings, labels)
    leads = _leads(scores)
    knee = 0.5 + torch.sigmoid(torch.tensor(delta / tau))
    near = torch.sigmoid(leads / tau) + torch.where(leads >= 0, 0.5, 0.0)
    upper = torch.where(leads > delta, rho * (leads - delta) + knee, near)
    exact = (leads >= 0).to(scores.dtype) * ~torch.eye(len(scores), dtype=torch.bool)
    among_positives = (exact * positive.unsqueeze(1)).sum(-1)
    negatives = (upper * (present & ~positive).unsqueeze(1)).sum(-1)
    return _ap_loss(among_positives + negatives, among_positives, positive)


def looped_recall_at_k(
    embeddings: Tensor, labels: Tensor, k: tuple[int, ...] = (1, 2, 4, 8, 16), tau_rank: float = 1.0, tau_score: float = 0.01
) -> Tensor:
    """RS@k, one query at a time, all gallery items ranked."""
    scores, positive, present = _matrices(embeddings, labels)
    total = 0.0
    for s, p, here in zip(scores, positive, present, strict=True):
        steps = torch.sigmoid((s.unsqueeze(0) - s.unsqueeze(1)) / tau_score) * here * ~torch.eye(len(s), dtype=torch.bool)
        ranks = 1 + steps.sum(-1)
        for cut in k:
            found = (torch.sigmoid((cut - ranks) / tau_rank) * p).sum()
            total = total + found.clamp(max=cut) / min(cut, int(p.sum()))
    return 1 - total / (len(scores) * len(k))


def dense_soft_bin_ap(embeddings: Tensor, labels: Tensor, bins: int = 20) -> Tensor:
    """SoftBin AP with the distance of every score to every bin center: B x B x bins."""
    scores, positive, present = _matrices(embeddings, labels)
    centers = torch.linspace(1, -1, bins)
    shares = (1 - (scores.unsqueeze(-1) - centers).abs() * (bins - 1) / 2).clamp(min=0) * present.unsqueeze(-1)
    of_positives = (shares * positive.unsqueeze(-1)).sum(1)
    precision = of_positives.cumsum(1) / shares.sum(1).cumsum(1).clamp(min=1e-16)
    return 1 - ((precision * of_positives).sum(1) / positive.sum(1)).mean()


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
    """Black-box AP by argsort of all scores, and again of the positives among themselves."""
    scores, positive, present = _matrices(embeddings, labels)
    shifted = scores + torch.where(positive, -margin / 2, margin / 2)
    shifted = shifted.masked_fill(~present, -1e6)
    ranks = _PlainBlackbox.apply(shifted, strength)
    among = _PlainBlackbox.apply(shifted.masked_fill(~positive, -1e6), strength)
    return 1 - ((among / ranks * positive).sum(1) / positive.sum(1)).mean()


def _argsort_ranks(scores: Tensor) -> Tensor:
    return scores.argsort(-1, descending=True).argsort(-1).to(scores.dtype) + 1


def _matrices(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    present = ~torch.eye(len(embeddings), dtype=torch.bool)
    return embeddings @ embeddings.T, (labels[:, None] == labels) & present, present


def _leads(scores: Tensor) -> Tensor:
    return scores.unsqueeze(1) - scores.unsqueeze(2)


def _ap_loss(above: Tensor, positives_above: Tensor, positive: Tensor) -> Tensor:
    share = (1 + positives_above) / (1 + above)
    return 1 - ((share * positive).sum(1) / positive.sum(1)).mean()
