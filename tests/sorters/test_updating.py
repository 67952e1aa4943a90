"""A sorter that learns from what passes through: when it learns, from what, and when not."""

import copy
import io
from functools import partial

import pytest
import torch

import rankbook as rb
from sorters.models import SMALL, small

every_sorter = pytest.mark.parametrize("architecture", SMALL, ids=lambda kind: kind.__name__)


def weights_of(module):
    return {name: value.clone() for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def updating(architecture=rb.KnotSorter, **more):
    return rb.UpdatingSorter(small(architecture), **{"lr": 1e-3, **more})


def crowded(*shape):
    """Most scores near 0, a few near 1: unlike the synthetic ones."""
    return torch.rand(shape) ** 6


@every_sorter
@pytest.mark.parametrize("training", [True, False])
def test_it_ranks_as_the_sorter_alone(architecture, training):
    sorter = small(architecture)
    wrapped = rb.UpdatingSorter(copy.deepcopy(sorter)).train(training)
    scores = torch.randn(4, sorter.length or 9)
    where = torch.rand(scores.shape) < 0.7
    torch.testing.assert_close(wrapped(scores), sorter(scores))  # torch runs a frozen GRU by another kernel
    torch.testing.assert_close(wrapped(scores, scores > 0, where=where), sorter(scores, where=where))


@every_sorter
def test_updates_lower_the_error_on_what_passes_through(architecture):
    """In evaluation mode throughout: the statistics of a batch normalization stay."""
    wrapped = updating(architecture, lr=3e-3)
    buffers = {name: value.clone() for name, value in wrapped.sorter.named_buffers()}
    n = wrapped.sorter.length or 20
    scores = crowded(8, n)
    before = rb.rank_error(wrapped.sorter, scores).mean()
    for _ in range(40):
        wrapped(scores)
        wrapped.update()
    assert rb.rank_error(wrapped.sorter, scores).mean() < 0.95 * before
    assert all(torch.equal(value, buffers[name]) for name, value in wrapped.sorter.named_buffers())


def test_an_update_is_an_adam_step_of_the_error_for_each_batch():
    wrapped, twin = updating(), small(rb.KnotSorter)
    adam = torch.optim.Adam(twin.parameters(), lr=1e-3)
    batches = [crowded(3, 8), crowded(2, 5, 11), crowded(7)]  # of different shapes and lengths
    for _ in range(2):  # Adam remembers from update to update
        errors = []
        for scores in batches:
            wrapped(scores)
            n = scores.shape[-1]
            error = (twin(scores) - rb.exact_ranks(scores, ties="average")).abs().mean() / n
            adam.zero_grad()
            error.backward()
            adam.step()
            errors.append(error.item())
        assert wrapped.update() == pytest.approx(sum(errors) / 3, abs=1e-6)
    torch.testing.assert_close(weights_of(wrapped.sorter), weights_of(twin))


def test_masked_lists_teach_as_the_lists_without_the_others():
    wrapped, twin = updating(), updating()
    scores = crowded(3, 10)
    where = torch.zeros(3, 10, dtype=torch.bool)
    where[:2, [0, 2, 3, 7]] = True  # the third list is empty
    scores[~where] = torch.nan
    wrapped(scores, where=where)
    twin(scores[:2, [0, 2, 3, 7]])
    assert wrapped.update() == pytest.approx(twin.update(), abs=1e-6)
    torch.testing.assert_close(weights_of(wrapped.sorter), weights_of(twin.sorter))


def test_only_empty_lists_teach_nothing():
    wrapped = updating()
    before = weights_of(wrapped.sorter)
    wrapped(torch.randn(2, 5), where=torch.zeros(5, dtype=torch.bool))
    assert wrapped.update() == 0
    assert same(weights_of(wrapped.sorter), before)


def test_an_update_forgets():
    wrapped = updating()
    wrapped(crowded(3, 8))
    wrapped.update()
    with pytest.raises(RuntimeError, match=r"nothing is remembered: pass scores .* in training mode .* try sorter\.train\(\)"):
        wrapped.update()


def test_it_remembers_in_training_mode_only():
    wrapped = updating().eval()
    wrapped(crowded(3, 8))
    with pytest.raises(RuntimeError, match="nothing is remembered"):
        wrapped.update()


def test_it_remembers_the_newest_lists_and_no_more():
    wrapped, twin = updating(lists=5), updating(lists=100)
    first, second, third = crowded(3, 8), crowded(3, 8), crowded(2, 9)
    for scores in (first, second, third):
        wrapped(scores)
    for scores in (second, third):
        twin(scores)
    assert wrapped.update() == twin.update()
    assert same(weights_of(wrapped.sorter), weights_of(twin.sorter))
    large = crowded(20, 8)
    wrapped(large)
    twin(large[-5:])
    assert wrapped.update() == twin.update()


def test_what_it_remembers_is_a_copy():
    wrapped, twin = updating(), updating()
    scores = crowded(3, 8)
    twin(scores.clone())
    wrapped(scores)
    scores.zero_()
    assert wrapped.update() == twin.update()


def test_what_the_sorter_refuses_is_not_remembered():
    wrapped = updating(rb.MLPSorter)
    with pytest.raises(ValueError, match="scores must have 12 items"):
        wrapped(crowded(2, 5))
    with pytest.raises(RuntimeError, match="nothing is remembered"):
        wrapped.update()


def test_half_precision():
    wrapped = updating()
    scores = crowded(3, 8).bfloat16()
    assert wrapped(scores).dtype == torch.float32
    assert wrapped.update() > 0


def test_the_loss_of_the_task_does_not_reach_the_sorter():
    model = torch.nn.Linear(4, 1)
    wrapped = updating()
    loss_fn = rb.RankLoss(rb.average_precision, wrapped)
    adam = torch.optim.Adam([*model.parameters(), *loss_fn.parameters()], lr=0.1)
    before = weights_of(wrapped.sorter)
    loss_fn(model(torch.randn(2, 10, 4)).squeeze(-1), torch.rand(2, 10) < 0.5).backward()
    assert all(weights.grad is not None and weights.grad.abs().max() > 0 for weights in [model.weight])
    assert all(weights.grad is None for weights in wrapped.parameters())
    adam.step()
    assert same(weights_of(wrapped.sorter), before)
    wrapped.update()
    assert not same(weights_of(wrapped.sorter), before)
    assert all(weights.grad is None and not weights.requires_grad for weights in wrapped.parameters())


def test_unless_it_is_wanted():
    """Whoever unfreezes the sorter gets the gradient of the task, and an update leaves that alone."""
    wrapped = updating()
    wrapped.requires_grad_(True)
    scores = crowded(2, 10)
    rb.RankLoss(rb.average_precision, wrapped)(scores, scores > 0.3).backward()
    task = [weights.grad.clone() for weights in wrapped.parameters()]
    assert any(grad.abs().max() > 0 for grad in task)
    wrapped.update()
    for weights, grad in zip(wrapped.parameters(), task, strict=True):
        assert weights.requires_grad
        assert torch.equal(weights.grad, grad)


def test_an_update_without_gradients_around_it():
    wrapped = updating()
    before = weights_of(wrapped.sorter)
    with torch.no_grad():
        wrapped(crowded(3, 8))
        wrapped.update()
    assert not same(weights_of(wrapped.sorter), before)


def test_it_takes_what_load_sorter_returns():
    wrapped = rb.UpdatingSorter(rb.load_sorter("kernel"))
    wrapped(crowded(4, 50))
    assert 0 < wrapped.update() < 0.05


def run(wrapped, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(3):
        wrapped(torch.rand(4, 10, generator=generator) ** 6)
    return wrapped.update()


@pytest.mark.parametrize("through_a_file", [False, True])
def test_resumes_to_the_same_bits(through_a_file):
    """Weights, Adam's moments and what is remembered: all of it is in the state."""
    wrapped = updating()
    run(wrapped, 0)
    wrapped(crowded(2, 7), where=torch.arange(7) < 5)
    state = wrapped.state_dict()
    if through_a_file:
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        state = torch.load(file, weights_only=True)
    resumed = rb.UpdatingSorter(rb.KnotSorter(knots=20), lr=1e-3)
    resumed.load_state_dict(state)
    for seed in (1, 2):
        assert run(resumed, seed) == run(wrapped, seed)
    assert same(weights_of(resumed.sorter), weights_of(wrapped.sorter))


def test_a_copy_learns_on_its_own():
    wrapped = updating()
    run(wrapped, 0)
    other = copy.deepcopy(wrapped)
    before = weights_of(wrapped.sorter)
    run(other, 1)
    assert same(weights_of(wrapped.sorter), before)
    run(wrapped, 1)
    assert same(weights_of(wrapped.sorter), weights_of(other.sorter))


def test_the_moments_follow_the_weights_to_another_dtype():
    wrapped = updating()
    run(wrapped, 0)
    wrapped.double()
    run(wrapped, 1)
    assert next(wrapped.parameters()).dtype == torch.float64


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_sorter
def test_device(architecture):
    wrapped = updating(architecture)
    n = wrapped.sorter.length or 10
    wrapped(crowded(4, n), where=torch.arange(n) != 3)
    wrapped.update()
    wrapped(crowded(4, n), where=torch.arange(n) != 3)  # remembered on the CPU
    wrapped.cuda()
    assert wrapped(crowded(4, n).cuda()).is_cuda
    assert wrapped.update() > 0


def test_errors():
    for bad in (partial(rb.sigmoid_ranks, tau=0.1), torch.nn.ReLU()):
        with pytest.raises(TypeError, match="sorter must be a module with weights"):
            rb.UpdatingSorter(bad)
    with pytest.raises(ValueError, match="lr must be a finite number above 0"):
        rb.UpdatingSorter(rb.KnotSorter(), lr=0)
    with pytest.raises(ValueError, match="lists must be a whole number of at least 1, got 0"):
        rb.UpdatingSorter(rb.KnotSorter(), lists=0)
    assert "lr=0.001, lists=7" in repr(updating(lists=7))
