"""Intervals and paired differences are scipy's, and refuse what would make them wrong in silence."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rankbook.statistics import interval, paired_differences, summary


def table(seeds=8):
    g = np.random.default_rng(0)
    shared = g.normal(0.5, 0.1, seeds)
    return pd.DataFrame(
        {"loss": loss, "seed": seed, "AP": shared[seed] + gain + g.normal(0, 0.01), "R@1": g.random()}
        for loss, gain in (("a", 0.0), ("b", 0.02))
        for seed in range(seeds)
    )


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_intervals_are_those_of_scipy(level):
    runs = table()
    lines = summary(runs, ["AP", "R@1"], level=level)
    assert list(zip(lines["loss"], lines["metric"], strict=True)) == [("a", "AP"), ("a", "R@1"), ("b", "AP"), ("b", "R@1")]
    for line in lines.itertuples():
        values = runs[runs["loss"] == line.loss][line.metric]
        expected = stats.ttest_1samp(values, 0).confidence_interval(level)
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


def test_runs_that_share_items_have_a_wider_interval():
    """Nadeau and Bengio: the variance of the mean is (1 / n + test / train) s^2."""
    values = np.array([0.01, 0.03, -0.01, 0.02])
    found = interval(values, overlap=1 / 3)
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) * np.sqrt(1 / 4 + 1 / 3)
    assert (found["mean"], found["low"], found["high"]) == pytest.approx((0.0125, 0.0125 - half, 0.0125 + half))
    runs = pd.DataFrame({"loss": ["a"] * 4 + ["b"] * 4, "seed": [0, 1, 2, 3] * 2, "AP": [0.5] * 4 + [*(0.5 + values)]})
    (line,) = paired_differences(runs, ["AP"], reference="a", overlap=1 / 3).itertuples()
    assert (line.low, line.high) == pytest.approx((0.0125 - half, 0.0125 + half))
    with pytest.raises(ValueError, match="overlap must be"):
        interval(values, overlap=-0.1)


def test_other_columns_can_group_and_pair():
    runs = table().rename(columns={"loss": "sorter", "seed": "query"})
    renamed = paired_differences(runs, ["AP"], reference="a", by="sorter", unit="query").rename(columns={"sorter": "loss"})
    pd.testing.assert_frame_equal(renamed, paired_differences(table(), ["AP"], reference="a"))
    assert summary(runs, ["AP"], by="sorter")["sorter"].tolist() == ["a", "b"]


def without_seed_3(column):
    return table().assign(**{column: lambda t: t[column].mask(t["seed"] == 3)})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: interval([1.0]), ValueError, "values must hold at least two runs .* got 1"),
        (lambda: interval([]), ValueError, "values must hold at least two runs .* got 0"),
        (lambda: interval([1.0, float("nan")]), ValueError, r"values must be finite, got nan at 1"),
        (lambda: interval([[1.0, 2.0]]), ValueError, r"values must be one list of numbers, got shape \(1, 2\)"),
        (lambda: interval(["high", "low"]), TypeError, "values must be numbers, got list"),
        (lambda: interval([1, 2], level=95), ValueError, "level must be below 1, got 95"),
        (lambda: interval([1, 2], level=float("nan")), ValueError, "level must be a finite number above 0, got nan"),
        (lambda: summary(table(), ["mAP"]), ValueError, "table must have the column 'mAP', got loss, seed, AP, R@1"),
        (lambda: summary(table(), "AP"), ValueError, r"metrics must be a sequence of column names.* got 'AP'"),
        (lambda: summary(table().to_dict(), ["AP"]), TypeError, "table must be a DataFrame"),
        (lambda: summary(table().iloc[7:], ["AP"]), ValueError, "at least two lines of each loss, got one of 'a'"),
        (lambda: paired_differences(table().iloc[:-1], ["AP"], reference="a"), ValueError, "every seed of every loss"),
        (lambda: paired_differences(pd.concat([table(), table()]), ["AP"], reference="a"), ValueError, "exactly once"),
        (lambda: paired_differences(table(), ["AP"], reference="c"), ValueError, "'c' among them"),
        (lambda: paired_differences(table().iloc[:8], ["AP"], reference="a"), ValueError, "another loss to compare with 'a'"),
        (lambda: paired_differences(without_seed_3("seed"), ["AP"], reference="a"), ValueError, "every seed of every loss"),
        (lambda: paired_differences(without_seed_3("AP"), ["AP"], reference="a"), ValueError, "values must be finite, got nan at 3"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
