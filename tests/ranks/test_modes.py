"""The modes of torch change nothing: the plain float32 ranks and gradients come out of each of them, or an error that says why not."""

import inspect
import math
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import rankbook as rb
from modes import MODES, WITHOUT_GRADIENT
from ranks.contract import RANKERS, Ranker
from ranks.test_contract import assert_close, draw, sizes, with_gradient


def drawn_globally(ranker: Ranker) -> Ranker:
    """Perturbed ranks whose noise comes from torch's generator: compilers and vmap know no other."""
    if ranker.name != "perturbed":
        return ranker
    knobs = {"sigma": 0.3, "samples": 8}
    return replace(ranker, soft=lambda scores, relevance=None, *, where=None: rb.perturbed_ranks(scores, where=where, **knobs))


BUILT_IN = [drawn_globally(ranker) for ranker in RANKERS if not ranker.learned]
DIFFERENTIABLE = [ranker for ranker in BUILT_IN if ranker.name != "exact"]
every_built_in = pytest.mark.parametrize("ranker", BUILT_IN, ids=str)


def lists(n):
    """Two lists with graded relevance, and a mask."""
    scores, relevance = draw(2, n)
    where = torch.ones(2, n, dtype=torch.bool)
    where[0, 1] = where[1, 3] = False
    return scores, relevance, where


# ------------------------------------------------------------------ ambient modes


@sizes(9)
@pytest.mark.parametrize("mode", MODES)
def test_ambient_modes_change_nothing(ranker, n, mode):
    scores, relevance, where = lists(n)
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    with MODES[mode]():
        here, grad_here = with_gradient(ranker.soft, scores, relevance, where=where)
    assert torch.equal(here, ranks)
    assert torch.equal(grad_here, grad)


@sizes(9)
@pytest.mark.parametrize("mode", WITHOUT_GRADIENT.values(), ids=WITHOUT_GRADIENT)
def test_no_gradient_modes_change_nothing(ranker, n, mode):
    scores, relevance, where = lists(n)
    ranks = ranker.soft(scores.clone().requires_grad_(), relevance, where=where)
    with mode():
        here = ranker.soft(scores.clone(), relevance, where=where)
    assert torch.equal(here, ranks.detach())
    assert not here.requires_grad


# ------------------------------------------------------------------ the gradient as a linear map


@sizes(9, rankers=[ranker for ranker in RANKERS if ranker.linear])
@pytest.mark.parametrize("scale", [1e-4, 65536.0])
def test_gradient_is_linear_in_the_incoming_gradient(ranker, n, scale):
    """A GradScaler multiplies it by 65536, accumulation divides it: the same direction comes out, times that number."""
    scores, relevance, where = lists(n)
    scores.requires_grad_()
    ranks = ranker.soft(scores, relevance, where=where)
    if not ranks.requires_grad:
        assert ranker.name == "exact"
        return
    weights = torch.randn_like(ranks)
    (grad,) = torch.autograd.grad(ranks, scores, weights, retain_graph=True)
    (scaled,) = torch.autograd.grad(ranks, scores, scale * weights)
    torch.testing.assert_close(scaled / scale, grad, rtol=1e-4, atol=1e-5 * grad.abs().max().item())


