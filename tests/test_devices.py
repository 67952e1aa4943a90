"""Every ranker, metric and loss on every device in every precision: the numbers of float64 on the CPU, and the same refusals."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.contract import CASES
from losses.scenes import batch, family, gradients
from metrics.cases import METRICS, SOFT_CUTS, lists
from ranks.contract import RANKERS

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))]
#: name -> the dtype of the input, what runs around it, the relative error of values and of gradients (whose dtype is the input's).
MODES = {
    "float64": (torch.float64, nullcontext, 1e-9, 1e-7),
    "float32": (torch.float32, nullcontext, 1e-4, 1e-3),
    "bfloat16": (torch.bfloat16, nullcontext, 1e-4, 2e-2),
    "float16": (torch.float16, nullcontext, 1e-4, 5e-3),
    "autocast": (torch.float32, torch.autocast, 1e-4, 1e-3),
    "unchecked": (torch.float32, rb.checks.off, 1e-4, 1e-3),
}
FORMULAS = [ranker for ranker in RANKERS if not ranker.learned and ranker.name != "perturbed"]  # another device draws other noise
on_devices = pytest.mark.parametrize("device", DEVICES)
in_modes = pytest.mark.parametrize("mode", MODES)


def around(mode, device):
    within = MODES[mode][1]
    return within(device, torch.bfloat16) if within is torch.autocast else within()


def agree(found, expected, error, what):
    """Up to an error relative to the largest number."""
    found, expected = found.double().cpu(), expected.double()
    assert_close(found, expected, rtol=0, atol=error * max(expected.abs().max().item(), 1e-3), msg=lambda text: f"{what}: {text}")


@on_devices
@in_modes
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_losses(case, mode, device):
    """Classes of unequal sizes, several blocks of tiles."""
    dtype, _, error, grad_error = MODES[mode]
    embeddings, labels = batch((4, 3, 2, 2, 1, 9, 5, 5, 4))
    embeddings, labels = embeddings.to(dtype), family(labels)
    loss = case.make()
    expected = gradients(lambda x: loss(x, labels), embeddings.double())
    with around(mode, device):
        found = gradients(lambda x: loss(x, labels.to(device)), embeddings.to(device))
    assert found[0].device.type == found[1].device.type == device
    assert found[0].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert found[1].dtype == dtype
    agree(found[0], expected[0], error, "loss")
    agree(found[1], expected[1], grad_error, "gradient")


@on_devices
@in_modes
@pytest.mark.parametrize("ranker", FORMULAS, ids=str)
def test_rankers(ranker, mode, device):
    """Two lists of 70 items, some of them absent."""
    dtype, _, error, grad_error = MODES[mode]
    scores, relevance = torch.randn(2, 70, dtype=torch.float64).to(dtype), torch.rand(2, 70) < 0.2
    where, weight = torch.rand(2, 70) < 0.8, torch.randn(2, 70, dtype=torch.float64)

    def weighed(x):
        ranks = ranker.soft(x, relevance.to(x.device), where=where.to(x.device))
        return (ranks.double() * weight.to(x.device)).sum() + 0 * x.sum()  # exact ranks have no gradient

    expected = gradients(weighed, scores.double())
    with around(mode, device):
        found = gradients(weighed, scores.to(device))
        ranks = ranker.soft(scores.to(device), relevance.to(device), where=where.to(device))
    assert ranks.device.type == found[1].device.type == device
    assert found[1].dtype == dtype
    agree(ranks, ranker.soft(scores.double(), relevance, where=where), error, "ranks")
    agree(found[1], expected[1], grad_error, "gradient")


@on_devices
@in_modes
@pytest.mark.parametrize("case", METRICS + SOFT_CUTS, ids=repr)
def test_metrics(case, mode, device):
    dtype, _, error, _ = MODES[mode]
    scores, relevance = lists(4, 50)
    scores = scores.to(dtype)
    with around(mode, device):
        found = case.metric(scores.to(device), relevance.to(device), reduction="none")
    assert found.device.type == device
    agree(found, case.metric(scores.double(), relevance, reduction="none"), error, "values")


@on_devices
def test_evaluation(device):
    embeddings, labels = batch((4, 3, 2, 2, 1, 9, 5, 5, 4), dtype=torch.float32)
    found = rb.evaluate_retrieval(embeddings.to(device), labels.to(device))
    assert found == pytest.approx(rb.evaluate_retrieval(embeddings.double(), labels), rel=1e-6)


@on_devices
@pytest.mark.parametrize("home", ["there", "on the CPU"])
def test_the_gap(device, home):
    """Labels and batches may stay on the CPU."""
    embeddings, labels = batch((4, 3, 2, 2, 1, 9, 5, 5, 4), dtype=torch.float32)
    thinned = {"AP": partial(rb.thinned_average_precision, kept_positives=2, kept_negatives=5)}
    batches, place = torch.randperm(len(labels)).split(6), device if home == "there" else "cpu"
    there = embeddings.to(device), labels.to(place)
    found = rb.decomposability_gap(*there, [index.to(place) for index in batches], reduction="none")
    expected = rb.decomposability_gap(embeddings.double(), labels, batches, reduction="none")
    assert all(of.device.type == device for of in found.values())
    assert {name: of.tolist() for name, of in found.items()} == {
        name: pytest.approx(of.tolist(), abs=1e-6) for name, of in expected.items()
    }
    predicted = rb.evaluate_retrieval(embeddings.double(), labels, metrics=thinned)
    assert rb.evaluate_retrieval(*there, metrics=thinned) == pytest.approx(predicted, rel=1e-6)


@on_devices
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_nan_in_embeddings_is_named(case, device):
    embeddings, labels = batch(dtype=torch.float32)
    embeddings[3, 2] = torch.nan
    with pytest.raises(ValueError, match="embeddings"):
        case.make()(embeddings.to(device), family(labels).to(device))


@on_devices
@pytest.mark.parametrize("ranker", FORMULAS, ids=str)
def test_nan_in_scores_is_named(ranker, device):
    scores = torch.tensor([0.3, torch.nan, 0.1], device=device)
    with pytest.raises(ValueError, match="scores"):
        ranker.soft(scores, torch.tensor([1, 0, 0], device=device))
