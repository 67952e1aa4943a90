"""What every ranker owes its callers."""

import pytest
import torch

import rankbook as rb
from ranks.contract import RANKERS

every_ranker = pytest.mark.parametrize("ranker", RANKERS, ids=str)
soft_rankers = pytest.mark.parametrize("ranker", [r for r in RANKERS if r.smooth], ids=str)


def sizes(*numbers, rankers=RANKERS):
    """Every ranker with lists of so many items, or with those of the only length that it takes."""
    pairs = [(ranker, n) for ranker in rankers for n in ([ranker.length] if ranker.length else numbers)]
    return pytest.mark.parametrize(("ranker", "n"), pairs, ids=str)


def draw(*shape, dtype=torch.float32, grades=3):
    """Scores and graded relevance."""
    return torch.randn(shape, dtype=dtype), torch.randint(grades, shape)


def with_gradient(rank_fn, scores, relevance=None, *, where=None):
    """Ranks, and the gradient of a sum with fixed weights 1, 2, 3 ..., so that no cancellation hides an error."""
    scores = scores.clone().requires_grad_()
    ranks = rank_fn(scores, relevance, where=where)
    if not ranks.requires_grad:  # exact ranks
        return ranks, torch.zeros_like(scores)
    weights = torch.arange(1, scores.shape[-1] + 1, dtype=ranks.dtype, device=ranks.device)
    (grad,) = torch.autograd.grad((weights * ranks).sum(), scores)
    return ranks.detach(), grad


def assert_in_range(ranks, ranker):
    assert (ranks >= 1 - ranker.slack).all()
    if ranker.in_range:
        assert (ranks <= ranks.shape[-1] * (1 + 1e-5) + ranker.slack).all()


def assert_close(ours, expected, ranker):
    torch.testing.assert_close(ours, expected, rtol=ranker.tolerance, atol=ranker.tolerance * max(1.0, expected.abs().max().item()))


@sizes(1, 2, 3, 8, 33)
def test_range(ranker, n):
    scores, relevance = draw(4, n)
    ranks = ranker.soft(scores, relevance)
    assert ranks.shape == scores.shape
    assert ranks.dtype == scores.dtype
    assert_in_range(ranks, ranker)
    if ranker.sums:
        torch.testing.assert_close(ranks.sum(-1), torch.full((4,), n * (n + 1) / 2))


@pytest.mark.parametrize("ranker", [r for r in RANKERS if not r.length], ids=str)
def test_one_item_has_rank_1_and_no_gradient(ranker):
    ranks, grad = with_gradient(ranker.soft, torch.tensor([[0.3], [-1e6]]), torch.tensor([[1], [0]]))
    assert ranks.tolist() == [[1.0], [1.0]]
    assert grad.tolist() == [[0.0], [0.0]]


@sizes(5)
def test_one_present_item_has_rank_1_and_no_gradient(ranker, n):
    scores, relevance = draw(3, n)
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=torch.arange(n) == 2)
    assert (ranks == torch.where(torch.arange(n) == 2, 1.0, 2.0)).all()
    assert (grad == 0).all()


@sizes(17, rankers=[r for r in RANKERS if r.equivariant])
def test_permutation_equivariance(ranker, n):
    scores, relevance = draw(3, n)
    order = torch.randperm(n)
    ranks = ranker.soft(scores, relevance)
    assert_close(ranker.soft(scores[:, order], relevance[:, order]), ranks[:, order], ranker)


@sizes(17, rankers=[r for r in RANKERS if r.shift])
def test_shift_invariance(ranker, n):
    scores, relevance = draw(3, n, dtype=torch.float64)
    assert_close(ranker.soft(scores + 5, relevance), ranker.soft(scores, relevance), ranker)


@sizes(17, rankers=[r for r in RANKERS if r.shift and r.name != "perturbed"])  # its estimate is zero only in the mean
def test_shift_invariance_of_the_gradient(ranker, n):
    grad = with_gradient(ranker.soft, *draw(3, n, dtype=torch.float64))[1]
    torch.testing.assert_close(grad.sum(-1), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-10)


@sizes(6, rankers=[r for r in RANKERS if r.sharp and r.shift])  # networks that see raw scores know no far ones
def test_higher_is_better(ranker, n):
    """Pulled up far enough, an item comes to the front; pushed down, to the end."""
    scores, _ = draw(n)
    tolerance = 1 + ranker.error * n if ranker.error else 0.1  # a trained one may be a place off in a list of another length
    for place, score in [(1, 50.0), (n, -50.0)]:
        scores[2] = score
        assert abs(ranker.soft(scores, scores)[2].item() - place) < tolerance


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.sublist], ids=str)
@pytest.mark.parametrize("n", [2, 5, 16, 21])
def test_where_equals_the_sublist(ranker, n):
    scores, relevance = draw(6, n, dtype=torch.float64)
    where = torch.rand(6, n) < 0.6
    where[0], where[1, 1:], where[1, 0] = True, False, True
    scores[~where] = torch.nan  # padding must not be looked at
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    assert (grad[~where] == 0).all()
    weights = torch.arange(1, n + 1, dtype=scores.dtype)
    for row in range(6):
        here = where[row]
        if not here.any():
            continue
        s = scores[row, here].clone().requires_grad_()
        alone = ranker.soft(s, relevance[row, here])
        torch.testing.assert_close(ranks[row, here], alone.detach(), rtol=1e-10, atol=1e-10)
        assert (ranks[row, ~here] == here.sum() + 1).all()
        if alone.requires_grad:
            (expected,) = torch.autograd.grad((weights[here] * alone).sum(), s)
            torch.testing.assert_close(grad[row, here], expected, rtol=1e-8, atol=1e-8)