@every_built_in
def test_second_derivative_is_right_or_refused(ranker):
    """A gradient penalty must not train on a silent 0."""
    scores, relevance = draw(1, 9, dtype=torch.float64)
    weights = torch.arange(1.0, 10.0, dtype=torch.float64)

    def slope(s, create_graph=False):
        ranks = ranker.soft(s, relevance)
        if not ranks.requires_grad:
            return None
        return torch.autograd.grad((weights * ranks).sum(), s, create_graph=create_graph)[0]

    scores.requires_grad_()
    gradient = slope(scores, create_graph=True)
    if gradient is None:
        assert ranker.name == "exact"
        return
    if ranker.name != "sinkhorn":
        with pytest.raises(NotImplementedError, match=r"differentiable once.*rb\.sinkhorn_ranks"):
            gradient.sum().backward()
        return
    (second,) = torch.autograd.grad((weights * gradient).sum(), scores)
    ahead, behind = (slope((scores + step * weights).detach().requires_grad_()) for step in (1e-6, -1e-6))
    torch.testing.assert_close(second, (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------ other devices


class NoFloat64(TorchDispatchMode):
    """A device without float64, such as Apple's MPS."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if any(isinstance(x, torch.Tensor) and x.dtype == torch.float64 for x in tree_leaves(out)):
            raise TypeError("no float64 on this device")
        return out


class NoHostSync(TorchDispatchMode):
    """A device that must not be waited for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default), "a host waits"
        return func(*args, **(kwargs or {}))


@sizes(9)
def test_devices_without_float64(ranker, n):
    scores, relevance, where = lists(n)
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    with NoFloat64():
        here, grad_here = with_gradient(ranker.soft, scores, relevance, where=where)
    torch.testing.assert_close(here, ranks, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(grad_here, grad, rtol=1e-3, atol=1e-3 * max(1.0, grad.abs().max().item()))


@sizes(9)
def test_no_host_sync_with_checks_off(ranker, n):
    scores, relevance, where = lists(n)
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    with rb.checks.off(), NoHostSync():
        here, grad_here = with_gradient(ranker.soft, scores, relevance, where=where)
    assert torch.equal(here, ranks)
    assert torch.equal(grad_here, grad)
    with pytest.raises(AssertionError, match="a host waits"), NoHostSync():  # the guard has teeth
        ranker.soft(scores, relevance, where=where)


@every_built_in
def test_another_device_without_its_data(ranker):
    """No step hides on the CPU but those that work on numbers: shapes and devices come out right without any."""
    if ranker.name.startswith("projection"):
        pytest.skip("its blocks are found on the host")
    if ranker.name == "perturbed":
        pytest.skip("noise comes from the device's generator")
    scores, relevance, where = (x.to("meta") for x in lists(9))
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    assert ranks.is_meta
    assert ranks.shape == grad.shape == scores.shape


# ------------------------------------------------------------------ compilers and transforms


@every_built_in
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("masked", [False, True])
def test_compiles_as_one_graph(ranker, backend, masked):
    scores, relevance, where = lists(9)
    where = where if masked else None
    torch._dynamo.reset()
    compiled = torch.compile(lambda s: ranker.soft(s, relevance, where=where), fullgraph=True, backend=backend)
    torch.manual_seed(1)
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    torch.manual_seed(1)
    here, grad_here = with_gradient(lambda s, *_, **__: compiled(s), scores)
    torch.testing.assert_close(here, ranks, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(grad_here, grad, rtol=1e-6, atol=1e-6 * max(1.0, grad.abs().max().item()))


@every_built_in
def test_vmap_is_a_loop(ranker):
    """Over lists in rows, lists in columns, and nested; noise is the same for all lists."""
    scores, relevance, where = lists(9)

    def seeded(s, *more):
        torch.manual_seed(1)
        return ranker.soft(s, relevance[0], where=more[0] if more else None)

    def vmap(function, **options):
        return torch.func.vmap(function, randomness="same", **options)

    loop = torch.stack([seeded(s, w) for s, w in zip(scores, where, strict=True)])
    assert_close(vmap(seeded)(scores, where), loop, ranker)
    loop = torch.stack([seeded(s) for s in scores])
    assert_close(vmap(seeded, in_dims=1)(scores.T), loop, ranker)
    assert_close(vmap(vmap(seeded))(scores.expand(3, 2, 9)), loop.expand(3, 2, 9), ranker)


@pytest.mark.parametrize("ranker", BUILT_IN, ids=str)
def test_transforms_give_the_gradient(ranker):
    """torch.func.grad, alone and mapped; jacrev; the vectorized Jacobian: all rows of the Jacobian are those of backward."""
    scores, relevance, where = lists(9)

    def ranks_of(s):
        torch.manual_seed(1)
        return ranker.soft(s, relevance[0], where=where[0])

    def row(s, weights):
        s = s.clone().requires_grad_()
        ranks = ranks_of(s)
        return torch.autograd.grad(ranks, s, weights)[0] if ranks.requires_grad else torch.zeros_like(s)

    weights = torch.arange(1.0, 10.0)
    for function in (torch.func.grad, torch.func.grad_and_value):
        grad = function(lambda s: (weights * ranks_of(s)).sum())(scores[0])
        assert_close(grad if function is torch.func.grad else grad[0], row(scores[0], weights), ranker)
    mapped = torch.func.vmap(torch.func.grad(lambda s: (weights * ranks_of(s)).sum()), randomness="same")(scores)
    assert_close(mapped, torch.stack([row(s, weights) for s in scores]), ranker)
    jacobian = torch.stack([row(scores[0], unit) for unit in torch.eye(9)])
    assert_close(torch.func.jacrev(ranks_of)(scores[0]), jacobian, ranker)
    assert_close(torch.autograd.functional.jacobian(ranks_of, scores[0], vectorize=True), jacobian, ranker)


@pytest.mark.parametrize("ranker", [ranker for ranker in DIFFERENTIABLE if ranker.name != "sinkhorn"], ids=str)
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_forward_mode_is_refused(ranker):
    scores, relevance, _ = lists(9)
    with pytest.raises(NotImplementedError, match=r"no forward-mode derivative.*torch\.func\.jacrev"):
        torch.func.jvp(lambda s: ranker.soft(s, relevance), (scores,), (scores,))


# ------------------------------------------------------------------ magnitudes


MAGNITUDES = (1e-45, 1e-38, 1e-30, 1e-10, 1e10, 1e19, 1e30, 3.4e38)


@sizes(9)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_magnitude(ranker, n, dtype):
    """Subnormal scores, and differences that overflow; all in one call, each a row."""
    largest = [1.7e308 if dtype == torch.float64 and magnitude > 1e37 else magnitude for magnitude in MAGNITUDES]
    scores = torch.stack([torch.linspace(-1, 1, n, dtype=dtype)[torch.randperm(n)] * magnitude for magnitude in largest])
    relevance = (torch.arange(n) % 3).expand_as(scores)
    for where in (None, (torch.arange(n) != 3).expand_as(scores)):
        for rank_fn in {ranker.soft, ranker.sharp} - {None}:
            for magnitude, ranks, grad in zip(largest, *with_gradient(rank_fn, scores, relevance, where=where), strict=True):
                assert grad.isfinite().all(), magnitude
                assert ranks.isfinite().all(), magnitude
                assert (ranks >= 1 - ranker.slack).all(), magnitude
                if ranker.in_range:
                    assert (ranks <= n * (1 + 1e-5) + ranker.slack).all(), magnitude


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.sharp and not r.error], ids=str)
@pytest.mark.parametrize("magnitude", [1e10, 1e30, 3.4e38])
def test_far_apart_is_exact(ranker, magnitude):
    scores = torch.linspace(-1, 1, 9)[torch.randperm(9)] * magnitude
    assert_close(ranker.sharp(scores, scores), rb.exact_ranks(scores), ranker)


# ------------------------------------------------------------------ knobs


BAD = [math.nan, math.inf, 0.0, -1.0, True, "0.1", torch.tensor(0.1), None, 1j, [0.1]]


def numbers_of(ranker):
    """The knobs of a public ranker that are numbers above 0."""
    parameters = inspect.signature(ranker).parameters.values()
    return [p.name for p in parameters if p.kind == p.KEYWORD_ONLY and isinstance(p.default, float)]


KNOBS = [(name, knob) for name in rb.ranks.__all__ for knob in numbers_of(getattr(rb, name))]


@pytest.mark.parametrize(("name", "knob"), KNOBS)
@pytest.mark.parametrize("value", BAD, ids=repr)
def test_knobs_are_finite_numbers_above_zero(name, knob, value):
    with pytest.raises((ValueError, TypeError), match=f"{knob} must be a finite number above 0, got"):
        getattr(rb, name)(torch.zeros(3), torch.zeros(3), **{knob: value})


# ------------------------------------------------------------------ complete


def test_every_ranker_is_in_the_contract():
    """A new public ranker joins contract.py or this fails; so does a sorter that ships (they are listed from the folder)."""
    covered = {ranker.covers for ranker in RANKERS} - {""}
    assert covered == {*rb.ranks.__all__, "straight_through", *rb.list_sorters().index}
