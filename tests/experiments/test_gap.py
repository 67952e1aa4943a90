"""The study of the gap: draws, batches, trainings and gradients against slow or explicit versions; and the tables that are stored."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import rankbook as rb
from daily import dice
from rankbook.experiments.gap import __main__ as command
from rankbook.experiments.gap import gradients, training
from rankbook.experiments.gap.draws import SETS, draw, pool
from rankbook.experiments.gap.gradients import cosine_of_average, filled, measure_gradients, states, summary, whole_gradient
from rankbook.experiments.gap.measures import ap_of_each, dealt, gap_on, violations, with_bounds
from rankbook.experiments.gap.reading import at_equal_ap, named
from rankbook.experiments.gap.tables import MEASURED, TEST_SEEDS, Tables, chosen, run_shape, run_training
from rankbook.experiments.gap.training import LOSSES, Training, backward, first_weights, head_of, shape, trained
from rankbook.experiments.runs import key
from rankbook.experiments.tables import read_lines, stored_path, stored_table


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """200 species with 6 items each, as features: directions in noise."""
    root = tmp_path_factory.mktemp("birds")
    g = np.random.default_rng(0)
    images = [f"{c:03}.Bird/{i}.jpg" for c in range(1, 201) for i in range(6)]
    features = np.repeat(g.normal(size=(200, 12)), 6, axis=0) + g.normal(size=(1200, 12))
    np.savez(root / "features_lite0.npz", image=images, X=features)
    return root


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """12 products in all three lists, as features."""
    root, g = tmp_path_factory.mktemp("shelf"), np.random.default_rng(0)
    centers, images, features = g.normal(size=(12, 8)), [], []
    for split, many in (("train", 6), ("val", 2), ("test", 3)):
        files = [(f"{split}/Fruit/{c}/{i}.jpg", c) for c in range(12) for i in range(many)]
        (root / f"{split}.txt").write_text("".join(f"{file}, {c}, {c}\n" for file, c in files))
        images += [file for file, _ in files]
        features += [centers[c] + g.normal(size=8) for _, c in files]
    (root / "classes.csv").write_text("head\n" + "".join(f"P{c},{c},C{c},{c}\n" for c in range(12)))
    np.savez(root / "features_lite0.npz", image=images, X=np.array(features))
    return root


@pytest.fixture
def short(monkeypatch):
    """Trainings of a few steps; what other tests trained is forgotten before and after."""
    cached = (trained, states, whole_gradient)
    monkeypatch.setattr(training, "ITEMS", 640)
    for one in cached:
        one.cache_clear()
    yield
    for one in cached:
        one.cache_clear()


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


# --- gradients ---


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


# --- reading ---


def test_values_at_equal_quality_are_interpolated_for_each_training():
    lines = [
        {"data": "cub", "loss": loss, "batch": batch, "seed": 0, "share": share, "whole": whole, "gap@128": gap}
        for loss, batch, stages in (
            ("a", 128.0, ((0.25, 0.5, 0.3), (0.5, 0.7, 0.2), (1.0, 0.9, 0.1))),
            ("a", math.nan, ((0.25, 0.6, 0.2), (1.0, 0.8, 0.1))),
        )
        for share, whole, gap in stages
    ]
    table = pd.DataFrame(lines)
    found, level = at_equal_ap(table, "gap@128")
    assert level == pytest.approx(0.7) and found["value"].tolist() == pytest.approx([0.2, 0.15])
    assert named(found).tolist() == ["a, 128", "a, whole"]
    with pytest.raises(ValueError, match=r"between 0\.600 and 0\.800, got 0\.850"):
        at_equal_ap(table, "gap@128", 0.85)
    with pytest.raises(ValueError, match="one data set, got cub, emoji"):
        at_equal_ap(pd.concat([table, table.assign(data="emoji")]), "gap@128")


# --- the command ---


def test_one_seed_from_end_to_end(shelf, short, tmp_path, monkeypatch, capsys):
    """On a set whose three tables are small: resumed, complete, and what the list says."""
    tables = Tables("grocery", shelf, tmp_path)
    monkeypatch.setattr("rankbook.experiments.gap.tables.SHAPES", {"grocery": ((4, 2), (4, 3))})
    monkeypatch.setattr("rankbook.experiments.gap.tables.GRADIENTS", {"grocery": ("Smooth-AP",)})
    monkeypatch.setattr("rankbook.experiments.gap.tables.MEASURED", (16,))
    monkeypatch.setattr("rankbook.experiments.gap.tables.DRAWN", {16: 3})
    monkeypatch.setattr(gradients, "DRAWN", {16: 3, 128: 2})
    command.main(["grocery", "--root", str(shelf), "--seeds", "1", "--folder", str(tmp_path)])
    assert "seed 0 of grocery" in capsys.readouterr().out
    wanted = tables.wanted((0,))
    for name, lines in wanted.items():
        assert {line["config"] for line in read_lines(tmp_path / f"{name}.csv")} == {key(line) for line in lines}
    assert {line["way"] for line in wanted["gap_gradients"]} == {"batch", "memory", "stale memory"}
    tuning = pd.DataFrame([{"loss": "a", "batch": None, "lr": lr, "mAP@R": value} for lr, value in ((0.1, 0.5), (0.03, 0.6), (0.01, 0.6))])
    assert chosen(tuning) == {("a", None): 0.01}
    before = (tmp_path / "gap_training.csv").read_bytes()
    monkeypatch.setattr("rankbook.experiments.gap.tables.trained", lambda *args: pytest.fail("all is there"))
    tables.complete(0)
    assert (tmp_path / "gap_training.csv").read_bytes() == before


@pytest.mark.parametrize(("arguments", "said"), [(["cub"], "every other set needs it"), (["emoji", "--root", "x"], "takes no --root")])
def test_the_command_says_what_it_needs(arguments, said, capsys, tmp_path):
    with pytest.raises(SystemExit):
        command.main([*arguments, "--folder", str(tmp_path)])
    assert said in capsys.readouterr().err


def test_without_a_set_nothing_runs(capsys, tmp_path):
    command.main(["--folder", str(tmp_path)])
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [*SETS]


# --- what is stored ---


@pytest.mark.parametrize("data", SETS)
def test_stored_tables_are_complete(data):
    """Every line of every seed, and no other; values in their ranges."""
    for name, lines in Tables(data).wanted(TEST_SEEDS).items():
        held = [line for line in read_lines(stored_path(name)) if f'"data":"{data}"' in line["config"]]
        assert {line["config"] for line in held} == {key(line) for line in lines}
        assert {line["command"] for line in held} <= {Tables(data).command}
    assert len(TEST_SEEDS) >= 5
    test = stored_table("gap_training").query("data == @data and split == 'test'")
    for size in MEASURED:
        assert test[f"gap@{size}"].between(-0.2, 1).all() and test[f"perfect@{size}"].between(0, 1).all()
    assert test[["whole", "bad_positives", "bad_negatives", "mAP@R", "R@1"]].stack().between(0, 1).all()
    assert not set(stored_table("gap_training").query("split == 'validation'")["seed"]) & set(TEST_SEEDS)


@pytest.mark.parametrize(("name", "run"), [("gap_training", run_training), ("gap_shapes", run_shape), ("gap_gradients", measure_gradients)])
def test_a_stored_line_can_be_made_again(name, run):
    """Another one every day, of the bundled set and of batches of 128, which train within a second."""
    table = stored_table(name).query("data == 'emoji'")
    if name == "gap_training":
        table = table[(table["batch"] == 128) | (table["loss"] == "first weights")]
    names = list(Tables("emoji").wanted((0,))[name][0])
    line = dice(name).choice(table.to_dict("records"))
    config = {one: _as_configured(line[one]) for one in names}
    again = run(config, None)
    for measured in set(again) - {"cpu_seconds"}:
        wide = 0.02 if name != "gap_gradients" else max(0.02, 0.05 * abs(line[measured]))
        assert again[measured] == pytest.approx(line[measured], abs=wide), (config, measured)


def _as_configured(value):
    """A blank is None, and a whole number that stood in a column with blanks is one again."""
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    return value