@sizes(9)
def test_absent_items_are_never_counted(ranker, n):
    scores, relevance = draw(4, n)
    where = torch.rand(4, n) < 0.6
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    moved, moved_grad = with_gradient(ranker.soft, torch.where(where, scores, 1e4), torch.where(where, relevance, 9), where=where)
    assert torch.equal(ranks, moved)
    assert torch.equal(grad, moved_grad)
    assert (ranks[~where] == (where.sum(-1, keepdim=True) + 1).expand(4, n)[~where]).all()
    assert (grad[~where] == 0).all()


@sizes(5)
def test_empty_list_under_where(ranker, n):
    scores, relevance = draw(2, n)
    where = torch.tensor([[False], [True]]).expand(2, n)
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    assert (ranks[0] == 1).all()
    assert (grad[0] == 0).all()
    if ranker.sublist:
        assert_close(ranks[1], ranker.soft(scores[1], relevance[1]).detach(), ranker)


@sizes(1, 4)
@pytest.mark.parametrize("leading", [(0,), (2, 0)], ids=str)
def test_no_list_has_no_ranks(ranker, n, leading):
    scores, relevance = draw(*leading, n)
    for where in (None, torch.ones(*leading, n, dtype=torch.bool)):
        ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
        assert ranks.shape == grad.shape == scores.shape
        assert ranks.dtype == scores.dtype


@sizes(12, rankers=[r for r in RANKERS if r.name != "perturbed"])  # each list has its own noise
def test_batch_is_a_loop(ranker, n):
    scores, relevance = draw(2, 3, n)
    where = torch.rand(2, 3, n) < 0.8
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    for i in range(2):
        for j in range(3):
            one, one_grad = with_gradient(ranker.soft, scores[i, j], relevance[i, j], where=where[i, j])
            assert_close(ranks[i, j], one, ranker)
            assert_close(grad[i, j], one_grad, ranker)


@sizes(7)
def test_strided_input(ranker, n):
    scores, relevance = draw(n, 4)
    assert_close(ranker.soft(scores.T, relevance.T), ranker.soft(scores.T.contiguous(), relevance.T.contiguous()), ranker)


@sizes(9)
def test_only_the_order_of_the_grades_matters(ranker, n):
    """Seconds since 1970 are beyond the digits of float32, and so are grades that differ by little."""
    scores, relevance = draw(3, n)
    expected = ranker.soft(scores, relevance)
    for grades in (relevance + 1_700_000_000, 1 + 1e-9 * relevance.double(), relevance.double() - 5):
        torch.testing.assert_close(ranker.soft(scores, grades), expected, rtol=0, atol=0)


@sizes(2, 7, 32, rankers=[r for r in RANKERS if r.sharp and not r.error])
def test_small_knob_is_exact(ranker, n):
    scores = torch.stack([torch.randperm(n) for _ in range(4)]) / 8
    # graded by their scores: what is less relevant stands below, where SupRank's bound is tight
    assert_close(ranker.sharp(scores, scores), rb.exact_ranks(scores), ranker)


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.error], ids=str)
def test_trained_sorter_is_as_exact_as_it_says(ranker):
    scores = torch.stack([torch.randperm(100) for _ in range(32)]) / 100
    distance = (ranker.sharp(scores) - rb.exact_ranks(scores)).abs()
    assert distance.mean() / 100 <= ranker.error


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.ties and r.sharp and not r.error], ids=str)
def test_small_knob_is_exact_at_ties(ranker):
    scores = torch.randint(5, (4, 16)) / 8
    assert_close(ranker.sharp(scores, scores), rb.exact_ranks(scores, ties=ranker.ties), ranker)


HARD = {
    "constant": torch.full((9,), 0.7),
    "zeros": torch.zeros(9),
    "ties": torch.tensor([0.1, 0.1, 0.1, 0.5, 0.5, -1.0, -1.0, -1.0, 2.0]),
    "huge": torch.tensor([1e30, -1e30, 1e30, 3e29, 0.0, 1.0, 1.1, -2e30, 1e30]),
    "tiny": torch.tensor([1e-30, -1e-30, 2e-30, 0.0, 0.0, 1e-30, 5e-31, 1e-38, -1e-40]),
    "far apart": torch.tensor([0.0, 1e3, 1e6, -1e3, -1e6, 1e-3, 0.0, 88.0, 104.0]),
    "offset": 1e6 + torch.arange(9) / 8,
}


