"""The CUDA kernels compute what the steps say: on a GPU, or in Triton's interpreter where there is Triton and no GPU."""

import importlib.util
import os
import subprocess
import sys
import warnings

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.scenes import batch, gradients
from rankbook.ranks import fused
from rankbook.ranks.crossed import Crossed
from rankbook.ranks.smooth import SigmoidStep
from rankbook.ranks.suprank import SupStep

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
STEPS = [SigmoidStep(0.1), SupStep(0.1, 20.0, 0.15)]
STEP_NAMES = ["sigmoid", "sup"]
#: queries, scores, thresholds: one and many of each, none that fills its tiles.
SHAPES = [(3, 100, 3), (1, 37, 1), (2, 150, 5), (2, 20, 17)]
SMALL = fused.Tiles(rows=4, pairs=64, warps=1, columns=32, few_columns=32, pull_warps=1)


@pytest.fixture
def kernels(monkeypatch):
    """The kernels on this device, whatever it is."""
    if not CUDA:
        if not INTERPRETED:
            pytest.skip("no CUDA device; the last test of this file takes the interpreter")
        monkeypatch.setattr(fused, "_suits", lambda scores: scores.dtype == torch.float32)
        monkeypatch.setattr(fused, "TILES", SMALL)
    monkeypatch.setattr(fused, "_failed", False)
    monkeypatch.delenv("RANKBOOK_FUSED", raising=False)
    yield fused
    assert not fused._failed


def crossing(q, m, positives):
    """Scores with an absent item, one far ahead, and a tie with a threshold."""
    scores, thresholds = torch.randn(q, m) * 3, torch.randn(q, positives)
    scores[:, 5], scores[0, 7], thresholds[0, 0] = -torch.inf, 300.0, scores[0, 3]
    return scores.to(DEVICE), thresholds.to(DEVICE), torch.randn(q, positives).to(DEVICE)


def expected(step, scores, thresholds):
    """Values and slopes [q, R, m] in float64, by the step itself."""
    lead = (scores.double().unsqueeze(1) - thresholds.double().unsqueeze(2)) * step.scale
    values = torch.stack([step.sums(one.unsqueeze(-1)) for one in lead.clone()])
    return values, step.slopes_(lead)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("step", STEPS, ids=STEP_NAMES)
def test_sums_and_pulls_are_those_of_the_step(kernels, step, shape):
    scores, thresholds, weights = crossing(*shape)
    own = torch.randn_like(scores)
    values, slopes = expected(step, scores, thresholds)
    counts, slope_sums = kernels.sums(scores, thresholds, step.formula(), slopes=True)
    close = {"rtol": 1e-5, "atol": 1e-6, "check_dtype": False}
    assert_close(counts, values.sum(2), **close)
    assert_close(slope_sums, slopes.sum(2), **close)
    assert torch.equal(kernels.sums(scores, thresholds, step.formula(), slopes=False)[0], counts)
    apart = weights.double().unsqueeze(2) - own.double().unsqueeze(1)
    assert_close(kernels.pull(scores, thresholds, weights, step.formula()), (weights.double().unsqueeze(2) * slopes).sum(1), **close)
    assert_close(
        kernels.pull(scores, thresholds, weights, step.formula(), own=own), (apart * slopes).sum(1), rtol=1e-5, atol=1e-4, check_dtype=False
    )


@pytest.mark.parametrize("step", STEPS, ids=STEP_NAMES)
def test_one_pair_at_a_time(kernels, step):
    """Each lead from far behind to far ahead; an upper bound is never below the step, not even by rounding."""
    leads = torch.cat([torch.linspace(-5, 5, 41), torch.tensor([0.0, -0.0, 1e-8, -1e-8, 0.149, 200.0, -200.0, -torch.inf])])
    scores, thresholds = leads[:, None].to(DEVICE), torch.zeros(len(leads), 1, device=DEVICE)
    values, slopes = expected(step, scores, thresholds)
    counts, slope_sums = kernels.sums(scores, thresholds, step.formula(), slopes=True)
    assert_close(counts.double(), values[:, 0], rtol=1e-5, atol=1e-15)
    assert_close(slope_sums.double(), slopes[:, 0], rtol=1e-5, atol=1e-15)
    if isinstance(step, SupStep):
        assert (counts[leads >= 0] >= 1).all()


@pytest.mark.parametrize("step", STEPS, ids=STEP_NAMES)
def test_nan_stays_nan(kernels, step):
    scores = torch.zeros(1, 20, device=DEVICE)
    scores[0, 3] = torch.nan
    thresholds = torch.zeros(1, 2, device=DEVICE)
    counts, slope_sums = kernels.sums(scores, thresholds, step.formula(), slopes=True)
    pulled = kernels.pull(scores, thresholds, torch.ones_like(thresholds), step.formula())
    assert counts.isnan().all() and slope_sums.isnan().all()
    assert pulled.isnan().nonzero().tolist() == [[0, 3]]


