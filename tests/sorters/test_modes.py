"""Every sorter, shipped or fresh, gives its plain float32 result in every mode of torch, in range and finite at every magnitude."""

import contextlib
import copy
import math

import pytest
import torch

import rankbook as rb
from metrics.cases import METRICS, lists, remembering
from modes import MODES
from rankbook.sorters.checkpoints import shipped_names
from sorters.models import SMALL, small

SORTERS = {kind.__name__: lambda kind=kind: small(kind) for kind in SMALL} | {
    name: lambda name=name: rb.load_sorter(name) for name in shipped_names()
}
every_sorter = pytest.mark.parametrize("name", SORTERS)


def scores_for(sorter, lists=3):
    return torch.randn(lists, sorter.length or 14, generator=torch.Generator().manual_seed(5))


def passes(sorter, scores, where=None, around=contextlib.nullcontext, weights=True):
    """Ranks, and the gradients of a weighted sum of them, forward and backward inside of a mode."""
    scores = scores.detach().clone().requires_grad_()
    sorter.requires_grad_(weights)
    pull = torch.arange(scores.shape[-1], device="cpu", dtype=torch.float32).sub(3)
    with around():
        ranks = sorter(scores, where=where)
        (ranks * pull).sum().backward()
    grads = [scores.grad, *(value.grad for value in sorter.parameters())]
    sorter.zero_grad(set_to_none=True)
    return ranks.detach(), grads


# --- range


@every_sorter
@pytest.mark.parametrize("masked", [False, True])
def test_ranks_are_in_range_and_the_gradient_is_that_of_the_network(name, masked):
    """Whatever the network says: here a thousand times as much, from the middle of the list."""
    sorter, wild = SORTERS[name](), SORTERS[name]()
    inner = wild.rank_lists

    def loud(scores, present):
        ranks = inner(scores, present)
        return scores.shape[-1] / 2 + 1000 * (ranks - ranks.detach().mean())

    wild.rank_lists = loud
    scores = scores_for(sorter, 20)
    where = torch.arange(scores.shape[-1]) % 4 > 0 if masked else None
    count = scores.shape[-1] if where is None else int(where.sum())
    ranks, (grad, *_) = passes(wild, scores, where)
    present = ranks if where is None else ranks[:, where]
    assert present.min() == 0.5 and present.max() == count + 0.5  # both ends are reached, none is passed
    assert where is None or (ranks[:, ~where] == count + 1).all()
    _, (plain, *_) = passes(sorter, scores, where)
    torch.testing.assert_close(grad / 1000, plain, rtol=1e-4, atol=1e-5 * plain.abs().max().item())


@every_sorter
def test_inside_of_the_range_nothing_changes(name):
    sorter = SORTERS[name]()
    scores = scores_for(sorter)
    with torch.no_grad():
        inner, ranks = sorter.rank_lists(scores, None), sorter(scores)
    inside = (inner >= 0.5) & (inner <= scores.shape[-1] + 0.5)
    assert torch.equal(ranks[inside], inner[inside])


@every_sorter
def test_every_metric_is_defined(name):
    """Of 200 lists of normal scores: an LSTM without the clamp gives a sixth of them no NDCG."""
    sorter = SORTERS[name]()
    scores, relevance = lists(200, sorter.length or 14, dtype=torch.float32)
    rank_fn = remembering(sorter)
    for case in METRICS:
        assert rb.as_loss(case.metric, rank_fn)(scores, relevance).isfinite(), case


# --- modes of torch


@every_sorter
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("masked", [False, True])
def test_a_mode_of_torch_changes_no_bit(name, mode, masked):
    """Of the ranks, of the gradient of the scores and of that of the weights."""
    sorter = SORTERS[name]()
    scores = scores_for(sorter)
    where = torch.arange(scores.shape[-1]) != 3 if masked else None
    ranks, grads = passes(sorter, scores, where)
    found, found_grads = passes(sorter, scores, where, MODES[mode])
    assert found.dtype == torch.float32 and torch.equal(found, ranks)
    for ours, theirs in zip(found_grads, grads, strict=True):
        assert ours is theirs is None or torch.equal(ours, theirs)


