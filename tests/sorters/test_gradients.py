"""A sorter's gradient is that of its ranks while the deviation, the widths and the places of absent items stay where they are.

The clamp to the range of ranks is not part of it: the gradient of what it holds back is that of the network.

Each of them is written down here once more and held, so that finite differences see what the gradient claims to be.
"""

import pytest
import torch

import rankbook as rb
from rankbook.sorters import equivariant, fixed, kernel
from rankbook.sorters import sorter as base
from sorters.models import SMALL, small

STEP = 1e-6
CASES = [(architecture, {}) for architecture in SMALL] + [(kind, {"standardized": True}) for kind in (rb.BiLSTMSorter, rb.MLPSorter)]


def hold(sorter, scores, where, monkeypatch):
    """From now on deviation, widths and absent items are those that ``scores`` have."""
    present = torch.ones_like(scores, dtype=torch.bool) if where is None else where.expand(scores.shape)
    below = scores.masked_fill(~present, torch.inf).amin(-1, keepdim=True)
    above = scores.masked_fill(~present, -torch.inf).amax(-1, keepdim=True)
    absent = below - (above - below) / scores.shape[-1] * (~present).cumsum(-1)
    seen = torch.where(present, scores, absent)  # by the networks that know no mask
    deviation = {
        True: torch.stack([row[here].std(correction=0) for row, here in zip(scores, present, strict=True)]).unsqueeze(-1),
        False: seen.std(-1, correction=0, keepdim=True),
    }

    def standardize(x, present):
        if present is None:
            return (x - x.mean(-1, keepdim=True)) / deviation[where is None]
        mean = (x * present).sum(-1, keepdim=True) / present.sum(-1, keepdim=True)
        return (x - mean) / deviation[True] * present

    monkeypatch.setattr(base, "clamp_straight_through", lambda ranks, count: ranks)
    for module in (equivariant, fixed, kernel):
        monkeypatch.setattr(module, "standardize", standardize)
    monkeypatch.setattr(fixed, "push_absent_below", lambda x, _: torch.where(present, x, absent))
    if isinstance(sorter, rb.KernelSorter):
        cleaned = scores if where is None else torch.where(present, scores, 0.0)
        widths = sorter.log_widths(standardize(cleaned, None if where is None else present), None if where is None else present)
        monkeypatch.setattr(sorter, "log_widths", lambda *_: widths)


@pytest.mark.parametrize(("architecture", "more"), CASES, ids=lambda x: x.__name__ if isinstance(x, type) else "-".join(x))
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_is_the_derivative_at_held_statistics(architecture, more, masked, monkeypatch):
    sorter = small(architecture, **more).double()
    n = sorter.length or 9
    scores = torch.randn(2, n, dtype=torch.float64)
    where = torch.arange(n) != 4 if masked else None
    weights = torch.randn(2, n, dtype=torch.float64)
    ranks = sorter(scores.requires_grad_(), where=where)
    (ours,) = torch.autograd.grad((weights * ranks).sum(), scores)
    scores = scores.detach()

    hold(sorter, scores, where, monkeypatch)
    with torch.no_grad():
        count = n if where is None else int(where.sum())
        held = sorter(scores, where=where)
        clamped = torch.where(torch.ones(n, dtype=torch.bool) if where is None else where, held.clamp(0.5, count + 0.5), count + 1)
        torch.testing.assert_close(clamped, ranks.detach(), rtol=1e-9, atol=1e-9)
        slopes = []
        for item in range(n):
            step = STEP * (torch.arange(n) == item)
            slopes.append((weights * (sorter(scores + step, where=where) - sorter(scores - step, where=where))).sum(-1) / (2 * STEP))
    torch.testing.assert_close(ours, torch.stack(slopes, -1), rtol=1e-4, atol=1e-6 * ours.abs().max().item())


def test_a_gradient_through_the_deviation_would_be_seen(monkeypatch):
    """The comparison above can fail: the plain derivative of the ranks is another."""
    sorter = small(rb.KnotSorter).double()
    scores = torch.randn(9, dtype=torch.float64)
    ranks = sorter(scores.requires_grad_())
    (ours,) = torch.autograd.grad(ranks[0], scores)
    with torch.no_grad():
        steps = STEP * torch.eye(9, dtype=torch.float64)
        plain = (sorter(scores + steps)[:, 0] - sorter(scores - steps)[:, 0]) / (2 * STEP)
    assert (ours - plain).abs().max() > 0.01 * ours.abs().max()
