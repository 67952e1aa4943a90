"""Training a sorter: it learns, it resumes to the same bits, it keeps the time, and it says what is wrong."""

from functools import partial
from itertools import count

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

import rankbook as rb
from rankbook.sorters import training
from sorters.models import small


def knots():
    return rb.KnotSorter(knots=40)


def kernel():
    torch.manual_seed(0)
    return rb.KernelSorter(hidden=4)


@pytest.fixture
def quick(monkeypatch):
    """Evaluations that take no time; what they say is tested where this is not asked for."""
    monkeypatch.setattr(training, "rank_descent", partial(rb.rank_descent, steps=2))
    monkeypatch.setattr(training, "_CHECKED", 20)


def test_loss_and_error_fall_and_descent_rises(monkeypatch):
    monkeypatch.setattr(training, "rank_descent", partial(rb.rank_descent, lists=4))
    sorter = rb.SetTransformerSorter(hidden=16, layers=1, inducing=4)
    before = rb.rank_error(sorter, rb.synthetic_scores(20, 500)).mean().item()
    history = rb.train_sorter(sorter, steps=150, n=20, batch=16, every=75, lr=0.01)
    assert history.columns.tolist() == ["step", "loss", "error", "descent", "cpu_seconds"]
    assert history["step"].tolist() == [75, 150]
    assert history["loss"].is_monotonic_decreasing
    assert history["error"].iloc[-1] < history["error"].iloc[0] < 0.5 * before
    assert history["descent"].iloc[-1] > 0.5
    assert history["cpu_seconds"].is_monotonic_increasing
    assert not sorter.training
    lists = rb.synthetic_scores(20, 500, generator=torch.Generator().manual_seed(1))  # the error is that of other lists: seed + 1
    assert history["error"].iloc[-1] == pytest.approx(rb.rank_error(sorter, lists).mean().item(), abs=1e-6)


def test_guidance_turns_the_gradient_toward_the_goal():
    """More error, more descent: what it is for."""
    ends = {guidance: rb.train_sorter(kernel(), steps=100, n=30, batch=16, lr=0.03, guidance=guidance).iloc[-1] for guidance in (0.0, 0.3)}
    assert ends[0.3]["descent"] > ends[0.0]["descent"] + 0.03
    assert ends[0.3]["error"] > ends[0.0]["error"]