def test_a_network_under_autocast_would_be_seen():
    """The comparison above can fail."""
    network, x = torch.nn.Sequential(torch.nn.Linear(14, 14)), torch.randn(3, 14)
    with MODES["autocast bfloat16"]():
        assert (network(x) - x @ network[0].weight.T.detach()).dtype == torch.bfloat16 or not torch.equal(network(x).float(), network(x))


@every_sorter
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__)
def test_without_gradients(name, mode):
    sorter = SORTERS[name]()
    scores = scores_for(sorter)
    with mode(), MODES["autocast bfloat16"]():
        ranks = sorter(scores)
    assert torch.equal(ranks, sorter(scores).detach())


@every_sorter
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_dtypes_of_the_scores(name, dtype):
    """What comes in is taken as it is: the ranks are those of the same numbers in single precision."""
    sorter = SORTERS[name]()
    scores = scores_for(sorter).to(dtype)
    ranks, (grad, *_) = passes(sorter, scores)
    expected, (plain, *_) = passes(sorter, scores.float())
    assert ranks.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(ranks.float(), expected)
    assert grad.dtype == dtype
    torch.testing.assert_close(grad, plain.to(dtype))


# --- magnitudes


@every_sorter
@pytest.mark.parametrize("exponent", [-45, -38, -30, -15, 0, 15, 30, 38])
@pytest.mark.parametrize("masked", [False, True])
def test_any_magnitude_has_finite_ranks_and_gradients(name, exponent, masked):
    sorter = SORTERS[name]()
    unit = scores_for(sorter).double()
    unit = unit / unit.abs().max()
    scores = (unit * 3.4 * 10.0**exponent).float()
    where = torch.arange(scores.shape[-1]) != 3 if masked else None
    ranks, grads = passes(sorter, scores, where)
    assert ranks.isfinite().all() and all(grad is None or grad.isfinite().all() for grad in grads)
    assert ranks.min() >= 0.5 and ranks.max() <= scores.shape[-1] + 0.5
    standardized = getattr(sorter, "standardized", True)
    if standardized and -30 <= exponent <= 30:
        torch.testing.assert_close(ranks, passes(sorter, unit.float(), where)[0], rtol=1e-3, atol=1e-2)


@every_sorter
def test_a_list_of_one_item_has_rank_1_and_no_gradient(name):
    sorter = SORTERS[name]()
    n = sorter.length or 1
    scores = torch.randn(4, n)
    ranks, (grad, *_) = passes(sorter, scores, torch.arange(n) == n - 1)
    assert (ranks[:, n - 1] == 1).all() and (ranks[:, : n - 1] == 2).all()
    assert (grad == 0).all()


# --- second order


@every_sorter
@pytest.mark.parametrize("masked", [False, True])
def test_sorters_differentiate_twice(name, masked):
    """A gradient penalty, against finite differences of the gradient in a random direction."""
    sorter = SORTERS[name]().double().requires_grad_(False)
    n = sorter.length or 14
    scores = torch.randn(2, n, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).requires_grad_()
    where = torch.arange(n) != 3 if masked else None
    way = torch.randn(2, n, dtype=torch.float64, generator=torch.Generator().manual_seed(6))

    def gradient(scores, **more):
        return torch.autograd.grad((sorter(scores, where=where) * torch.arange(n)).sum(), scores, **more)[0]

    (ours,) = torch.autograd.grad((gradient(scores, create_graph=True) * way).sum(), scores, allow_unused=True)
    assert ours is not None and ours.isfinite().all()
    if type(sorter) is rb.MLPSorter and not sorter.standardized:
        assert (ours == 0).all()  # ReLU: linear in pieces
        return
    if masked or not isinstance(sorter, rb.BiLSTMSorter):
        return  # deviation, widths, absent items are constants for each derivative: no finite difference is the second one
    step = 1e-5
    difference = sum(sign * (gradient(scores + sign * step * way) * way).sum() for sign in (1, -1)) / (2 * step)
    assert (ours * way).sum().item() == pytest.approx(difference.item(), rel=1e-3, abs=1e-6)