@sizes(9)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_nan_on_hard_lists(ranker, n, dtype):
    """All in one call, each a row."""
    scores = torch.stack([HARD[hard].to(dtype).repeat(n // 9 + 1)[:n] for hard in HARD])
    for where in (None, torch.arange(n) != 3):
        for relevance in (torch.arange(n) % 3, torch.ones(n, dtype=torch.bool)):
            for rank_fn in {ranker.soft, ranker.sharp} - {None}:
                ranks, grad = with_gradient(
                    rank_fn, scores, relevance.expand_as(scores), where=where if where is None else where.expand_as(scores)
                )
                for hard, of_list, slope in zip(HARD, ranks, grad, strict=True):
                    assert of_list.isfinite().all(), hard
                    assert slope.isfinite().all(), hard
                    assert_in_range(of_list, ranker)


@sizes(6, rankers=[r for r in RANKERS if r.equivariant or r.ties])
def test_constant_scores_share_a_rank(ranker, n):
    ranks = ranker.soft(torch.full((n,), 0.3), torch.ones(n))
    assert_close(ranks, ranks[:1].expand(n), ranker)
    if ranker.ties:
        assert_close(ranks, torch.full((n,), {"max": float(n), "average": (n + 1) / 2}[ranker.ties]), ranker)


@sizes(30)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(ranker, n, half):
    scores, relevance = draw(2, n)
    scores = scores.to(half)
    ranks, grad = with_gradient(ranker.soft, scores, relevance)
    expected, expected_grad = with_gradient(ranker.soft, scores.float(), relevance)
    assert ranks.dtype == torch.float32
    assert torch.equal(ranks, expected)
    assert torch.equal(grad, expected_grad.to(half))


@soft_rankers
@pytest.mark.parametrize("masked", [False, True])
def test_gradcheck(ranker, masked):
    scores, relevance = draw(2, 9, dtype=torch.float64)
    where = torch.arange(9) != 4 if masked else None
    assert torch.autograd.gradcheck(lambda s: ranker.soft(s, relevance, where=where), scores.requires_grad_(), atol=1e-6)


@sizes(9, rankers=[r for r in RANKERS if r.name != "exact"])
def test_gradient_reaches_an_item(ranker, n):
    grad = with_gradient(ranker.soft, *draw(4, n))[1]
    assert (grad.abs().amax(-1) > 1e-3).all()


@sizes(11)
def test_inputs_are_not_modified(ranker, n):
    scores, relevance = draw(3, n)
    where = torch.rand(3, n) < 0.7
    copies = [x.clone() for x in (scores, relevance, where)]
    scores.requires_grad_()
    ranks = ranker.soft(scores, relevance, where=where)
    if ranks.requires_grad:
        ranks.sum().backward()
    for x, copy in zip((scores, relevance, where), copies, strict=True):
        assert torch.equal(x.detach(), copy)


@sizes(3)
def test_global_random_state_is_not_touched(ranker, n):
    scores, relevance = draw(n)
    before = torch.get_rng_state()
    with_gradient(ranker.soft, scores, relevance)
    assert torch.equal(torch.get_rng_state(), before)


@every_ranker
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_nan_and_inf_are_named(ranker, bad):
    scores, relevance = draw(2, 4)
    scores[1, 2] = bad
    with pytest.raises(ValueError, match=r"scores must be finite, but scores\[1, 2\] is "):
        ranker.soft(scores, relevance)


@every_ranker
def test_bad_shapes_and_types(ranker):
    with pytest.raises(ValueError, match=r"scores must have shape \[..., n\]"):
        ranker.soft(torch.zeros(2, 0), torch.zeros(2, 0))
    with pytest.raises(TypeError, match="scores must be floating point"):
        ranker.soft(torch.tensor([1, 2]), torch.tensor([1, 0]))
    with pytest.raises(TypeError, match=r"scores must be a torch\.Tensor"):
        ranker.soft([0.1, 0.2], torch.tensor([1, 0]))
    with pytest.raises(TypeError, match="where must be a boolean mask"):
        ranker.soft(torch.zeros(2), torch.zeros(2), where=torch.ones(2))


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.knob], ids=str)
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_knob_must_be_above_zero(ranker, value):
    with pytest.raises(ValueError, match=f"{ranker.knob} must be a finite number above 0, got"):
        ranker.soft(torch.zeros(2), torch.zeros(2), **{ranker.knob: value})


@sizes(40, rankers=[r for r in RANKERS if r.name != "perturbed"])  # another device draws other noise
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_cpu(ranker, n):
    scores, relevance = draw(3, n, dtype=torch.float64)
    where = torch.rand(3, n) < 0.8
    on_gpu, grad = with_gradient(ranker.soft, scores.cuda(), relevance.cuda(), where=where.cuda())
    assert on_gpu.is_cuda
    expected, expected_grad = with_gradient(ranker.soft, scores, relevance, where=where)
    torch.testing.assert_close(on_gpu.cpu(), expected)
    torch.testing.assert_close(grad.cpu(), expected_grad)
