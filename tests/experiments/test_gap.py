"""The study of the gap: draws, batches and trainings against slow or explicit versions."""

import numpy as np
import pytest
import torch

import rankbook as rb
from rankbook.experiments.gap import training
from rankbook.experiments.gap.draws import draw, pool
from rankbook.experiments.gap.measures import ap_of_each, dealt, gap_on, violations, with_bounds
from rankbook.experiments.gap.training import LOSSES, Training, backward, first_weights, shape, trained


@pytest.fixture(scope="module")
def scene(birds):
    data = draw("cub", birds, 0).train
    return torch.nn.functional.normalize(data.inputs, dim=1), data.labels


# --- draws ---


def test_no_class_is_in_two_parts_and_seeds_draw_others(birds, shelf):
    for data, root in (("emoji", None), ("cub", birds), ("grocery", shelf)):
        one, other = draw(data, root, 0), draw(data, root, 1)
        parts = [set(part.labels.tolist()) for part in (one.train, one.validation.queries, one.test.queries)]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        seen, unseen = (set(part.labels.tolist()) for part in (pool(data, root).seen, pool(data, root).unseen))
        assert parts[0] | parts[1] == seen and parts[2] < unseen
        assert parts[0] != set(other.train.labels.tolist()) and parts[2] != set(other.test.queries.labels.tolist())
        draw.cache_clear()
        assert torch.equal(draw(data, root, 0).train.inputs, one.train.inputs)
        assert torch.allclose(one.train.inputs.norm(dim=1), torch.ones(len(one.train)), atol=1e-5)


def test_groceries_are_looked_for_among_photographs_of_another_day(shelf):
    one = draw("grocery", shelf, 0)
    assert set(one.train.table["split"]) == set(one.test.gallery.table["split"]) == {"train"}
    assert set(one.test.queries.table["split"]) == {"test"} and set(one.validation.queries.table["split"]) == {"validation"}
    for judged in (one.validation, one.test):
        assert set(judged.gallery.labels.tolist()) == set(judged.queries.labels.tolist())
        found = judged.measure(torch.nn.Identity())
        nearest = judged.gallery.labels[(judged.queries.inputs @ judged.gallery.inputs.T).argmax(1)]
        assert found["R@1"] == pytest.approx((nearest == judged.queries.labels).double().mean().item())


# --- batches and the gap ---


@pytest.mark.parametrize(("classes", "per_class"), [(4, 2), (3, 4), (60, 2)])
def test_batches_are_a_partition_with_so_many_classes(classes, per_class):
    labels = torch.randint(20 if classes < 20 else 60, (400,), generator=torch.Generator().manual_seed(1))
    batches, full = dealt(labels, classes, per_class, seed=0)
    assert torch.equal(torch.cat(batches).sort().values, torch.arange(400))
    for rows in batches:
        held = labels[rows].unique(return_counts=True)[1]
        assert full[rows].all() == full[rows].any() == (len(held) == classes)
        assert held.max() <= per_class + 1  # what would be left alone joins the hand before it
        assert len(held) <= classes
    assert full.any()
    assert all(torch.equal(a, b) for a, b in zip(batches, dealt(labels, classes, per_class, seed=0)[0], strict=True))


