"""What every ranker owes its callers."""

import pytest
import torch

import rankbook as rb
from ranks.contract import RANKERS

every_ranker = pytest.mark.parametrize("ranker", RANKERS, ids=str)
soft_rankers = pytest.mark.parametrize("ranker", [r for r in RANKERS if r.smooth], ids=str)


def draw(*shape, dtype=torch.float32, grades=3):
    """Scores and graded relevance."""
    return torch.randn(shape, dtype=dtype), torch.randint(grades, shape)


def with_gradient(rank_fn, scores, relevance=None, *, where=None):
    """Ranks, and the gradient of a sum with fixed weights 1, 2, 3 ..., so that no cancellation hides an error."""
    scores = scores.clone().requires_grad_()
    ranks = rank_fn(scores, relevance, where=where)
    if not ranks.requires_grad:  # exact ranks
        return ranks, torch.zeros_like(scores)
    weights = torch.arange(1, scores.shape[-1] + 1, dtype=ranks.dtype)
    (grad,) = torch.autograd.grad((weights * ranks).sum(), scores)
    return ranks.detach(), grad


def assert_close(ours, expected, ranker):
    torch.testing.assert_close(ours, expected, rtol=ranker.tolerance, atol=ranker.tolerance * max(1.0, expected.abs().max().item()))


@every_ranker
@pytest.mark.parametrize("n", [1, 2, 3, 8, 33])
def test_range(ranker, n):
    scores, relevance = draw(4, n)
    ranks = ranker.soft(scores, relevance)
    assert ranks.shape == scores.shape
    assert ranks.dtype == scores.dtype
    assert (ranks >= 1 - 1e-5).all()
    if ranker.in_range:
        assert (ranks <= n + 1e-5 * n).all()
    if ranker.sums:
        torch.testing.assert_close(ranks.sum(-1), torch.full((4,), n * (n + 1) / 2))


@every_ranker
def test_one_item_has_rank_1_and_no_gradient(ranker):
    ranks, grad = with_gradient(ranker.soft, torch.tensor([[0.3], [-1e6]]), torch.tensor([[1], [0]]))
    assert ranks.tolist() == [[1.0], [1.0]]
    assert grad.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.equivariant], ids=str)
def test_permutation_equivariance(ranker):
    scores, relevance = draw(3, 17)
    order = torch.randperm(17)
    ranks = ranker.soft(scores, relevance)
    assert_close(ranker.soft(scores[:, order], relevance[:, order]), ranks[:, order], ranker)


@every_ranker
def test_shift_invariance(ranker):
    scores, relevance = draw(3, 17, dtype=torch.float64)
    assert_close(ranker.soft(scores + 5, relevance), ranker.soft(scores, relevance), ranker)


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.name != "perturbed"], ids=str)  # its estimate is zero only in the mean
def test_shift_invariance_of_the_gradient(ranker):
    grad = with_gradient(ranker.soft, *draw(3, 17, dtype=torch.float64))[1]
    torch.testing.assert_close(grad.sum(-1), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-10)


@every_ranker
def test_higher_is_better(ranker):
    """Pulled up far enough, an item comes to the front; pushed down, to the end."""
    scores, _ = draw(6)
    for place, score in [(1, 50.0), (6, -50.0)]:
        scores[2] = score
        assert abs(ranker.soft(scores, scores)[2].item() - place) < 0.1


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


@every_ranker
def test_absent_items_are_never_counted(ranker):
    scores, relevance = draw(4, 9)
    where = torch.rand(4, 9) < 0.6
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    moved, moved_grad = with_gradient(ranker.soft, torch.where(where, scores, 1e4), torch.where(where, relevance, 9), where=where)
    assert torch.equal(ranks, moved)
    assert torch.equal(grad, moved_grad)
    assert (ranks[~where] == (where.sum(-1, keepdim=True) + 1).expand(4, 9)[~where]).all()
    assert (grad[~where] == 0).all()


