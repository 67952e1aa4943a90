"""The loss against logged lists: by a loop over its pairs, and what it is when the logged scores are the present ones."""

import math

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from modes import MODES


def samples(n=7, m=5, *, grades=2, dtype=torch.float64):
    scores, list_scores = torch.randn(n, dtype=dtype), torch.randn(n, m, dtype=dtype)
    labels, list_labels = torch.randint(grades, (n,)), torch.randint(grades, (n, m))
    where = torch.rand(n, m) < 0.7
    return scores, labels, list_scores, list_labels, where


def by_loops(scores, labels, list_scores, list_labels, where):
    """Sum and number of the pairs of each sample."""
    found = []
    for i in range(len(scores)):
        terms = []
        for j in range(list_scores.shape[1]):
            if not where[i, j] or labels[i] == list_labels[i, j]:
                continue
            lead = float(scores[i] - list_scores[i, j])
            terms.append(math.log(1 + math.exp(-lead if labels[i] > list_labels[i, j] else lead)))
        found.append((sum(terms), len(terms)))
    return found


@pytest.mark.parametrize("grades", [2, 4])
def test_by_loops(grades):
    *given, where = samples(grades=grades)
    for mask in (torch.ones_like(where), where):
        found = by_loops(*given, mask)
        each = torch.tensor([total for total, _ in found], dtype=torch.float64)
        assert_close(rb.SelfBoostedLoss(reduction="none")(*given, where=mask), each)
        assert_close(rb.SelfBoostedLoss(reduction="sum")(*given, where=mask), each.sum())
        assert_close(rb.SelfBoostedLoss()(*given, where=mask), each.sum() / sum(count for _, count in found))


def test_what_stands_in_the_padding_is_not_looked_at():
    scores, labels, list_scores, list_labels, where = samples()
    clean = rb.SelfBoostedLoss()(scores, labels, list_scores, list_labels, where=where)
    dirty = rb.SelfBoostedLoss()(
        scores, labels, list_scores.masked_fill(~where, torch.nan), list_labels.masked_fill(~where, -1), where=where
    )
    assert torch.equal(clean, dirty)


@pytest.mark.parametrize("grades", [2, 4])
def test_of_present_scores_it_is_ranknet(grades):
    """A whole list in the batch, logged as it is: each pair counts from both sides, and each side gets its own half of the gradient."""
    scores, labels = torch.randn(9, dtype=torch.float64, requires_grad=True), torch.randint(grades, (9,))
    labels[0], labels[1] = 0, 1
    loss = rb.SelfBoostedLoss()(scores, labels, scores.expand(9, 9), labels.expand(9, 9))
    peer = rb.RankNetLoss()(scores, labels)
    assert_close(loss, peer)
    (ours,), (theirs,) = torch.autograd.grad(loss, scores), torch.autograd.grad(peer, scores)
    assert_close(2 * ours, theirs)


def test_logged_scores_get_no_gradient():
    scores, labels, list_scores, list_labels, _ = samples()
    list_scores.requires_grad_()
    assert not rb.SelfBoostedLoss()(scores, labels, list_scores, list_labels).requires_grad
    assert torch.autograd.gradcheck(lambda s: rb.SelfBoostedLoss()(s, labels, list_scores, list_labels), scores.requires_grad_())


def test_without_a_pair():
    scores = torch.randn(3, requires_grad=True)
    with pytest.warns(UserWarning, match="no sample has an item of another label"):
        loss = rb.SelfBoostedLoss()(scores, torch.ones(3), torch.randn(3, 2), torch.ones(3, 2))
    loss.backward()
    assert loss == 0 and (scores.grad == 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_the_modes_of_torch_change_nothing(mode):
    scores, labels, list_scores, list_labels, where = samples(dtype=torch.float32)
    scores.requires_grad_()

    def measured():
        loss = rb.SelfBoostedLoss()(scores, labels, list_scores, list_labels, where=where)
        return loss.detach(), torch.autograd.grad(loss, scores)[0]

    expected = measured()
    with MODES[mode]():
        found = measured()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_what_it_refuses():
    scores, labels, list_scores, list_labels, _ = samples()
    loss = rb.SelfBoostedLoss()
    with pytest.raises(ValueError, match=r"list_scores must be \[n, m\], a list for each of 7 samples, got \(6, 5\)"):
        loss(scores, labels, list_scores[:6], list_labels)
    with pytest.raises(ValueError, match=r"labels must have one label for each score, shape \(7,\), got \(6,\)"):
        loss(scores, labels[:6], list_scores, list_labels)
    with pytest.raises(ValueError, match="list_labels must be >= 0"):
        loss(scores, labels, list_scores, list_labels - 5)
    with pytest.raises(ValueError, match=r"scores must be \[n\]"):
        loss(list_scores, labels, list_scores, list_labels)