LOSSES = [
    rb.SmoothAPLoss(0.1),
    rb.SupAPLoss(0.1, 3.0, 0.2),
    rb.RecallAtKLoss(tau_score=0.1),
    rb.SupRecallLoss(tau=0.1),
    rb.SmoothNDCGLoss(0.1),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_losses_are_the_same_by_kernels_and_in_blocks(kernels, loss, monkeypatch):
    embeddings, labels = (x.to(DEVICE) for x in batch((5, 4, 2, 2, 1), dtype=torch.float32))
    calls = []
    pull = kernels.pull
    monkeypatch.setattr(fused, "pull", lambda *args, **kwargs: calls.append(1) or pull(*args, **kwargs))
    found = gradients(lambda x: loss(x, labels), embeddings)
    assert calls
    wide = gradients(lambda x: loss(x, labels), embeddings.double())
    assert_close(found, wide, rtol=1e-4, atol=1e-6, check_dtype=False)
    monkeypatch.setenv("RANKBOOK_FUSED", "0")
    calls.clear()
    assert_close(gradients(lambda x: loss(x, labels), embeddings), wide, rtol=1e-4, atol=1e-6, check_dtype=False)
    assert not calls


def test_sigmoid_ranks_by_kernels_leave_absent_items_out(kernels):
    scores = torch.randn(3, 40)
    where = torch.rand(3, 40) < 0.7
    scores, where = scores.to(DEVICE), where.to(DEVICE)
    weights = torch.randn(3, 40, device=DEVICE)

    def of(x):
        return (rb.sigmoid_ranks(x, where=where, tau=0.3) * weights).sum()

    assert_close(
        rb.sigmoid_ranks(scores, where=where), rb.sigmoid_ranks(scores.double(), where=where), rtol=1e-5, atol=1e-5, check_dtype=False
    )
    value, grad = gradients(of, scores)
    assert_close((value, grad), gradients(of, scores.double()), rtol=1e-4, atol=1e-5, check_dtype=False)
    assert (grad[~where] == 0).all()


def test_wide_scores_and_steps_of_others_take_blocks(kernels):
    class Own(SigmoidStep):
        def sums(self, leads):
            return super().sums(leads) * 2

    scores = torch.zeros(1, 3, device=DEVICE)
    found = [fused.by_kernels(*case, lambda formula: formula) for case in ((Own(0.1), scores), (SigmoidStep(0.1), scores.double()))]
    assert found == [None, None]
    assert fused.by_kernels(SigmoidStep(0.1), scores, lambda formula: formula) == SigmoidStep(0.1).formula()


def pretend(monkeypatch):
    """There are kernels for these scores."""
    monkeypatch.setattr(fused, "_suits", lambda scores: True)
    monkeypatch.setattr(fused, "_kernels", lambda: "here")
    monkeypatch.setattr(fused, "_failed", False)
    monkeypatch.delenv("RANKBOOK_FUSED", raising=False)


def failing(*args, **kwargs):
    raise RuntimeError("no compiler")


@pytest.mark.parametrize("part", ["sums", "pull"])
def test_if_the_kernels_fail_blocks_take_over_with_one_warning(part, monkeypatch):
    """The same values from the same scores, whichever kernel fails."""
    step = SigmoidStep(0.1)
    scores, thresholds, weights = (x.cpu() for x in crossing(3, 100, 3))

    def run(scores):
        pairs = Crossed(scores, thresholds, step)
        return pairs.count(slopes=True), pairs.pull_(weights), scores

    right = run(scores.clone())
    pretend(monkeypatch)
    monkeypatch.setattr(fused, "sums", lambda *args, **kwargs: (right[0].clone(), right[1].clone()))
    monkeypatch.setattr(fused, "pull", failing)
    monkeypatch.setattr(fused, part, failing)
    with pytest.warns(UserWarning, match="kernels fail on this GPU.*no compiler") as heard:
        found = run(scores.clone())
    assert len(heard) == 1 and heard[0].filename == __file__
    assert_close(found, right, rtol=0, atol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_close(run(scores.clone()), right, rtol=0, atol=0)


def test_short_memory_is_no_failure_of_the_kernels(monkeypatch):
    def short(formula):
        raise torch.cuda.OutOfMemoryError("short")

    pretend(monkeypatch)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        fused.by_kernels(SigmoidStep(0.1), torch.zeros(1, 3), short)
    assert not fused._failed


def test_the_switch_turns_the_kernels_off(monkeypatch):
    pretend(monkeypatch)
    for value, runs in (("1", True), ("0", False)):
        monkeypatch.setitem(os.environ, "RANKBOOK_FUSED", value)
        assert (fused.by_kernels(SigmoidStep(0.1), torch.zeros(1, 3), lambda formula: True) is True) == runs


@pytest.mark.skipif(CUDA or INTERPRETED or importlib.util.find_spec("triton") is None, reason="the tests above ran, or there is no Triton")
def test_the_kernels_in_the_interpreter():
    """Another process: Triton looks at the switch when it is imported, and torch may have imported it already."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", __file__, "-q", "-rs", "-p", "no:cacheprovider"],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped" in done.stdout  # this one alone
