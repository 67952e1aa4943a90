"""The same numbers whatever mode torch is in, and no look at values where looking is not allowed."""

import warnings
from functools import partial

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import rankbook as rb
from metrics.cases import METRICS, SOFT_CUTS, lists
from modes import MODES, WITHOUT_GRADIENT

SMOOTH = partial(rb.sigmoid_ranks, tau=0.5)
N = 9


def as_loss(case, scores, relevance):
    return rb.as_loss(case.metric, SMOOTH)(scores, relevance)


#: name -> a loss of (scores, relevance, all [N, N]): every metric composed, and the losses of ranks.
LOSSES = {
    **{repr(case): partial(as_loss, case) for case in METRICS + SOFT_CUTS},
    "hierarchical_ap of real grades": lambda s, r: rb.RankLoss(rb.hierarchical_ap, SMOOTH)(s, r + torch.linspace(0, 1, N, device=s.device)),
    "spearman": lambda s, r: rb.as_loss(rb.spearman, SMOOTH)(s, r),
    "SpearmanLoss": lambda s, r: rb.SpearmanLoss(SMOOTH)(s, r),
    "MeanRankLoss": lambda s, r: rb.MeanRankLoss(SMOOTH)(s, r),
    "HardNegativeRankLoss": lambda s, r: rb.HardNegativeRankLoss(SMOOTH, margin=2.5)(s),
}
#: The same as they measure, without a gradient.
MEASURES = {**{repr(case): case.metric for case in METRICS + SOFT_CUTS}, "spearman": rb.spearman, "kendall": rb.kendall}
WEIGHTS = {"item_weights": torch.arange(1.0, N + 1), "query_weights": torch.arange(1.0, N + 1) ** 2}
every_loss = pytest.mark.parametrize("name", LOSSES)
every_measure = pytest.mark.parametrize("name", MEASURES)


def scene(dtype=torch.float32):
    scores, relevance = lists(N, N, grid=4, dtype=dtype)
    return scores.requires_grad_(), relevance


@every_loss
@pytest.mark.parametrize("mode", MODES)
def test_losses_forward_and_backward(name, mode):
    scores, relevance = scene()
    loss = LOSSES[name](scores, relevance)
    (gradient,) = torch.autograd.grad(loss, scores)
    with MODES[mode]():
        inside = LOSSES[name](scores, relevance)
        (gradient_inside,) = torch.autograd.grad(inside, scores)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, loss, rtol=0, atol=1e-6)
    torch.testing.assert_close(gradient_inside, gradient, rtol=1e-5, atol=1e-6)
    with MODES[mode]():
        outside = LOSSES[name](scores, relevance)
    torch.testing.assert_close(torch.autograd.grad(outside, scores)[0], gradient, rtol=1e-5, atol=1e-6)


@every_measure
@pytest.mark.parametrize("mode", [*MODES, *WITHOUT_GRADIENT])
def test_measures(name, mode):
    scores, relevance = scene()
    where = torch.rand(N, N) < 0.8
    where[:, :3] = True
    for kwargs in ({}, {"where": where}, {"reduction": "none"}, WEIGHTS):
        value = MEASURES[name](scores.detach(), relevance, **kwargs)
        with {**MODES, **WITHOUT_GRADIENT}[mode]():
            inside = MEASURES[name](scores.detach().clone(), relevance, **kwargs)
        torch.testing.assert_close(inside, value, rtol=0, atol=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_dtype_changes_nothing_where_it_is_exact(name, dtype):
    scores, relevance = scene()  # multiples of 1/4, exact in all of them
    expected = LOSSES[name](scores, relevance)
    value = LOSSES[name](scores.detach().to(dtype), relevance)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(value, expected, check_dtype=False, rtol=0, atol=1e-6)


@every_loss
def test_gradients_are_linear_in_the_incoming_one(name):
    scores, relevance = scene()
    (gradient,) = torch.autograd.grad(LOSSES[name](scores, relevance), scores)
    for scale in (1e-4, 65536.0):
        (scaled,) = torch.autograd.grad(scale * LOSSES[name](scores, relevance), scores)
        torch.testing.assert_close(scaled / scale, gradient, rtol=1e-4, atol=1e-7)


class NoDouble(TorchDispatchMode):
    """A device without float64."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        assert not (isinstance(out, torch.Tensor) and out.dtype == torch.float64), f"{func} gives float64"
        return out


class NoSync(TorchDispatchMode):
    """A device whose values are far away: to read one is to wait for it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in {"_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal"}, (
            f"{func} reads a value"
        )
        return func(*args, **(kwargs or {}))


@every_measure
def test_a_device_without_float64(name):
    scores, relevance = scene()
    with NoDouble():
        MEASURES[name](scores.detach(), relevance)
        MEASURES[name](scores.detach(), relevance, **WEIGHTS)


@every_loss
def test_losses_on_a_device_without_float64(name):
    scores, relevance = scene()
    with NoDouble():
        LOSSES[name](scores, relevance).backward()


@every_measure
def test_a_measure_reads_no_value_where_checks_are_off(name):
    scores, relevance = scene()
    with pytest.raises(AssertionError, match="reads a value"), NoSync():
        MEASURES[name](scores.detach(), relevance)
    with rb.checks.off(), NoSync():
        MEASURES[name](scores.detach(), relevance)
        MEASURES[name](scores.detach(), relevance, **WEIGHTS)


@every_loss
def test_a_loss_reads_no_value_where_checks_are_off(name):
    scores, relevance = scene()
    with rb.checks.off(), NoSync():
        LOSSES[name](scores, relevance).backward()


def plain_ranks(scores, relevance=None, *, where=None):
    """Sigmoid ranks of plain operations, all pairs at once."""
    present = torch.ones_like(scores) if where is None else where.to(scores.dtype)
    return 0.5 + (torch.sigmoid((scores.unsqueeze(-2) - scores.unsqueeze(-1)) / 0.5) * present.unsqueeze(-2)).sum(-1)


@every_loss
def test_a_ranker_of_matrix_products_keeps_its_digits_under_autocast(name, monkeypatch):
    """Which would be multiplied in bfloat16."""

    def ranker(scores, relevance=None, *, where=None):
        present = torch.ones_like(scores) if where is None else where.to(scores.dtype)
        above = torch.sigmoid((scores.unsqueeze(-2) - scores.unsqueeze(-1)) / 0.5)
        return 0.5 + (above @ present.unsqueeze(-1)).squeeze(-1)

    monkeypatch.setitem(globals(), "SMOOTH", ranker)
    scores, relevance = scene()
    expected = LOSSES[name](scores.detach(), relevance)
    with torch.autocast("cpu", torch.bfloat16):
        value = LOSSES[name](scores.detach(), relevance)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-6)