@every_ranker
def test_empty_list_under_where(ranker):
    scores, relevance = draw(2, 5)
    where = torch.tensor([[False], [True]]).expand(2, 5)
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    assert (ranks[0] == 1).all()
    assert (grad[0] == 0).all()
    if ranker.sublist:
        assert_close(ranks[1], ranker.soft(scores[1], relevance[1]).detach(), ranker)


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.name != "perturbed"], ids=str)  # each list has its own noise
def test_batch_is_a_loop(ranker):
    scores, relevance = draw(2, 3, 12)
    where = torch.rand(2, 3, 12) < 0.8
    ranks, grad = with_gradient(ranker.soft, scores, relevance, where=where)
    for i in range(2):
        for j in range(3):
            one, one_grad = with_gradient(ranker.soft, scores[i, j], relevance[i, j], where=where[i, j])
            assert_close(ranks[i, j], one, ranker)
            assert_close(grad[i, j], one_grad, ranker)


@every_ranker
def test_strided_input(ranker):
    scores, relevance = draw(7, 4)
    assert_close(ranker.soft(scores.T, relevance.T), ranker.soft(scores.T.contiguous(), relevance.T.contiguous()), ranker)


@every_ranker
@pytest.mark.parametrize("n", [2, 7, 32])
def test_small_knob_is_exact(ranker, n):
    scores = torch.stack([torch.randperm(n) for _ in range(4)]) / 8
    # graded by their scores: what is less relevant stands below, where SupRank's bound is tight
    assert_close(ranker.sharp(scores, scores), rb.exact_ranks(scores), ranker)


@pytest.mark.parametrize("ranker", [r for r in RANKERS if r.ties], ids=str)
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


@every_ranker
@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("knob", ["soft", "sharp"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_nan_on_hard_lists(ranker, hard, knob, dtype):
    scores = HARD[hard].to(dtype)
    for where in (None, torch.arange(9) != 3):
        for relevance in (torch.arange(9) % 3, torch.ones(9, dtype=torch.bool)):
            ranks, grad = with_gradient(getattr(ranker, knob), scores, relevance, where=where)
            assert ranks.isfinite().all()
            assert grad.isfinite().all()
            assert (ranks >= 1 - 1e-5).all()
            if ranker.in_range:
                assert (ranks <= 9 + 1e-4).all()


@every_ranker
def test_constant_scores_share_a_rank(ranker):
    if not ranker.ties:
        pytest.skip("a sorting network does not treat tied items alike")
    scores = torch.full((6,), 0.3)
    expected = {"max": 6.0, "average": 3.5}[ranker.ties]
    assert_close(ranker.soft(scores, torch.ones(6)), torch.full((6,), expected), ranker)


@every_ranker
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(ranker, half):
    scores, relevance = draw(2, 30)
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


@soft_rankers
def test_gradient_reaches_an_item(ranker):
    grad = with_gradient(ranker.soft, *draw(4, 9))[1]
    assert (grad.abs().amax(-1) > 1e-3).all()


@every_ranker
def test_inputs_are_not_modified(ranker):
    scores, relevance = draw(3, 11)
    where = torch.rand(3, 11) < 0.7
    copies = [x.clone() for x in (scores, relevance, where)]
    scores.requires_grad_()
    ranks = ranker.soft(scores, relevance, where=where)
    if ranks.requires_grad:
        ranks.sum().backward()
    for x, copy in zip((scores, relevance, where), copies, strict=True):
        assert torch.equal(x.detach(), copy)


@every_ranker
def test_global_random_state_is_not_touched(ranker):
    before = torch.get_rng_state()
    with_gradient(ranker.soft, torch.tensor([0.1, 0.4, 0.2]), torch.tensor([1, 0, 1]))
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


@every_ranker
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_cpu(ranker):
    if ranker.name == "perturbed":
        pytest.skip("another device draws other noise")
    scores, relevance = draw(3, 40, dtype=torch.float64)
    where = torch.rand(3, 40) < 0.8
    on_gpu = ranker.soft(scores.cuda(), relevance.cuda(), where=where.cuda())
    assert on_gpu.is_cuda
    torch.testing.assert_close(on_gpu.cpu(), ranker.soft(scores, relevance, where=where))
