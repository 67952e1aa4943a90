"""Eight patients: both fits are least squares, with no misfit they are right, and the fit that errs more may choose better."""

import numpy as np
import pytest
import torch

from rankbook.live import TopWeights
from rankbook.live.top_weights import GAP, POINTS, weighted_fit


def test_a_weighted_fit_is_numpys():
    draw = np.random.default_rng(0)
    design, outcome, weights = draw.normal(size=(8, 3)), draw.normal(size=8), draw.uniform(0.1, 5, size=8)
    root = np.sqrt(weights)
    solved = np.linalg.lstsq(design * root[:, None], outcome * root, rcond=None)[0]
    found = weighted_fit(*(torch.tensor(one) for one in (design, outcome, weights)))
    assert found.numpy() == pytest.approx(design @ solved)


def test_without_misfit_both_are_right():
    now = TopWeights(misfit=0.0).readout()
    assert now["outcome"] == POINTS and now["error_all"] < 1e-9 > now["error_first"]
    assert now["chosen_all"] == now["chosen_first"] == now["chosen_best"]


def test_the_fit_with_the_larger_error_finds_the_best_patient():
    now = TopWeights().readout()
    assert now["outcome"] == [points - 2 * max(0, gap) / 10 for points, gap in zip(POINTS, GAP, strict=True)]
    assert now["error_first"] > 1.1 * now["error_all"] and now["mean_first"] == now["mean_best"] > now["mean_all"]
    assert (now["chosen_all"][0], now["chosen_first"][0]) == (0, 1) and max(now["outcome"]) == now["outcome"][0]


def test_it_may_choose_worse():
    now = TopWeights(n=6, misfit=3.0).readout()
    assert now["mean_first"] < now["mean_all"]


def test_what_it_refuses():
    for wrong in ({"n": 0}, {"n": 8}, {"misfit": 3.1}, {"misfit": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TopWeights(**wrong)
    assert "The fit of all recommends B C D" in TopWeights().describe()
