"""The loss of matching pairs: by loops, its margin in places, what is a negative and what is not, what it refuses."""

from functools import partial

import numpy as np
import pytest
import torch

import oracles
import rankbook as rb

SMOOTH = partial(rb.sigmoid_ranks, tau=0.3)
SHARP = partial(rb.sigmoid_ranks, tau=1e-4)


def by_loops(scores, margin, where=None):
    """Both directions: the rows of the matrix, and its columns; absent items are in no list."""
    total, b = 0.0, len(scores)
    where = [[True] * b] * b if where is None else where.tolist()
    for matrix, mask in ((scores.tolist(), where), (scores.T.tolist(), list(zip(*where, strict=True)))):
        for i in range(b):
            items = [c for c in range(b) if mask[i][c]]
            ranks = {c: oracles.rank(c, items, matrix[i], oracles.sigmoid(0.3)) for c in items}
            worst = max((margin + ranks[i] - ranks[c] for c in items if c != i), default=0.0)
            total += max(0.0, worst) / len(items)
    return total / (2 * b)


def with_gradient(loss, scores, **kwargs):
    scores = scores.clone().requires_grad_()
    value = loss(scores, **kwargs)
    return value.detach(), torch.autograd.grad(value, scores)[0]


@pytest.mark.parametrize("margin", [0.0, 1.0, 2.5])
def test_by_loops(margin):
    scores = torch.randn(5, 5, dtype=torch.float64)
    where = (torch.rand(5, 5) < 0.7) | torch.eye(5, dtype=torch.bool)
    where[3] = where[:, 3] = torch.arange(5) == 3  # a pair without a negative
    loss = rb.HardNegativeRankLoss(SMOOTH, margin=margin)
    for mask in (None, where):
        assert loss(scores, where=mask).item() == pytest.approx(by_loops(scores, margin, mask), abs=1e-12)
        assert torch.autograd.gradcheck(partial(loss, where=mask), scores.clone().requires_grad_())
    _, grad = with_gradient(loss, scores, where=where)
    assert (grad[~where] == 0).all()


@pytest.mark.parametrize("b", [2, 16, 200])
def test_the_default_margin_is_reached_by_the_right_order_at_any_size(b):
    scores = torch.rand(b, b, dtype=torch.float64) + 2 * torch.eye(b, dtype=torch.float64)
    assert rb.HardNegativeRankLoss(rb.exact_ranks)(scores).item() == 0
    assert rb.HardNegativeRankLoss(rb.exact_ranks, margin=0.2 * b + 1)(scores).item() == pytest.approx(0.2)


def test_a_second_copy_is_no_negative():
    """Captions 0 and 1 are the same; so are images 0 and 1, or not."""
    scores = torch.randn(6, 6, dtype=torch.float64)
    scores[:, 1] = scores[:, 0]
    where = torch.ones(6, 6, dtype=torch.bool)
    where[0, 1] = where[1, 0] = False
    loss = rb.HardNegativeRankLoss(SMOOTH)
    for matrix in (scores, scores.T.contiguous()):
        assert loss(matrix).item() == pytest.approx(by_loops(matrix, 1.0, where), abs=1e-12)
    scores[1] = scores[0]
    assert loss(scores).item() == pytest.approx(by_loops(scores, 1.0, where), abs=1e-12)
    duplicates = torch.tensor([[0.9, 0.9, 0.1], [0.9, 0.9, 0.1], [0.1, 0.1, 0.9]])
    assert rb.HardNegativeRankLoss(SHARP)(duplicates).item() == 0
    with rb.checks.off():
        assert loss(scores).item() == pytest.approx(by_loops(scores, 1.0, where), abs=1e-12)


def test_copies_are_found_and_nothing_else_is():
    """Numbers with few bits and columns that differ in one entry, or in their order only, are different captions."""
    scores = torch.randint(3, (64, 64)).float() / 4
    scores[:, 7] = scores[:, 3]
    scores[:, 9] = scores[:, 3]
    scores[5, 9] += 0.25
    scores[:, 11] = scores[:, 3].roll(1)
    scores[0, 7], scores[0, 3] = 0.0, -0.0  # the same number
    marks = rb.losses.hard_negatives._marks(scores.T)
    equal = (scores.T[:, None] == scores.T).all(-1)
    assert torch.equal(marks[:, None] == marks, equal)
    assert equal.sum() == 66


def test_a_collapsed_model_is_not_perfect():
    loss = rb.HardNegativeRankLoss(SMOOTH)
    assert loss(torch.full((4, 4), 0.5)).item() == pytest.approx(1 / 4)
    rows = torch.rand(4, 1).expand(4, 4)  # all captions in one point: each list of captions is one tie
    assert loss(rows).item() > 1 / 8


@pytest.mark.parametrize("shape", [(1, 1), (3,), (3, 4), (2, 3, 3)])
def test_it_wants_a_square(shape):
    with pytest.raises(ValueError, match="scores must be square"):
        rb.HardNegativeRankLoss(SMOOTH)(torch.rand(shape))


def test_the_pairs_themselves_are_there():
    where = torch.ones(3, 3, dtype=torch.bool)
    where[1, 1] = False
    with pytest.raises(ValueError, match=r"where must be True on its diagonal.*where\[1, 1\] is False; leave the pair out"):
        rb.HardNegativeRankLoss(SMOOTH)(torch.rand(3, 3), where=where)


@pytest.mark.parametrize(
    ("margin", "error"), [(-0.1, ValueError), (torch.nan, ValueError), (torch.inf, ValueError), ("0.2", ValueError), (None, TypeError)]
)
def test_bad_margin(margin, error):
    with pytest.raises(error, match="margin must be a finite number of at least 0, got"):
        rb.HardNegativeRankLoss(SMOOTH, margin=margin)
    assert rb.HardNegativeRankLoss(SMOOTH, margin=np.float32(0.5)).margin == 0.5
