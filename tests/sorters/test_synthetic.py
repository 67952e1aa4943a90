"""Each kind of list has the distribution that its name says, and the mixtures have their shares."""

import pytest
import torch
from scipy import stats

import rankbook as rb
from rankbook.sorters.synthetic import KINDS, synthetic_kinds

N, LISTS = 20, 4000
SIGNIFICANT = 1e-4  # the seeds are fixed: a test that passes today passes tomorrow


def draw(mixture, n=N, batch=LISTS, **more):
    return rb.synthetic_scores(n, batch, mixture=mixture, generator=torch.Generator().manual_seed(0), **more)


def looks_like(sample, distribution):
    return stats.kstest(sample.flatten().double().numpy(), distribution).pvalue > SIGNIFICANT


UNIFORM = stats.uniform(-1, 2).cdf
NORMAL = stats.norm.cdf


def is_even(scores):
    """Lists whose values, in order, are evenly spaced."""
    steps = scores.sort(-1).values.diff(dim=-1)
    return (steps - steps.mean(-1, keepdim=True)).abs().amax(-1) < 1e-5


def test_uniform():
    scores = draw("uniform")
    assert looks_like(scores, UNIFORM)
    assert scores.abs().max() <= 1


def test_normal():
    assert looks_like(draw("normal"), NORMAL)


def test_fixed_grid():
    torch.testing.assert_close(draw("fixed grid"), torch.linspace(-1, 1, N).expand(LISTS, N))


def test_grid_goes_evenly_from_one_uniform_number_to_another():
    scores = draw("grid")
    steps = scores.diff(dim=-1)
    assert (steps - steps.mean(-1, keepdim=True)).abs().max() < 1e-5
    assert looks_like(scores[:, 0], "uniform") and looks_like(scores[:, -1], "uniform")
    assert abs(torch.corrcoef(scores[:, [0, -1]].T)[0, 1]) < 0.06
    assert 0.45 < (steps[:, 0] > 0).double().mean() < 0.55  # up or down


def test_shuffled_grid_is_a_grid_in_any_order():
    scores = draw("shuffled grid")
    assert is_even(scores).all()
    assert looks_like(scores.amin(-1), stats.beta(1, 2).cdf)  # the smaller of two uniform numbers
    places = scores.argmax(-1).bincount(minlength=N)  # of the highest: everywhere alike
    assert stats.chisquare(places).pvalue > SIGNIFICANT
    assert not torch.equal(scores[0].argsort(), scores[1].argsort())


def share_at_the_left(column):
    """Of the lists, how many have not come to their split yet: the place is uniform on 1..n-1."""
    return (N - 1 - column) / (N - 1)


def test_uniform_beside_normal():
    scores = draw("uniform | normal")
    assert looks_like(scores[:, 0], UNIFORM)
    assert looks_like(scores[:, -1], NORMAL)
    for column in range(N):
        share = share_at_the_left(column)
        assert looks_like(scores[:, column], lambda x, share=share: share * UNIFORM(x) + (1 - share) * NORMAL(x))
    # one split: what stands left of a number that only the normal can be is free, what stands right of it is normal too
    after = (scores.abs() > 1).cummax(-1).values[:, :-1]
    assert looks_like(scores[:, 1:][after], NORMAL)


def test_uniform_beside_uniform():
    assert looks_like(draw("uniform | uniform"), UNIFORM)