@pytest.mark.parametrize("make", [knots, lambda: small(rb.ConvSorter), kernel], ids=["knots", "batch normalization", "guided"])
def test_resumes_after_a_kill_to_the_same_bits(make, tmp_path, quick):
    arguments = {"steps": 12, "batch": 4, "every": 4, "lr": 0.01, "n": (5, 20), "guidance": 0.1}
    if make().length:
        arguments |= {"n": None, "guidance": 0.0}
    whole = make()
    expected = rb.train_sorter(whole, **arguments)

    killed, calls = make(), count(1)
    calls_of_a_step = 2 if arguments["guidance"] else 1

    def kill(sorter, _):
        if sorter.training and next(calls) == 7 * calls_of_a_step:
            raise KeyboardInterrupt

    killed.register_forward_pre_hook(kill)
    with pytest.raises(KeyboardInterrupt):
        rb.train_sorter(killed, checkpoint=tmp_path / "state.pt", **arguments)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["history"][-1]["step"] == 4
    resumed = make()
    with torch.no_grad():
        for weights in resumed.parameters():
            weights.zero_()  # whatever it holds, the checkpoint decides
    torch.manual_seed(5)
    history = rb.train_sorter(resumed, checkpoint=tmp_path / "state.pt", **arguments)
    for ours, theirs in zip(resumed.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert history.drop(columns="cpu_seconds").equals(expected.drop(columns="cpu_seconds"))


class Clock:
    """A batch takes a second, an evaluation an hour."""

    def __init__(self, monkeypatch):
        self.now = 1e6
        monkeypatch.setattr(training.time, "process_time", lambda: self.now)
        for name, seconds in (("exact_ranks", 1), ("rank_error", 3600)):
            monkeypatch.setattr(training, name, self.slow(getattr(training, name), seconds))

    def slow(self, function, seconds):
        def wrapped(*args, **kwargs):
            self.now += seconds
            return function(*args, **kwargs)

        return wrapped


def test_cpu_seconds_leave_out_evaluation_and_go_on_after_a_kill(tmp_path, quick, monkeypatch):
    clock = Clock(monkeypatch)
    arguments = {"steps": 16, "n": 5, "batch": 4, "every": 4, "checkpoint": tmp_path / "state.pt"}
    killed, calls = knots(), count(1)

    def kill(sorter, _):
        if sorter.training and next(calls) == 11:
            raise KeyboardInterrupt

    killed.register_forward_pre_hook(kill)
    with pytest.raises(KeyboardInterrupt):
        rb.train_sorter(killed, **arguments)
    clock.now = 0.0  # another process
    assert rb.train_sorter(knots(), **arguments)["cpu_seconds"].tolist() == [4, 8, 12, 16]


def test_another_number_of_steps_is_another_training(tmp_path, quick):
    rb.train_sorter(knots(), steps=4, n=5, checkpoint=tmp_path / "state.pt")
    with pytest.raises(ValueError, match="belongs to another training") as error:
        rb.train_sorter(knots(), steps=6, n=5, checkpoint=tmp_path / "state.pt")
    assert "steps must be 4" in str(error.value.__cause__)


def lengths_seen(n, steps=60):
    sorter, seen = knots(), []
    sorter.register_forward_pre_hook(lambda sorter, given: seen.append(given[0].shape[-1]) if sorter.training else None)
    rb.train_sorter(sorter, steps=steps, n=n, batch=2)
    return torch.tensor(seen)


def test_each_batch_draws_its_length(quick):
    seen = lengths_seen((4, 64), steps=200)
    assert seen.min() <= 5 and seen.max() >= 58 and seen.min() >= 4 and seen.max() <= 64
    assert (seen < 16).double().mean() == pytest.approx(0.5, abs=0.1)  # evenly on a logarithmic scale
    assert set(lengths_seen(7, steps=2).tolist()) == {7}


def test_length_is_the_sorters_own_or_100(quick):
    assert set(lengths_seen(None, steps=2).tolist()) == {100}
    sorter = small(rb.MLPSorter)
    assert rb.train_sorter(sorter, steps=2)["step"].tolist() == [2]


def test_another_length_than_the_sorters_is_refused():
    for n in (20, (5, 12)):
        with pytest.raises(ValueError, match=r"n must be 12, the length that this MLPSorter was built for, got"):
            rb.train_sorter(small(rb.MLPSorter), steps=1, n=n)


@pytest.mark.parametrize("n", [0, 1, -3, (5, 3), (0, 5), (1, 1)])
def test_impossible_lengths_are_refused(n):
    with pytest.raises(ValueError, match="n must be at least 2, or a pair"):
        rb.train_sorter(knots(), steps=1, n=n)


def test_the_seed_decides_and_global_randomness_stays(quick):
    before = torch.get_rng_state()
    ends = [rb.train_sorter(knots(), steps=3, n=10, seed=seed)["loss"].item() for seed in (0, 0, 1)]
    assert ends[0] == ends[1] != ends[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_mixture_is_that_of_the_lists(quick):
    losses = {mixture: rb.train_sorter(knots(), steps=3, n=30, mixture=mixture)["loss"].item() for mixture in ("code", "normal")}
    assert losses["code"] != losses["normal"]
    with pytest.raises(ValueError, match=r'mixture must be "paper", "code", .* got .cauchy'):
        rb.train_sorter(knots(), steps=3, mixture="cauchy")


def test_gradients_are_clipped_at_norm_1(quick):
    sorter, norms = small(rb.MLPSorter), []
    with torch.no_grad():
        for weights in sorter.parameters():
            weights *= 3  # steep
    mine = set(sorter.parameters())

    def measure(adam, *_):
        if mine == set(adam.param_groups[0]["params"]):
            norms.append(torch.cat([weights.grad.flatten() for weights in mine]).norm().item())

    hook = register_optimizer_step_post_hook(measure)
    try:
        rb.train_sorter(sorter, steps=5)
    finally:
        hook.remove()
    assert len(norms) == 5
    assert max(norms) == pytest.approx(1, abs=1e-3)


def test_a_loss_that_is_not_finite_stops_the_training():
    sorter = knots()
    with torch.no_grad():
        sorter.weight[0] = torch.nan
    with pytest.raises(FloatingPointError, match="the loss is nan at step 1"):
        rb.train_sorter(sorter, steps=5, n=10)


def test_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"state\.pt is damaged, or not one of this version .* delete it"):
        rb.train_sorter(knots(), steps=5, n=10, checkpoint=tmp_path / "state.pt")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("make", [knots, lambda: small(rb.BiLSTMSorter)], ids=["knots", "lstm"])
def test_trains_on_the_device_of_the_sorter(make):
    sorter = make().cuda()
    history = rb.train_sorter(sorter, steps=4, n=sorter.length or 10, every=2)
    assert history["loss"].notna().all()
    assert next(sorter.parameters()).is_cuda