@every_sorter
def test_twice_under_autocast(name):
    """The graph of the gradient leads through scores and weights there too."""
    sorter = SORTERS[name]()

    def penalty(around):
        sorter.requires_grad_(True)
        scores = scores_for(sorter).requires_grad_()
        with around():
            (grad,) = torch.autograd.grad(sorter(scores).square().sum(), scores, create_graph=True)
        weights = [scores, *sorter.parameters()]
        return [grad, *torch.autograd.grad(grad.square().sum(), weights, allow_unused=True)]

    for ours, theirs in zip(penalty(MODES["autocast bfloat16"]), penalty(contextlib.nullcontext), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:  # the same sums in another order
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5 * theirs.abs().max().item())


# --- the others that take sorters


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.startswith("default")])
def test_measures_do_not_see_the_defaults(mode):
    sorter = rb.load_sorter("knots")
    scores = scores_for(sorter)

    def measured():
        return [
            rb.rank_error(sorter, scores),
            torch.tensor(rb.rank_descent(sorter, n=10, lists=2, steps=3), device="cpu", dtype=torch.float32),
            rb.gradient_cosine(sorter, rb.load_sorter("kernel"), scores),
        ]

    expected = measured()
    with MODES[mode]():
        found = measured()
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.startswith("default")])
@pytest.mark.parametrize("guidance", [0.0, 0.1])
def test_training_does_not_see_the_defaults(mode, guidance):
    def trained(around):
        sorter = small(rb.KernelSorter)
        with around():
            rb.train_sorter(sorter, steps=3, n=(4, 9), batch=3, guidance=guidance)
        return sorter.state_dict().values()

    for ours, theirs in zip(trained(MODES[mode]), trained(contextlib.nullcontext), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__)
def test_what_trains_and_measures_does_so_without_gradients_around_it(mode):
    sorter, scores = small(rb.KnotSorter), torch.randn(4, 9)
    other, mine = rb.KernelSorter(), [copy.deepcopy(sorter) for _ in range(2)]  # what is made in inference mode could not learn
    wrapped = rb.UpdatingSorter(copy.deepcopy(sorter))
    twin = rb.UpdatingSorter(copy.deepcopy(sorter))

    def everything(wrapped):
        error = [wrapped(scores), wrapped(scores + 1), wrapped.update()][-1]
        loss = rb.train_sorter(mine.pop(), steps=2, n=5, batch=2)["loss"].item()
        cosine = rb.gradient_cosine(sorter, other, scores)
        return [error, loss, rb.rank_descent(sorter, n=5, lists=2, steps=2), *cosine.tolist()]

    expected = everything(twin)
    with mode():
        found = everything(wrapped)
        wrapped(scores)
    assert found == expected
    assert math.isfinite(wrapped.update())  # what it remembered in there it can learn from out here


# --- compiled and transformed


@pytest.mark.parametrize("architecture", SMALL, ids=lambda kind: kind.__name__)
def test_transforms_of_torch(architecture):
    """A recurrent network is refused by torch itself, which has no rule for one."""
    sorter = small(architecture).requires_grad_(False)
    scores = scores_for(sorter)
    ranks = sorter(scores)
    rows = torch.stack([torch.autograd.functional.jacobian(sorter, row) for row in scores[:1]])
    torch.testing.assert_close(torch.func.jacrev(sorter)(scores[0]), rows[0], rtol=1e-4, atol=1e-4 * rows.abs().max().item())
    compiled = torch.compile(sorter, fullgraph=True, backend="eager")
    if architecture in (rb.BiLSTMSorter, rb.BiGRUSorter):
        with pytest.raises(RuntimeError, match="Batching rule not implemented"):
            torch.func.vmap(sorter)(scores)
        with pytest.raises(torch._dynamo.exc.Unsupported, match="LSTM"):
            compiled(scores)
    else:
        torch.testing.assert_close(torch.func.vmap(sorter)(scores), ranks)
        torch.testing.assert_close(compiled(scores), ranks)
