"""What the architectures say about themselves: lengths, formulas, limits. What all rankers promise is in tests/ranks."""

import pytest
import torch

import rankbook as rb
import rankbook.sorters
from sorters.models import SMALL, small

every_sorter = pytest.mark.parametrize("architecture", SMALL, ids=lambda kind: kind.__name__)
fixed_length = pytest.mark.parametrize("architecture", [a for a in SMALL if "n" in SMALL[a]], ids=lambda kind: kind.__name__)


def test_every_public_name_is_at_the_top():
    assert set(rankbook.sorters.__all__) <= set(rb.__all__)
    for name in rankbook.sorters.__all__:
        assert getattr(rb, name) is getattr(rankbook.sorters, name)
    assert rb.sorters is rankbook.sorters


def test_every_architecture_is_under_test():
    assert set(SMALL) == set(rb.Sorter.__subclasses__()) - {rankbook.sorters.fixed._OrderedSorter} | set(
        rankbook.sorters.fixed._OrderedSorter.__subclasses__()
    )


@fixed_length
def test_another_length_is_refused_with_the_remedy(architecture):
    sorter = small(architecture)
    n = sorter.length
    for other in (n - 1, n + 1):
        with pytest.raises(ValueError, match=f"scores must have {n} items in each list.*{architecture.__name__}.*got {other}.*n={other}"):
            sorter(torch.randn(2, other))


def test_sizes_that_cannot_be_built():
    with pytest.raises(ValueError, match="n must be more than 36"):
        rb.ConvSorter(n=36)
    assert rb.ConvSorter(n=37).eval()(torch.randn(2, 37)).shape == (2, 37)
    with pytest.raises(ValueError, match="heads must divide hidden, got hidden=10 and heads=4"):
        rb.SetTransformerSorter(hidden=10)


LIMITS = {
    "as large as float32 goes": torch.tensor([3e38, -3e38, 3.4e38, 0.0, 1.0], dtype=torch.float32),
    "all the largest": torch.full((5,), torch.finfo(torch.float32).max),
    "larger than the weights go": torch.tensor([1e300, -1e300, 1.7e308, 0.0, 1.0], dtype=torch.float64),
    "too close for a gradient": torch.tensor([1e-38, -2e-39, 1e-40, 0.0, 3e-38], dtype=torch.float32),
    "smaller than the weights go": torch.tensor([1e-300, -1e-300, 2e-300, 0.0, 1e-310], dtype=torch.float64),
}


