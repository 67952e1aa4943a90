"""What every loss on scores promises about its value and gradient. Losses join in score_contract.py; each test states one promise."""

import warnings

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.score_contract import CASES, ELSEWHERE, PROMISES, promise
from modes import MODES, WITHOUT_GRADIENT

every_loss = pytest.mark.parametrize("case", CASES, ids=repr)
#: The same graph as that of another case: compiling is slow.
ALIKE = ("LambdaLoss ndcg@3", "LambdaLoss reciprocal_rank", "LambdaLoss hierarchical_ap")
exact = {"rtol": 0, "atol": 1e-12}


def lists(batch=5, n=6, *, dtype=torch.float64, grid=None):
    """Scores, grades with ties, and a mask that leaves three items or more in each list, two grades among them."""
    scores = torch.randn(batch, n, dtype=dtype)
    if grid:
        scores = (scores * grid).round() / grid
    relevance = torch.randint(3, (batch, n))
    relevance[:, 0], relevance[:, 1] = 2, 0
    where = torch.rand(batch, n) < 0.7
    where[:, :3] = True
    return scores, relevance, where


def with_gradient(loss, scores, relevance, **kwargs):
    scores = scores.clone().requires_grad_()
    value = loss(scores, relevance, **kwargs)
    return value.detach(), torch.autograd.grad(value.sum(), scores)[0]


def test_every_public_loss_on_scores_is_under_contract():
    under = {type(case.make()).__name__ for case in CASES}
    public = {
        n for n in rb.losses.__all__ if isinstance(getattr(rb, n), type) and issubclass(getattr(rb, n), rb.losses.score_loss.ScoreLoss)
    }
    assert under | set(ELSEWHERE) == public
    assert not under & set(ELSEWHERE)
    assert {name for case in CASES for name in case.exceptions} <= PROMISES


@every_loss
@pytest.mark.parametrize("grid", [None, 2], ids=["distinct", "tied"])
def test_the_value_is_the_loop(case, grid):
    scores, relevance, _ = lists(grid=grid)
    expected = [case.oracle(s, r) for s, r in zip(scores.tolist(), relevance.tolist(), strict=True)]
    assert_close(case.make(reduction="none")(scores, relevance), torch.tensor(expected, dtype=torch.float64), **exact)


@every_loss
def test_a_padded_list_is_the_list_without_its_padding(case):
    """In value and gradient; whatever stands in the padding is not looked at, and gets a gradient of exactly 0."""
    scores, relevance, where = lists()
    padded = scores.masked_fill(~where, torch.nan)
    values, grad = with_gradient(case.make(reduction="none"), padded, relevance.masked_fill(~where, 7), where=where)
    assert (grad[~where] == 0).all()
    for q in range(len(scores)):
        here = where[q]
        value, alone = with_gradient(case.make(), scores[q, here], relevance[q, here])
        assert values[q].item() == pytest.approx(case.oracle(scores[q, here].tolist(), relevance[q, here].tolist()), abs=1e-12)
        assert_close(values[q], value, **exact)
        assert_close(grad[q, here], alone, **exact)


@every_loss
def test_the_order_of_the_input_changes_nothing(case):
    """Bit-equal scores of equally relevant items included."""
    scores, relevance, where = lists(grid=1)
    order = torch.randperm(scores.shape[1])
    for mask in (None, where):
        values, grad = with_gradient(case.make(reduction="none"), scores, relevance, where=mask)
        moved = None if mask is None else mask[:, order]
        shuffled, shuffled_grad = with_gradient(case.make(reduction="none"), scores[:, order], relevance[:, order], where=moved)
        assert_close(shuffled, values, **exact)
        assert_close(shuffled_grad, grad[:, order], **exact)


@every_loss
def test_reductions_and_weights(case):
    """Lists that do not count are left out; leading axes are a batch; the mean is weighted."""
    scores, relevance, _ = lists(6)
    relevance[1], relevance[4] = 0, 1
    counts = torch.tensor([case.counts(row) for row in relevance.tolist()])
    rows = zip(scores.tolist(), relevance.tolist(), counts, strict=True)
    expected = torch.tensor([case.oracle(s, r) if ok else 0.0 for s, r, ok in rows], dtype=torch.float64)
    weights = torch.tensor([1.0, 2.0, 0.0, 0.5, 3.0, 1.0]).double()
    there = torch.ones(6, 1, dtype=torch.bool)
    for w, kwargs in (
        (torch.ones(6).double(), {}),
        (torch.ones(6).double(), {"where": there}),
        (weights, {"query_weights": weights}),
    ):
        none, total, mean = (case.make(reduction=reduction)(scores, relevance, **kwargs) for reduction in ("none", "sum", "mean"))
        assert_close(none, expected * w, **exact)
        assert_close(total, (expected * w).sum(), **exact)
        assert_close(mean, (expected * w).sum() / w[counts].sum(), **exact)
    cube = case.make(reduction="none")(scores.view(2, 3, -1), relevance.view(2, 3, -1), query_weights=weights.view(2, 3))
    assert_close(cube, (expected * weights).view(2, 3), **exact)