COMPOSED = {
    **{repr(case): lambda s, r, case=case, **kwargs: case.metric(s, r, rank_fn=plain_ranks, **kwargs) for case in METRICS + SOFT_CUTS},
    "spearman": lambda s, r, **kwargs: rb.spearman(s, r, rank_fn=lambda s, where=None: plain_ranks(s, where=where), **kwargs),
}


@pytest.mark.parametrize("metric", [*MEASURES.values(), *COMPOSED.values()], ids=[*MEASURES, *(f"{name} composed" for name in COMPOSED)])
def test_vmap(metric):
    scores, relevance = scene()
    values = torch.func.vmap(lambda s, r: metric(s, r, reduction="none"))(scores.detach(), relevance)
    torch.testing.assert_close(values, metric(scores.detach(), relevance, reduction="none"), rtol=0, atol=1e-6)
    weights = WEIGHTS["item_weights"].roll(4).expand(N, N)
    values = torch.func.vmap(lambda s, r, w: metric(s, r, item_weights=w, reduction="none"))(scores.detach(), relevance, weights)
    expected = metric(scores.detach(), relevance, item_weights=weights, reduction="none")
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", COMPOSED)
def test_functional_gradients(name):
    scores, relevance = scene()
    (gradient,) = torch.autograd.grad(COMPOSED[name](scores, relevance, reduction="sum"), scores)
    by_list = torch.func.vmap(torch.func.grad(lambda s, r: COMPOSED[name](s, r, reduction="sum")))(scores.detach(), relevance)
    torch.testing.assert_close(by_list, gradient, rtol=1e-5, atol=1e-6)


#: Tracing is slow: each hard cut of exact ranks, each soft cut of soft ranks.
TRACED = {
    **{name: measure for name, measure in MEASURES.items() if name not in map(repr, SOFT_CUTS)},
    **{f"{name} composed": metric for name, metric in COMPOSED.items() if name not in map(repr, METRICS)},
}


@pytest.mark.parametrize("metric", TRACED.values(), ids=TRACED)
def test_compiles_to_one_graph(metric):
    scores, relevance = scene()
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # of torch's own making, while it traces a Function
        both = lambda s, r: (metric(s, r), metric(s, r, **WEIGHTS))  # noqa: E731
        found = torch.compile(both, backend="eager", fullgraph=True)(scores.detach(), relevance)
        torch.testing.assert_close(found, both(scores.detach(), relevance), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda s, r: rb.as_loss(rb.ndcg, SMOOTH)(s, r),
        lambda s, r: rb.RankLoss(rb.average_precision, SMOOTH)(s, r),
        lambda s, r: rb.MeanRankLoss(SMOOTH)(s, r),
    ],
    ids=["as_loss", "RankLoss", "MeanRankLoss"],
)
def test_a_warning_points_at_the_caller(call):
    scores = torch.rand(3, 5, requires_grad=True)
    with pytest.warns(UserWarning, match="no positive in any list") as caught:
        loss = call(scores, torch.zeros(3, 5))
    loss.backward()
    assert loss.item() == 0
    assert scores.grad.eq(0).all()
    assert caught[0].filename == __file__
    with warnings.catch_warnings(), rb.checks.off():
        warnings.simplefilter("error")
        assert call(scores, torch.zeros(3, 5)).item() == 0
