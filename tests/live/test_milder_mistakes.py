"""The trade between class and tree: what is shown at each step, and what is said about lists that do not fit."""

import pytest

from live.test_figures import check
from rankbook.live import MilderMistakes

STATE = {
    "curve": [0.0, 0.3, 0.5, 0.4, 1.0, 0.4, 0.45, 0.1],
    "catalog": "a one\nb two\nc three",
    "queries": [0, 1],
    "wrong": [1, 2] * 6 + [0, 2] * 6,
    "shared": [0, 0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1],
    "step": 0,
}


@pytest.mark.parametrize(("step", "weight", "strangers", "shown"), [(0, 0.0, 0.4, 5), (1, 1.0, 0.1, 1)])
def test_each_step_has_its_mistakes(step, weight, strangers, shown):
    now = MilderMistakes(**{**STATE, "step": step}).readout()
    assert (now["weight"], now["strangers"], now["strangers_shown"]) == (weight, strangers, shown)


def test_keys_walk_along_the_weights(open_page):
    figure = MilderMistakes(**STATE)
    page = open_page(figure)
    knob = page.get_by_role("slider")
    knob.press("ArrowRight")
    assert check(page, figure)["step"] == 1
    assert "hit@1 0.450" in knob.get_attribute("aria-valuetext")
    knob.press("ArrowRight")  # no further
    assert check(page, figure)["strangers_shown"] == 1


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"wrong": [0] * 23}, r"wrong and shared must hold 6 mistakes for each of 2 steps and 2 queries, 24, got 23 and 24"),
        ({"step": 2}, r"step must be a whole number from 0 to 1 \(there are 2 steps\), got 2"),
        ({"queries": [0, 3]}, r"queries and wrong must be lines of the catalog, from 0 to 2"),
        ({"curve": [0.0, 0.3, 0.5]}, r"curve must be a list of 2 to 16 times weight, H-AP, hit@1 and strangers"),
        ({"curve": [0.0, 0.3, 0.5, 0.4, 1.0, 0.4, 1.45, 0.1]}, r"curve\[6\] must be a finite number of at least 0 and of at most 1"),
        ({"catalog": "a one\nb"}, r"catalog must be a text with a picture, a space and a name in each line"),
        ({"shared": [3] * 24}, r"shared\[0\] must be a whole number from 0 to 2, got 3"),
        ({"queries": 3}, r"queries must be a list of whole numbers, got int"),
    ],
)
def test_what_does_not_fit_is_refused(traits, message):
    with pytest.raises(ValueError, match=message):
        MilderMistakes(**{**STATE, **traits})
