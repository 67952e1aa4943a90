"""Black-box AP: exact ranks forward, finite differences backward."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_positive
from rankbook.losses.batch_loss import BatchLoss
from rankbook.precision import once_differentiable
from rankbook.ranks.pairs import BLOCK
from rankbook.retrieval.batch import Batch, queries_by_positives, warn_no_positive


class BlackBoxAPLoss(BatchLoss):
    r"""1 - AP with `blackbox_ranks`, on scores that a margin makes harder.

    The scores of the positives are lowered and those of the negatives raised by half of the margin: without it, a right order
    has no gradient even where it is right by a hair.

    Equal to ``as_loss(average_precision, partial(blackbox_ranks, strength=strength))`` on the shifted score matrix. The value
    is the exact 1 - AP of those scores.

    Args:
        strength: :math:`\lambda` of `blackbox_ranks`; larger looks farther for an order that differs.
        margin: in units of the similarity, 0 for none.
        include_query: leave each query in its own gallery, as a positive.

    Cost: :math:`O(B R M)`
    comparisons for :math:`R` positives a query, as only they have an upstream gradient: nothing is sorted.

    Source: RaMBO (1912.03500), values from ROADMAP's baseline. Its code draws half-normal noise for the margin at every call;
    here it is fixed, so that the loss is a function of its input.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.BlackBoxAPLoss()(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.)
    """

    def __init__(self, strength: float = 4.0, margin: float = 0.02, *, include_query: bool = False):
        super().__init__()
        if margin < 0:
            raise ValueError(f"margin must be >= 0, got {margin!r}")
        self.strength, self.margin, self.include_query = check_positive("strength", strength), float(margin), include_query

    def of_batch(self, batch: Batch) -> Tensor:
        return _BlackBoxAP.apply(batch.queries, batch.gallery, batch, self.strength, self.margin, self.include_query)


class _BlackBoxAP(torch.autograd.Function):
    """AP of exact ranks. Backward moves each positive against its gradient, and the ranks that change are the gradient.

    Only positives move, so a negative's rank changes by the number of positives that pass it: comparisons suffice.
    """

    @staticmethod
    def forward(ctx, queries: Tensor, gallery: Tensor, batch: Batch, strength: float, margin: float, include_query: bool) -> Tensor:
        ctx.save_for_backward(queries, gallery)
        ctx.batch, ctx.strength, ctx.margin, ctx.include_query = batch, strength, margin, include_query
        loss, count = queries.new_zeros(()), 0
        for _, _, positives, negatives in _BlackBoxAP.blocks(ctx):
            among, rank = _exact_ranks(positives, negatives)
            loss += len(rank) - (among / rank).mean(1).sum()
            count += len(rank)
        if count == 0:
            warn_no_positive()
        ctx.count = max(count, 1)
        return loss / ctx.count

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_loss: Tensor):
        queries, gallery = ctx.saved_tensors
        grad_queries = torch.zeros_like(queries)
        grad_gallery = grad_queries if ctx.batch.own_gallery else torch.zeros_like(gallery)
        for rows, places, positives, negatives in _BlackBoxAP.blocks(ctx):
            among, rank = _exact_ranks(positives, negatives)
            share = grad_loss / (ctx.count * positives.shape[1])
            to_rank, to_among = share * among / rank.square(), -share / rank  # of 1 - among / rank, two rankings
            moved = positives + ctx.strength * to_rank
            before, after = _ahead(negatives, positives), _ahead(negatives, moved)
            grad = (before - after).sum(1)  # a positive that passes a negative pushes it down by one rank
            change = after.sum(2) - before.sum(2) + _rank_change(positives, moved)
            change += _rank_change(positives, positives + ctx.strength * to_among)
            grad.scatter_(1, places, change).div_(ctx.strength)
            grad_queries.index_add_(0, rows, grad @ gallery)
            grad_gallery.addmm_(grad.T, queries[rows])
        return grad_queries, None if ctx.batch.own_gallery else grad_gallery, None, None, None, None

    @staticmethod
    def blocks(ctx):
        """Yield rows [q], places [q, R], scores of the positives [q, R] and of the gallery [q, m], -inf where not negative."""
        queries, gallery = ctx.saved_tensors if hasattr(ctx, "count") else (ctx.batch.queries, ctx.batch.gallery)
        for rows, places, _ in queries_by_positives(ctx.batch, include_query=ctx.include_query, limit=max(1, BLOCK // len(gallery))):
            for q, at in zip(*(x.split(max(1, BLOCK // (len(gallery) * places.shape[1]))) for x in (rows, places)), strict=True):
                scores = queries[q] @ gallery.T + ctx.margin / 2
                positives = scores.gather(1, at) - ctx.margin
                scores.scatter_(1, at, -torch.inf)
                if ctx.batch.own_gallery and not ctx.include_query:
                    scores.scatter_(1, q[:, None], -torch.inf)
                yield q, at, positives, scores


def _exact_ranks(positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
    """Ranks of the positives among themselves and among all, ties at their last place: [q, R]."""
    among = (positives.unsqueeze(1) >= positives.unsqueeze(2)).sum(2).to(positives.dtype)
    reached = torch.empty(*positives.shape, negatives.shape[1], dtype=positives.dtype, device=positives.device)
    return among, among + torch.ge(negatives.unsqueeze(1), positives.unsqueeze(2), out=reached).sum(2)


def _ahead(others: Tensor, items: Tensor) -> Tensor:
    """1 where the other is ahead of the item, 1/2 at a tie: [q, R, m]."""
    return (others.unsqueeze(1) - items.unsqueeze(2)).sign_().add_(1).mul_(0.5)


def _rank_change(items: Tensor, moved: Tensor) -> Tensor:
    """How the ranks of the items among themselves change when all move, ties at their average."""
    return _ahead(moved, moved).sum(2) - _ahead(items, items).sum(2)