@every_loss
def test_the_gradient_is_the_slope(case):
    scores, relevance, where = lists(2)
    apart = torch.linspace(-1, 1, scores.shape[1], dtype=scores.dtype)[torch.randperm(scores.shape[1])]  # no step changes a rank
    for mask in (None, where[:2]):
        call = lambda s, mask=mask: case.make(reduction="none")(s, relevance, where=mask)  # noqa: E731
        assert torch.autograd.gradcheck(call, (apart + 0.01 * scores).requires_grad_())


@every_loss
def test_a_step_against_the_gradient_lowers_the_loss(case):
    scores, relevance, where = lists(grid=8)
    loss = case.make()
    value, grad = with_gradient(loss, scores, relevance, where=where)
    assert grad.any()
    assert loss(scores - 1e-4 * grad / grad.abs().max(), relevance, where=where) < value


@promise("floor")
def test_the_perfect_order_costs_the_floor(case):
    relevance = torch.tensor([2, 1, 1, 0, 0])
    scores = torch.arange(5, 0, -1).double() * 100
    assert case.make()(scores, relevance).item() == pytest.approx(case.floor(relevance.tolist()), abs=1e-9)
    assert case.make()(scores.flip(0), relevance).item() > case.floor(relevance.tolist()) + 0.01


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_and_constant_scores_are_finite(case, dtype):
    _, relevance, where = lists()
    for scale, offset in ((0.0, 0.3), (1e4, 0.0), (1e30, 0.0), (1e-30, 0.0), (1.0, 1e6)):
        scores = (torch.randn(relevance.shape, dtype=dtype) * scale + offset).to(dtype)
        for mask in (None, where):
            value, grad = with_gradient(case.make(), scores, relevance, where=mask)
            assert value.isfinite() and value >= 0
            assert grad.isfinite().all()
            assert scale > 1 or grad.any()


@promise("offset")
def test_an_offset_changes_nothing(case):
    scores, relevance, where = lists(dtype=torch.float32, grid=4)
    here, grad = with_gradient(case.make(), scores, relevance, where=where)
    there, moved = with_gradient(case.make(), scores + 65536, relevance, where=where)
    assert_close(there, here, rtol=1e-5, atol=1e-6)
    assert_close(moved, grad, rtol=1e-5, atol=1e-6)


@every_loss
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(case, half):
    scores, relevance, where = lists(dtype=torch.float32)
    scores = scores.to(half)
    value, grad = with_gradient(case.make(), scores, relevance, where=where)
    expected, expected_grad = with_gradient(case.make(), scores.float(), relevance, where=where)
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)
    assert torch.equal(grad, expected_grad.to(half))


@every_loss
def test_large_grades_and_strides(case):
    """Seconds of a clock as grades keep their order; a transposed input is the same list."""
    scores, relevance, where = lists()
    if case.name in ("RankNetLoss", "ListMLELoss", "SpearmanLoss"):
        late = relevance + 1_700_000_000
        assert_close(case.make()(scores, late), case.make()(scores, relevance), **exact)
    views = [x.T.contiguous().T for x in (scores, relevance, where)]
    assert_close(case.make()(views[0], views[1], where=views[2]), case.make()(scores, relevance, where=where), **exact)


@every_loss
def test_inputs_are_not_modified(case):
    given = [*lists(), torch.rand(5)]
    copies = [x.clone() for x in given]
    with_gradient(case.make(), given[0], given[1], where=given[2], query_weights=given[3])
    assert all(torch.equal(x, copy) for x, copy in zip(given, copies, strict=True))


@every_loss
def test_nothing_to_learn_warns_and_costs_nothing(case):
    scores = torch.rand(3, 4, requires_grad=True)
    alone = {"where": torch.arange(4) < 1} if case.second == "target" else {}
    weighted = {"query_weights": torch.zeros(3)}
    for relevance, kwargs, said in (
        (torch.zeros(3, 4), alone, "list"),
        (torch.tensor([1, 0, 0, 0]).expand(3, 4), weighted, "query_weights are 0"),
    ):
        with pytest.warns(UserWarning, match=f"{said}.*: the loss is 0 and teaches nothing") as caught:
            loss = case.make()(scores, relevance, **kwargs)
        assert [w.filename for w in caught] == [__file__]
        (grad,) = torch.autograd.grad(loss, scores)
        assert loss.item() == 0
        assert (grad == 0).all()
    with warnings.catch_warnings(), rb.checks.off():
        warnings.simplefilter("error")
        assert case.make()(scores, torch.zeros(3, 4), **alone).item() == 0


@every_loss
@pytest.mark.parametrize("leading", [(0,), (2, 0)], ids=str)
def test_no_list_costs_nothing(case, leading):
    scores, relevance = torch.zeros(*leading, 4, requires_grad=True), torch.zeros(*leading, 4, dtype=torch.int64)
    values = case.make(reduction="none")(scores, relevance)
    assert values.shape == leading
    with pytest.warns(UserWarning, match="the loss is 0 and teaches nothing"):
        loss = case.make()(scores, relevance)
    assert loss.item() == 0
    (grad,) = torch.autograd.grad(loss + values.sum(), scores)
    assert grad.shape == scores.shape


