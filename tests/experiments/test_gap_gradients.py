"""Gradients of batches and of the whole: against autograd, an explicit memory, and averages that are really made."""

import math

import numpy as np
import pytest
import torch

import rankbook as rb
from rankbook.experiments.gap import gradients
from rankbook.experiments.gap.draws import draw
from rankbook.experiments.gap.gradients import cosine_of_average, filled, measure_gradients, states, summary
from rankbook.experiments.gap.training import LOSSES, head_of


def test_the_batch_of_everything_is_the_whole(birds, short, monkeypatch):
    """One training batch that holds all items has the whole gradient: cosine and length 1, whatever is averaged."""
    monkeypatch.setattr(gradients, "batches", lambda data, size, seed: iter(lambda: torch.arange(len(data)), None))
    config = {"data": "cub", "lr": 0.01, "seed": 0, "share": 0.5, "loss": "ROADMAP .5", "way": "batch", "batch": 1000}
    found = measure_gradients(config, birds)
    for name in ("cosine", "along", "square", "mean_square"):
        assert found[name] == pytest.approx(1, abs=1e-4)
    data = draw("cub", birds, 0).train
    weight = states("cub", birds, 0.01, 0)[0.5][0].clone().requires_grad_()
    embeddings = torch.nn.functional.normalize(data.inputs @ weight.T, dim=1)
    (own,) = torch.autograd.grad(rb.ROADMAPLoss(0.5)(embeddings, data.labels), weight)
    (goal,) = torch.autograd.grad(
        rb.SmoothAPLoss(tau=0.01)(torch.nn.functional.normalize(data.inputs @ weight.T, dim=1), data.labels), weight
    )
    cosine = torch.nn.functional.cosine_similarity(own.flatten(), goal.flatten(), dim=0).item()
    assert found["cosine_ap"] == pytest.approx(cosine, abs=1e-4)


def test_a_memory_is_a_gallery_without_gradient(birds, short):
    data = draw("cub", birds, 0).train
    now, before = head_of(states("cub", birds, 0.01, 0)[1.0][0]), head_of(states("cub", birds, 0.01, 0)[1.0][3])
    rows, old = torch.arange(0, 60), torch.arange(40, 120)
    memory = filled(LOSSES["Smooth-AP"](), data, [(before, old)])
    found = torch.autograd.grad(memory(LOSSES["Smooth-AP"](), now(data.inputs[rows]), data.labels[rows], rows), now.linear.weight)[0]
    embeddings = now(data.inputs[rows])
    everyone = torch.cat([embeddings, before(data.inputs[old]).detach()])
    where = torch.cat([torch.ones(60, 60, dtype=torch.bool), rows[:, None] != old], dim=1)
    loss = rb.SmoothAPLoss(tau=0.01)(
        embeddings, data.labels[rows], everyone, data.labels[torch.cat([rows, old])], self_index=torch.arange(60), where=where
    )
    torch.testing.assert_close(found, torch.autograd.grad(loss, now.linear.weight)[0], rtol=1e-4, atol=1e-7)


def test_a_stale_memory_was_embedded_by_the_steps_before(birds, short, monkeypatch):
    """The oldest first, as they came in; a fresh one by the weights of now."""
    kept, real = {}, gradients.filled

    def watched(loss, samples, parts):
        kept[way] = [head.linear.weight.detach() for head, _ in parts]
        return real(loss, samples, parts)

    monkeypatch.setattr(gradients, "filled", watched)
    monkeypatch.setattr(gradients, "DRAWN", {128: 2})
    config = {"data": "cub", "lr": 0.01, "seed": 0, "share": 1.0, "loss": "Smooth-AP", "batch": 128}
    for way in ("memory", "stale memory"):
        measure_gradients(config | {"way": way}, birds)
    now, *before = states("cub", birds, 0.01, 0)[1.0]
    assert all(torch.equal(weight, now) for weight in kept["memory"])
    assert len(kept["stale memory"]) == len(before) == 5  # of a training of five steps
    assert all(torch.equal(*pair) for pair in zip(kept["stale memory"], before[::-1], strict=True))


def test_length_and_cosine_of_averages_are_those_of_many_draws():
    """Noise around a biased mean in 2,000 dimensions: what 40 batches tell against averages that are really made."""
    g = torch.Generator().manual_seed(0)
    whole, bias = torch.randn(2, 2000, generator=g, dtype=torch.float64)
    mean = 0.8 * whole / whole.norm() + 0.6 * bias / bias.norm()

    def batches(n):
        return mean + 3 * torch.randn(n, 2000, generator=g, dtype=torch.float64) / 2000**0.5

    whole = whole / whole.norm()
    lines = [summary(batches(40), whole, bias) for _ in range(30)]
    line = {name: np.mean([one[name] for one in lines]) for name in lines[0]}
    assert line["mean_square"] == pytest.approx(mean.square().sum().item(), abs=0.05)
    assert line["square"] == pytest.approx(mean.square().sum().item() + 9, rel=0.02)
    for k in (1, 4, 64):
        made = torch.stack([torch.nn.functional.cosine_similarity(batches(k).mean(0), whole, dim=0) for _ in range(60)]).mean()
        assert cosine_of_average(line, k) == pytest.approx(made.item(), abs=0.03)
        assert cosine_of_average(line, 1) == pytest.approx(line["cosine"], abs=0.02)
    limit = torch.nn.functional.cosine_similarity(mean, whole, dim=0).item()
    assert cosine_of_average(line, math.inf) == pytest.approx(limit, abs=0.03) and limit < 0.85
    assert math.isnan(cosine_of_average(line | {"mean_square": -0.1}, math.inf))
    with_silent = summary(torch.stack([whole, torch.zeros_like(whole)]), whole, bias)
    assert (with_silent["silent"], with_silent["cosine"]) == (0.5, pytest.approx(0.5))
