"""Error, descent and gradient cosine of rankers about which everything is known."""

from functools import partial

import pytest
import torch

import rankbook as rb

SOFT = partial(rb.sigmoid_ranks, tau=0.1)


def test_exact_ranks_have_no_error():
    assert (rb.rank_error(partial(rb.exact_ranks, ties="average"), rb.synthetic_scores(30, 50)) == 0).all()


def test_error_is_the_mean_distance_as_a_share_of_n():
    scores = torch.tensor([[0.3, 0.2, 0.1, 0.0], [0.0, 0.0, 0.5, 0.5]])

    def off(scores):  # 1, 2, 3, 4 for everybody
        return torch.arange(1.0, 5).expand(scores.shape)

    # the second list has ranks 3.5, 3.5, 1.5, 1.5
    torch.testing.assert_close(rb.rank_error(off, scores), torch.tensor([0.0, (2.5 + 1.5 + 1.5 + 2.5) / 4 / 4]))


def test_error_is_the_same_in_chunks():
    scores = torch.randn(11, 20)
    torch.testing.assert_close(rb.rank_error(SOFT, scores, chunk_size=4), rb.rank_error(SOFT, scores))


def test_error_needs_no_gradient():
    assert not rb.rank_error(SOFT, torch.randn(2, 5).requires_grad_()).requires_grad


def test_error_of_the_handcrafted_sorter_is_the_papers():
    """SoDeep's table 1 gives .0350 for the fixed slope of 10 on the mixture of its code."""
    scores = rb.synthetic_scores(100, 2000, generator=torch.Generator().manual_seed(0))
    assert rb.rank_error(SOFT, scores).mean().item() == pytest.approx(0.0350, abs=0.001)


@pytest.mark.parametrize(("ranker", "known"), [(SOFT, 0.986), (partial(rb.sigmoid_ranks, tau=0.01), 0.898)], ids=["tau .1", "tau .01"])
def test_descent_has_known_values(ranker, known):
    assert rb.rank_descent(ranker) == pytest.approx(known, abs=0.025)


def test_descent_is_that_of_a_loop():
    """The definition once more, list by list, with the update of Adam written out."""
    lists, n, steps, lr = 2, 10, 40, 0.05
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(lists, n, generator=generator)
    goals = torch.rand(lists, n, generator=generator).argsort(-1) + 1.0
    correlations = []
    for s, goal in zip(scores, goals, strict=True):
        m, v = torch.zeros(n), torch.zeros(n)
        for t in range(1, steps + 1):
            s = s.detach().requires_grad_()
            (g,) = torch.autograd.grad((((SOFT(s) - goal) / n) ** 2).mean() / lists, s)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            s = s - lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        correlations.append(torch.corrcoef(torch.stack([rb.exact_ranks(s), goal]))[0, 1].item())
    ours = rb.rank_descent(SOFT, n=n, lists=lists, steps=steps, lr=lr, seed=3)
    assert ours == pytest.approx(sum(correlations) / lists, abs=1e-3)


def test_descent_away_from_the_goal_is_seen():
    wrong_way = partial(rb.sigmoid_ranks, tau=0.1)
    assert rb.rank_descent(lambda s: wrong_way(-s), n=20, lists=4, steps=100, lr=0.05) < -0.9


def test_descent_of_a_ranker_without_a_way_is_chance():
    assert abs(rb.rank_descent(lambda s: rb.exact_ranks(s) + 0 * s, steps=5)) < 0.1


def test_descent_leaves_the_weights_alone():
    sorter = rb.KnotSorter(knots=20)
    rb.rank_descent(sorter, n=10, steps=2)
    assert all(weights.grad is None for weights in sorter.parameters())


def test_descent_of_one_item_is_refused():
    with pytest.raises(ValueError, match="n must be a whole number of at least 2, got 1"):
        rb.rank_descent(SOFT, n=1)


def test_cosine_is_1_with_itself_and_minus_1_with_its_opposite():
    scores = torch.randn(5, 30)
    ones = torch.ones(5)
    torch.testing.assert_close(rb.gradient_cosine(SOFT, SOFT, scores), ones)
    # the same ranks, the opposite gradient
    torch.testing.assert_close(rb.gradient_cosine(SOFT, lambda s: 2 * SOFT(s).detach() - SOFT(s), scores), -ones)


def test_cosine_is_symmetric_and_0_without_a_gradient():
    scores = torch.randn(5, 30)
    sharp = partial(rb.sigmoid_ranks, tau=0.02)
    cosine = rb.gradient_cosine(SOFT, sharp, scores)
    torch.testing.assert_close(cosine, rb.gradient_cosine(sharp, SOFT, scores))
    assert ((cosine > 0) & (cosine < 0.99)).all()
    assert (rb.gradient_cosine(SOFT, lambda s: 0 * s, scores) == 0).all()


def test_cosine_of_a_list_does_not_see_the_others():
    scores = torch.randn(3, 30)
    other = torch.cat([scores[:1], 5 * torch.randn(2, 30)])
    sharp = partial(rb.sigmoid_ranks, tau=0.02)
    torch.testing.assert_close(rb.gradient_cosine(SOFT, sharp, scores)[0], rb.gradient_cosine(SOFT, sharp, other)[0])


def test_the_seed_decides_and_global_randomness_stays():
    scores = torch.randn(3, 30)
    before = torch.get_rng_state()
    sharp = partial(rb.sigmoid_ranks, tau=0.02)
    assert torch.equal(rb.gradient_cosine(SOFT, sharp, scores, seed=1), rb.gradient_cosine(SOFT, sharp, scores, seed=1))
    assert not torch.equal(rb.gradient_cosine(SOFT, sharp, scores, seed=1), rb.gradient_cosine(SOFT, sharp, scores, seed=2))
    assert rb.rank_descent(SOFT, n=10, steps=3, seed=1) == rb.rank_descent(SOFT, n=10, steps=3, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