def test_shuffled_grid_beside_uniform():
    scores = draw("shuffled grid | uniform")
    assert ((scores[:, 0] >= 0) & (scores[:, 0] <= 1)).all()
    assert looks_like(scores[:, -1], UNIFORM)
    for column in (1, N // 2, N - 2):
        negative = (scores[:, column] < 0).double().mean().item()  # half of the uniform part, nothing of the grid
        assert negative == pytest.approx((1 - share_at_the_left(column)) / 2, abs=0.04)
    assert not is_even(scores).any()


def test_code_mixture_has_ten_equal_shares_and_says_which():
    scores, kinds = synthetic_kinds(N, LISTS, generator=torch.Generator().manual_seed(0))
    assert stats.chisquare(kinds.bincount(minlength=len(KINDS))).pvalue > SIGNIFICANT
    assert torch.equal(scores, draw("code"))
    of = {name: torch.cat([scores[kinds == index] for index, kind in enumerate(KINDS) if kind == name]) for name in KINDS}
    assert sum(map(len, of.values())) == LISTS
    assert looks_like(of["uniform"], UNIFORM) and looks_like(of["normal"], NORMAL) and looks_like(of["uniform | uniform"], UNIFORM)
    assert looks_like(of["uniform | normal"][:, 0], UNIFORM) and looks_like(of["uniform | normal"][:, -1], NORMAL)
    assert is_even(of["grid"]).all() and is_even(of["shuffled grid"]).all() and is_even(of["fixed grid"]).all()
    for name in ("grid", "shuffled grid"):
        assert 0 <= of[name].min() < 0.01 and 0.99 < of[name].max() <= 1
    rises = of["grid"].diff(dim=-1).sign()
    assert (rises == rises[:, :1]).all() and len(rises[:, 0].unique()) == 2
    assert (of["shuffled grid"].diff(dim=-1).sign().std(-1) > 0).all()
    assert (of["fixed grid"] == torch.linspace(-1, 1, N)).all()
    assert (of["shuffled grid | uniform"][:, 0] >= 0).all() and (of["shuffled grid | uniform"][:, -1] < 0).any()


def test_paper_mixture():
    """Both sides of the split draw one of three kinds: the first and the last item are mixtures of the three."""
    scores = draw("paper")
    low = torch.rand(200_000, 2, generator=torch.Generator().manual_seed(1)).mul(2).sub(1)
    grid = low[:, 0] + (low[:, 1] - low[:, 0]) * torch.randint(N, (len(low),)) / (N - 1)  # a value of a random grid

    def mixed(x):
        return (UNIFORM(x) + NORMAL(x) + torch.searchsorted(grid.sort().values, torch.as_tensor(x)).numpy() / len(grid)) / 3

    for column in (0, N // 2, N - 1):
        assert looks_like(scores[:, column], mixed)
    even = is_even(scores).double().mean().item()  # a grid on both sides is one grid, not split
    assert even == pytest.approx(1 / 9, abs=0.02)
    assert (scores[is_even(scores)].diff(dim=-1).sign().std(-1) > 0).all()  # in random order


@pytest.mark.parametrize("mixture", ["code", "paper", *dict.fromkeys(KINDS)])
def test_the_generator_decides_alone(mixture):
    before = torch.get_rng_state()
    first, second = draw(mixture, 7, 5), draw(mixture, 7, 5)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    if mixture != "fixed grid":
        generator = torch.Generator().manual_seed(0)
        again = [rb.synthetic_scores(7, 5, mixture=mixture, generator=generator) for _ in range(2)]
        assert not torch.equal(*again)
        rb.synthetic_scores(7, 5, mixture=mixture)
        assert not torch.equal(torch.get_rng_state(), before)  # without one it is torch's own


@pytest.mark.parametrize("mixture", ["code", "paper", *dict.fromkeys(KINDS)])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_short_lists(mixture, n):
    scores = draw(mixture, n, 50)
    assert scores.shape == (50, n)
    assert scores.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("mixture", ["code", "paper", "grid"])
def test_dtype(mixture, dtype):
    scores = draw(mixture, 7, 5, dtype=dtype)
    assert scores.dtype == dtype
    assert scores.device.type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("mixture", ["code", "paper", *dict.fromkeys(KINDS)])
def test_device(mixture):
    generator = torch.Generator("cuda").manual_seed(0)
    assert rb.synthetic_scores(7, 5, mixture=mixture, generator=generator, device="cuda").is_cuda


def test_errors():
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        rb.synthetic_scores(0, 3)
    with pytest.raises(ValueError, match=r'mixture must be "paper", "code", .*"fixed grid", got .cauchy'):
        rb.synthetic_scores(3, 3, mixture="cauchy")
