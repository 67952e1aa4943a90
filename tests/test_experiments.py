"""What the experiments share, a tiny run from end to end, and the tables that are stored."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from rankbook.datasets import Samples
from rankbook.experiments import smooth_ap
from rankbook.experiments.protocol import complete, grid, interval, one_thread, paired_differences, summary

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"


def table(seeds=8):
    g = np.random.default_rng(0)
    shared = g.normal(0.5, 0.1, seeds)
    return pd.DataFrame(
        {"loss": loss, "seed": seed, "AP": shared[seed] + gain + g.normal(0, 0.01), "R@1": g.random()}
        for loss, gain in (("a", 0.0), ("b", 0.02))
        for seed in range(seeds)
    )


def test_intervals_are_those_of_scipy():
    runs = table()
    lines = summary(runs, ["AP", "R@1"])
    assert list(zip(lines["loss"], lines["metric"], strict=True)) == [("a", "AP"), ("a", "R@1"), ("b", "AP"), ("b", "R@1")]
    for line in lines.itertuples():
        values = runs[runs["loss"] == line.loss][line.metric]
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (line.mean, line.low, line.high, line.runs) == pytest.approx((values.mean(), *expected, 8))


def test_paired_differences_are_those_of_scipy():
    """Paired, the shared part cancels; whatever the order of the lines."""
    runs = table()
    (line,) = paired_differences(runs.sample(frac=1, random_state=0), ["AP"], reference="a").itertuples()
    a, b = (runs[runs["loss"] == name]["AP"].to_numpy() for name in "ab")
    expected = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (line.loss, line.minus) == ("b", "a")
    assert (line.mean, line.low, line.high) == pytest.approx(((b - a).mean(), *expected))
    assert line.low > 0
    unpaired = stats.ttest_ind(b, a).confidence_interval(0.95)
    assert unpaired.low < 0


def test_a_missing_run_is_named():
    with pytest.raises(ValueError, match="every seed of every loss"):
        paired_differences(table().iloc[:-1], ["AP"], reference="a")
    with pytest.raises(ValueError, match="'c' among them"):
        paired_differences(table(), ["AP"], reference="c")
    with pytest.raises(ValueError, match="at least two runs"):
        interval([1.0])


def test_grid_is_every_combination():
    assert grid(a=(1, 2), b="x") == [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]


def test_a_table_goes_on_after_a_kill(tmp_path):
    path, calls = tmp_path / "new" / "t.csv", []

    def run(*, seed, rate):
        calls.append(seed)
        if seed == 2 and calls.count(2) == 1:
            raise KeyboardInterrupt
        return {"AP": seed + rate}

    wanted = [{"seed": seed, "rate": 3e-4} for seed in range(4)]
    with pytest.raises(KeyboardInterrupt):
        complete(path, wanted, run, command="make")
    assert len(pd.read_csv(path)) == 2
    stored = complete(path, wanted, run, command="make")
    assert calls == [0, 1, 2, 2, 3]
    assert list(stored["AP"]) == [0.0003, 1.0003, 2.0003, 3.0003]
    before = path.read_bytes()
    assert complete(path, wanted, run, command="make").equals(stored)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["t.csv"]
    assert list(complete(path, wanted[2:], run, command="make")["seed"]) == [2, 3]


def test_one_thread_is_restored():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def small():
    """Classes are directions in noise; 60 to train on, 20 and 20 others."""
    g = torch.Generator().manual_seed(0)

    def split(classes, first):
        y = torch.arange(classes).repeat_interleave(5)
        x = torch.randn(classes, 32, generator=g)[y] + 1.5 * torch.randn(len(y), 32, generator=g)
        return Samples(torch.nn.functional.normalize(x, dim=1), y + first, (y + first)[:, None])

    return {"train": split(60, 0), "validation": split(20, 60), "test": split(20, 80)}


def test_the_experiment_from_end_to_end(tmp_path, small):
    """A hundredth of the steps, every table, every loss; then one line again, and nothing left to do."""
    pytest.importorskip("pytorch_metric_learning")
    options = {"steps": smooth_ap.STEPS // 100, "tuning_seeds": (100,), "test_seeds": (0, 1), "data": small}
    test = smooth_ap.main(tmp_path, **options)
    tuning, steps = (pd.read_csv(tmp_path / f"smooth_ap_{name}.csv") for name in ("tuning", "steps"))
    check_protocol(tuning, steps, test)
    line = smooth_ap.stored("Smooth-AP", 1, tmp_path)
    again = smooth_ap.run(**{key: line[key] for key in ("loss", "value", "lr", "seed", "steps", "split")}, data=small)
    for metric in smooth_ap.METRICS:
        assert again[metric] == pytest.approx(line[metric], rel=1e-5)
    times = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert smooth_ap.main(tmp_path, **options).equals(test)
    assert times.keys() == set(tmp_path.iterdir())


def test_the_choice_is_the_best_mean_over_the_tuning_seeds():
    """One lucky seed does not win."""
    runs = pd.DataFrame(
        [("a", 0.1, 1e-3, 0, 0.9), ("a", 0.1, 1e-3, 1, 0.1), ("a", 0.2, 1e-3, 0, 0.6), ("a", 0.2, 1e-3, 1, 0.6)],
        columns=["loss", "value", "lr", "seed", smooth_ap.CHOSEN_BY],
    )
    assert smooth_ap.choose(runs) == {"a": {"value": 0.2, "lr": 1e-3}}


def test_losses_share_the_first_weights_and_the_batches(small):
    pytest.importorskip("pytorch_metric_learning")
    heads = [smooth_ap.fit(loss, value=0.1, lr=0.0, seed=3, steps=2, data=small["train"]) for loss in smooth_ap.LOSSES]
    for head in heads[1:]:
        assert torch.equal(head.linear.weight, heads[0].linear.weight)
    assert not torch.equal(
        heads[0].linear.weight, smooth_ap.fit("contrastive", value=0.1, lr=0.0, seed=4, steps=2, data=small["train"]).linear.weight
    )


def test_fit_leaves_the_global_seed_alone(small):
    before = torch.get_rng_state()
    smooth_ap.fit("Smooth-AP", value=0.1, lr=1e-3, seed=0, steps=2, data=small["train"])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_line_that_is_not_stored_is_named(tmp_path):
    pd.DataFrame({"loss": ["a"], "seed": [0]}).to_csv(tmp_path / "smooth_ap_test.csv")
    with pytest.raises(ValueError, match=r"must be a line of smooth_ap_test\.csv \(a\), got 'a', 1"):
        smooth_ap.stored("a", 1, tmp_path)


def check_protocol(tuning, steps, test):
    """Equal budgets, tuning on validation classes, test classes read once a seed with the chosen configuration."""
    losses = set(smooth_ap.LOSSES)
    for runs, split in ((tuning, "validation"), (steps, "validation"), (test, "test")):
        assert set(runs["split"]) == {split}
        assert set(runs["loss"]) == losses
        assert set(runs["command"]) == {smooth_ap.COMMAND}
        assert {"knob", "value", "lr", "seed", "steps", "cpu_seconds", "torch", "python"} <= set(runs.columns)
        values = runs[list(smooth_ap.METRICS)]
        assert ((values > 0) & (values <= 1)).all(axis=None)
        assert runs.groupby("loss").size().nunique() == 1
    assert tuning["steps"].nunique() == test["steps"].nunique() == 1
    assert tuning["steps"][0] == test["steps"][0]
    assert set(steps["steps"]) == {round(budget * test["steps"][0]) for budget in smooth_ap.BUDGETS}
    configurations = tuning.groupby("loss").apply(lambda runs: len(runs[["value", "lr"]].drop_duplicates()), include_groups=False)
    assert configurations.nunique() == 1
    assert not tuning.duplicated(["loss", "value", "lr", "seed"]).any()
    assert not test.duplicated(["loss", "seed"]).any()
    assert set(tuning["seed"]).isdisjoint(test["seed"])
    for loss, knobs in smooth_ap.choose(tuning).items():
        for runs in (steps, test):
            assert (runs[runs["loss"] == loss][["value", "lr"]] == list(knobs.values())).all(axis=None)


def test_the_stored_tables_keep_the_protocol():
    tuning, steps, test = (pd.read_csv(RESULTS / f"smooth_ap_{name}.csv") for name in ("tuning", "steps", "test"))
    check_protocol(tuning, steps, test)
    assert test["steps"][0] == smooth_ap.STEPS
    assert set(test["seed"]) == set(smooth_ap.TEST_SEEDS)
    assert len(smooth_ap.TEST_SEEDS) >= 5
    for loss, knobs in smooth_ap.choose(tuning).items():
        # the best configuration is inside of the grid, and neither half nor twice the steps would have served the loss better
        assert min(smooth_ap.LOSSES[loss].values) < knobs["value"] < max(smooth_ap.LOSSES[loss].values)
        assert min(smooth_ap.LEARNING_RATES) < knobs["lr"] < max(smooth_ap.LEARNING_RATES)
        chosen = tuning[(tuning["loss"] == loss) & (tuning["value"] == knobs["value"]) & (tuning["lr"] == knobs["lr"])]
        others = steps[steps["loss"] == loss].groupby("steps")[smooth_ap.CHOSEN_BY].mean()
        assert chosen[smooth_ap.CHOSEN_BY].mean() > others.max()


def test_a_stored_line_can_be_made_again():
    """On another processor the rounding may differ, and training amplifies it: to two digits here, to all on the same machine."""
    line = smooth_ap.stored("Smooth-AP", 0)
    again = smooth_ap.run(**{key: line[key] for key in ("loss", "value", "lr", "seed", "steps", "split")})
    for metric in smooth_ap.METRICS:
        assert again[metric] == pytest.approx(line[metric], abs=0.01)
