"""The hash loss: by a loop over pairs, its two published margins, balance, and what it refuses."""

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from modes import MODES

LABELS = torch.tensor([0, 1, 0, 2, 1, 0])


def codes(bits=8, dtype=torch.float64):
    return torch.randn(6, bits, dtype=dtype)


def by_loops(h, labels, margin, alpha, balanced):
    same, other = [], []
    for i in range(len(h)):
        for j in range(i):
            d = float((h[i] - h[j]).square().sum()) / h.shape[1]
            (same if labels[i] == labels[j] else other).append(0.5 * d if labels[i] == labels[j] else 0.5 * max(margin - d, 0.0))
    off = float((h.abs() - 1).abs().mean())
    pairs = sum(same + other) / len(same + other)
    if balanced:
        pairs = (sum(same) / len(same) + sum(other) / len(other)) / 2
    return pairs + alpha * off


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("margin", [0.5, 2.0])
def test_by_loops(margin, balanced):
    h = codes()
    loss = rb.PairwiseHashLoss(margin, quantization=0.1, balanced=balanced)
    assert loss(h, LABELS).item() == pytest.approx(by_loops(h, LABELS, margin, 0.1, balanced), abs=1e-12)
    assert torch.autograd.gradcheck(lambda x: loss(x, LABELS), h.requires_grad_())


def test_the_sum_is_that_of_all_pairs_and_of_all_numbers():
    h = codes()
    pairs = rb.PairwiseHashLoss(quantization=0.0)
    whole, mean = rb.PairwiseHashLoss(reduction="sum"), rb.PairwiseHashLoss()
    assert_close(whole(h, LABELS), 15 * pairs(h, LABELS) + 0.01 * (h.abs() - 1).abs().sum())
    assert_close(mean(h, LABELS), pairs(h, LABELS) + 0.01 * (h.abs() - 1).abs().mean())


def test_separated_codes_cost_nothing_by_half_of_the_bits_and_push_for_ever_by_the_released_margin():
    """Sixteen bits, two classes that differ in all of them; d is 4, the released margin 8."""
    bits = torch.ones(16, dtype=torch.float64)
    h = torch.stack([bits, bits, -bits, -bits]).requires_grad_()
    labels = torch.tensor([0, 0, 1, 1])
    assert rb.PairwiseHashLoss()(h, labels) == 0
    released = rb.PairwiseHashLoss(margin=0.5 * 16, quantization=0.01)
    (push,) = torch.autograd.grad(released(h, labels), h)
    assert released(h, labels).item() == pytest.approx(4 * 0.5 * (8 - 4) / 6)
    assert (push * h < 0).all()  # larger numbers would lower the loss, beyond 1


def test_a_batch_of_one():
    h = torch.tensor([[0.5, -2.0]], requires_grad=True)
    with pytest.warns(UserWarning, match="a batch of one item has no pair"):
        loss = rb.PairwiseHashLoss()(h, torch.tensor([0]))
    assert loss.item() == pytest.approx(0.01 * 0.75)


@pytest.mark.parametrize("mode", MODES)
def test_the_modes_of_torch_change_nothing(mode):
    h = codes(dtype=torch.float32).requires_grad_()

    def measured():
        loss = rb.PairwiseHashLoss(balanced=True)(h, LABELS)
        return loss.detach(), torch.autograd.grad(loss, h)[0]

    expected = measured()
    with MODES[mode]():
        found = measured()
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, rtol=0, atol=1e-6)


def test_what_it_refuses():
    with pytest.raises(ValueError, match="margin must be a finite number above 0"):
        rb.PairwiseHashLoss(0.0)
    with pytest.raises(ValueError, match="labels"):
        rb.PairwiseHashLoss()(codes(), LABELS[:4])