@every_sorter
@pytest.mark.parametrize("limit", LIMITS)
def test_no_nan_at_the_limits_of_the_dtype(architecture, limit):
    sorter = small(architecture)
    n = sorter.length or 10
    scores = LIMITS[limit].repeat(n // 5 + 1)[:n].requires_grad_()
    for where in (None, torch.arange(n) != 3):
        ranks = sorter(scores, where=where)
        (grad,) = torch.autograd.grad((torch.arange(n) * ranks).sum(), scores)
        assert ranks.isfinite().all()
        assert grad.isfinite().all()


def test_scores_beyond_the_weights_keep_their_order():
    scores = torch.tensor([1e300, -1e300, 3e300, 0.0], dtype=torch.float64)
    torch.testing.assert_close(rb.KernelSorter()(scores), rb.KernelSorter()(scores / 1e300))


@every_sorter
def test_no_list_at_all(architecture):
    sorter = small(architecture)
    assert sorter(torch.zeros(2, 0, sorter.length or 5)).shape == (2, 0, sorter.length or 5)


@pytest.mark.parametrize("architecture", [a for a in SMALL if "n" not in SMALL[a] or a is rb.BiLSTMSorter], ids=lambda kind: kind.__name__)
def test_evaluation_mode_changes_nothing_without_batch_normalization(architecture):
    sorter = small(architecture)
    scores = torch.randn(3, sorter.length or 8)
    expected = sorter(scores)
    assert torch.equal(sorter.train()(scores), expected)


@pytest.mark.parametrize("architecture", [rb.BiLSTMSorter, rb.BiGRUSorter], ids=lambda kind: kind.__name__)
def test_recurrent_layers_stay_in_the_mode_in_which_cudnn_has_a_backward_pass(architecture):
    sorter = torch.nn.Sequential(small(architecture)).eval()[0]
    assert not sorter.training
    assert all(layer.training for layer in sorter.modules() if isinstance(layer, torch.nn.RNNBase))


def test_batch_normalization_mixes_lists_in_training_mode_only():
    sorter = small(rb.ConvSorter)
    scores = torch.randn(4, 40)
    torch.testing.assert_close(sorter(scores)[:2], sorter(scores[:2]))
    sorter.train()
    assert not torch.allclose(sorter(scores)[:2], sorter(scores[:2]))


def test_kernel_sorter_equals_its_formula():
    sorter = small(rb.KernelSorter).double()
    scores = torch.randn(7, dtype=torch.float64)
    z = (scores - scores.mean()) / scores.std(correction=0)
    widths = sorter.log_widths(z[None], None)[0].exp()
    p = 1 + torch.nn.functional.softplus(sorter.power).item()
    for i, rank in enumerate(sorter(scores).tolist()):
        expected = 0.5
        for j in range(7):
            u = ((z[j] - z[i]) / (widths[i] * widths[j]).sqrt()).item()
            expected += 0.5 + u / (2 * (1 + abs(u) ** p) ** (1 / p))
        assert rank == pytest.approx(expected, abs=1e-8)


def test_kernel_widths_follow_the_gaps():
    """First widths are the spacing of the four nearest items on each side: on an even grid all the same inside."""
    widths = rb.KernelSorter().log_widths(torch.arange(20.0)[None], None).exp()[0]
    torch.testing.assert_close(widths, torch.ones(20))
    uneven = torch.cat([torch.arange(10.0), 9 + 3 * torch.arange(1.0, 11)])
    widths = rb.KernelSorter().log_widths(uneven[None], None).exp()[0]
    torch.testing.assert_close(widths[[0, 4, 15, 19]], torch.tensor([1.0, 1.0, 3.0, 3.0]))


def test_knot_sorter_equals_its_formula():
    sorter = small(rb.KnotSorter).double()
    scores = torch.randn(7, dtype=torch.float64)
    z = (scores - scores.mean()) / scores.std(correction=0)
    a, b = sorter.log_count_slope.exp(), sorter.log_read_slope.exp()
    counts = sum(torch.sigmoid(a * (z_j - sorter.place)) for z_j in z)
    for i in range(7):
        shares = torch.softmax(sorter.weight - b**2 * (z[i] - sorter.place) ** 2, 0)
        torch.testing.assert_close(sorter(scores)[i], 0.5 + (shares * counts).sum())


def test_networks_that_know_no_mask_see_absent_items_below():
    sorter = small(rb.MLPSorter)
    scores = torch.linspace(1, 0, 12)
    where = torch.arange(12) < 9
    seen = torch.cat([scores[:9], scores[8] - (scores[0] - scores[8]) / 12 * torch.arange(1, 4)])
    torch.testing.assert_close(sorter(scores, where=where)[:9], sorter(seen)[:9])


def test_kernel_widths_that_vanish_do_not_overflow():
    """As they may for absent items, whose spacings are none that a training shows."""
    sorter = small(rb.KernelSorter)
    with torch.no_grad():
        sorter.widths[-1].bias.fill_(-200.0)
    scores = torch.randn(3, 12).requires_grad_()
    for where in (None, torch.arange(12) % 3 > 0):
        ranks = sorter(scores, where=where)
        (grad,) = torch.autograd.grad((torch.arange(12) * ranks).sum(), scores)
        assert ranks.isfinite().all()
        assert grad.isfinite().all()