@every_loss
def test_a_list_without_items_costs_nothing(case):
    scores, relevance, where = lists()
    where[2] = False
    with MODES["anomaly"]():  # no NaN on the way either
        _, grad = with_gradient(case.make(), scores.masked_fill(~where, torch.nan), relevance, where=where)
    assert grad.isfinite().all()
    assert (grad[2] == 0).all()


@pytest.mark.parametrize("case", [case for case in CASES if case.name.startswith(("RankNet", "LambdaLoss"))], ids=repr)
def test_differences_that_overflow_are_large_numbers(case):
    """A pair in the right order costs nothing, one in the wrong order very much."""
    scores, relevance = torch.tensor([2e38, -2e38, 1e38, -3e38]), torch.tensor([0, 2, 0, 1])
    value, grad = with_gradient(case.make(), scores, relevance)
    assert value.isfinite() and value > 1e36
    assert grad.isfinite().all() and grad.any()
    assert case.make()(scores, torch.tensor([2, 0, 1, 0])) == 0


@every_loss
def test_what_is_refused_is_named(case):
    scores, relevance, _ = lists(2, 4)
    loss = case.make()
    for call, error, message in (
        (lambda: loss(scores.masked_fill(scores == scores[1, 2], torch.nan), relevance), ValueError, r"scores\[1, 2\] is nan"),
        (lambda: loss(scores, relevance[:, :3]), ValueError, f"{case.second} must have the shape of scores"),
        (lambda: loss(scores, relevance, where=torch.ones(2, 4)), TypeError, "where must be a boolean mask"),
        (
            lambda: loss(scores, relevance, query_weights=torch.ones(4)),
            ValueError,
            r"query_weights must have one weight for each list, shape \(2,\)",
        ),
        (lambda: loss(scores, relevance, query_weights=torch.tensor([1.0, -1.0])), ValueError, r"query_weights\[1\] is -1"),
        (lambda: loss(scores, relevance, query_weights=torch.tensor([1.0, torch.inf])), ValueError, "query_weights must be finite"),
        (lambda: loss(scores, relevance, query_weights=[1.0, 1.0]), TypeError, "query_weights must be a torch.Tensor"),
        (lambda: case.make(reduction="average"), ValueError, 'reduction must be "mean", "sum" or "none"'),
    ):
        with pytest.raises(error, match=message):
            call()
    if case.second == "relevance":
        with pytest.raises(ValueError, match="relevance must be >= 0"):
            loss(scores, -relevance)


@every_loss
@pytest.mark.parametrize("mode", [*MODES, *WITHOUT_GRADIENT])
def test_the_modes_of_torch_change_nothing(case, mode):
    scores, relevance, where = lists(dtype=torch.float32)
    weights = torch.rand(5)
    value, grad = with_gradient(case.make(), scores, relevance, where=where, query_weights=weights)
    with {**MODES, **WITHOUT_GRADIENT}[mode]():
        if mode in WITHOUT_GRADIENT:
            assert torch.equal(case.make()(scores.clone(), relevance, where=where, query_weights=weights), value)
            return
        found, found_grad = with_gradient(case.make(), scores, relevance, where=where, query_weights=weights)
    assert torch.equal(found, value)
    assert torch.equal(found_grad, grad)


@every_loss
def test_transforms_of_torch_func(case):
    scores, relevance, where = lists(3)
    loss = case.make(reduction="sum")
    value, grad = with_gradient(loss, scores, relevance, where=where)
    call = lambda s, r, w: loss(s, r, where=w)  # noqa: E731
    assert_close(torch.func.grad(call)(scores, relevance, where), grad, **exact)
    assert_close(torch.func.vmap(call)(scores, relevance, where).sum(), value, **exact)
    assert_close(torch.func.vmap(torch.func.grad(call))(scores, relevance, where), grad, **exact)


@pytest.mark.parametrize("case", [case for case in CASES if case.name not in ALIKE], ids=repr)
def test_compiles_to_one_graph(case):
    scores, relevance, where = lists(2, 4)
    loss = case.make()
    expected, grad = with_gradient(loss, scores, relevance, where=where)
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # of torch's own making, while it traces
        compiled = torch.compile(lambda s: loss(s, relevance, where=where), backend="eager", fullgraph=True)
        value, found = with_gradient(lambda s, _: compiled(s), scores, relevance)
    assert_close(value, expected, **exact)
    assert_close(found, grad, **exact)


@promise("second order")
def test_a_second_derivative_is_refused(case):
    scores, relevance, _ = lists(2)
    scores.requires_grad_()
    (grad,) = torch.autograd.grad(case.make()(scores, relevance), scores, create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiable once"):
        grad.sum().backward()