def test_the_gap_is_that_of_the_package(scene):
    x, y = scene
    batches, full = dealt(y, 8, 3, seed=0)
    full[batches[0]] = False  # what is not counted does not count
    found = gap_on(x, y, batches, full, ap_of_each(x, y))
    package = rb.decomposability_gap(x, y, batches, reduction="none")
    for name in ("gap", "batch"):
        assert found[name] == pytest.approx(package[name][full].mean().item(), abs=1e-6)
    bounds = with_bounds(x, y, batches, full, 8, 3)
    for name in ("gap", "whole", "bound", "calibrated_bound"):
        assert bounds[name] == pytest.approx(package[name][full].mean().item(), abs=1e-6)
    counted = [rows for rows in batches if full[rows].all()]
    in_batch = [rb.evaluate_retrieval(x[rows], y[rows], metrics={"AP": rb.average_precision}, reduction="none")["AP"] for rows in counted]
    assert found["perfect"] == pytest.approx((torch.cat(in_batch) == 1).double().mean().item(), abs=1e-9)
    assert found["solved"] == pytest.approx(np.mean([bool((ap == 1).all()) for ap in in_batch]), abs=1e-9)
    assert 0 < found["perfect"] < 1
    where, same = rb.leave_query_out(len(y)), y[:, None] == y
    thin = rb.thinned_average_precision(x @ x.T, same, kept_positives=2, kept_negatives=21, where=where, reduction="none")
    assert bounds["predicted"] == pytest.approx((thin - package["whole"])[full].mean().item(), abs=1e-5)
    assert 0.1 < bounds["predicted"] < bounds["gap"]


def test_violations_are_pairs_on_the_wrong_side(scene):
    x, y = scene[0][:60], scene[1][:60]
    pulled, pushed = [], []
    for i in range(60):
        for j in range(60):
            if i != j:
                (pulled if y[i] == y[j] else pushed).append(float(x[i] @ x[j]))
    found = violations(x, y)
    assert found["bad_positives"] == pytest.approx(np.mean(np.array(pulled) < 0.9))
    assert found["bad_negatives"] == pytest.approx(np.mean(np.array(pushed) > 0.6))


# --- trainings ---


def test_trainings_of_a_seed_share_weights_and_embed_as_many_items(birds, short, monkeypatch):
    seen = {}
    real = training.backward

    def watched(head, loss, memory, data, rows):
        seen.setdefault(current, []).append((head.linear.weight.detach().clone(), rows))
        return real(head, loss, memory, data, rows)

    monkeypatch.setattr(training, "backward", watched)
    for current in (("Smooth-AP", 32), ("ROADMAP .5", 32), ("Smooth-AP", None), ("Smooth-AP, memory", 32)):
        loss, batch = current
        end = trained(Training("cub", loss, batch, 0.01, 3), birds)
        assert list(end.weights) == [0.25, 0.5, 1.0] or batch is None
    first = first_weights(12, 3).linear.weight
    assert all(torch.equal(steps[0][0], first) for steps in seen.values())
    assert all(torch.equal(a[1], b[1]) for a, b in zip(seen["Smooth-AP", 32], seen["ROADMAP .5", 32], strict=True))
    assert [sum(len(rows) for _, rows in steps) for steps in seen.values()] == [640, 640, 450, 640]
    assert len(seen["Smooth-AP", None]) == 1


def test_the_trail_has_the_weights_before_the_last_steps(birds, short):
    which = Training("cub", "Smooth-AP", 32, 0.01, 0)
    end = trained(which, birds, trail=3)
    assert torch.equal(end.weights[1.0], trained(which, birds).weights[1.0])
    assert len(end.trail[0.5]) == 3
    away = [(end.weights[1.0] - old).norm().item() for old in end.trail[1.0]]
    assert away == sorted(away) and away[0] > 0


def test_large_batches_have_the_gradient_of_one_pass(birds, monkeypatch):
    data, rows = draw("cub", birds, 0).train, torch.arange(300)
    heads = [first_weights(12, 0) for _ in range(2)]
    backward(heads[0], LOSSES["Smooth-AP"](), None, data, rows)
    monkeypatch.setattr(training, "ONE_PASS", 100)
    monkeypatch.setattr(training, "CHUNK", 64)
    backward(heads[1], LOSSES["Smooth-AP"](), None, data, rows)
    torch.testing.assert_close(heads[0].linear.weight.grad, heads[1].linear.weight.grad, rtol=1e-4, atol=1e-7)


def test_shapes_of_batches():
    labels = torch.arange(75).repeat_interleave(30)
    assert [shape(size, labels) for size in (16, 128, 400, 1000)] == [(4, 4), (32, 4), (75, 5), (75, 13)]
