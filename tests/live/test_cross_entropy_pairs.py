"""Cross-entropy on a circle: above its bound at every step, equal where nothing moves, and trained anew from a dragged point."""

from itertools import pairwise

import pytest

from live.agreement import agree
from live.test_figures import values
from rankbook.live import CrossEntropyPairs
from rankbook.live.cross_entropy_pairs import STEPS

BALANCED = [0, 90, 180, 270, 45, 135, 225, 315]


@pytest.mark.parametrize("decay", [0.2, 2.0])
def test_loss_and_bound_fall_together(decay):
    run = [CrossEntropyPairs(decay=decay, steps=steps).readout() for steps in range(0, STEPS + 1, 5)]
    for before, after in pairwise(run):
        assert after["bound"] < after["value"] < before["value"]
        assert after["bound"] < before["bound"]
    assert run[-1]["pull"] > 2 * run[0]["pull"] and run[-1]["push"] < 0.01


def test_balanced_classes_reach_the_bound_and_stay():
    start, end = (CrossEntropyPairs(angles=BALANCED, steps=steps).readout() for steps in (0, STEPS))
    assert start["value"] == pytest.approx(start["bound"], abs=1e-12)
    assert end["value"] == pytest.approx(start["value"], abs=1e-12)


def test_the_buttons_train_and_a_drag_begins_anew(open_page):
    figure = CrossEntropyPairs()
    page = open_page(figure)
    page.get_by_role("button", name="Train a step").click()
    assert agree(figure, values(page))["steps"] == 1
    page.get_by_role("button", name="To the end").click()
    assert agree(figure, values(page))["steps"] == STEPS
    trained = [float(handle.get_attribute("aria-valuenow")) for handle in page.locator("[data-drag]").all()]
    assert max(trained[:4]) - min(trained[:4]) < 15  # where the reader sees them: together
    page.locator("[data-drag]").first.press("ArrowRight")
    shown = agree(figure, values(page))
    assert shown["steps"] == 0 and shown["angles"] == [trained[0] + 1, *trained[1:]]
    page.get_by_role("button", name="balanced").click()
    assert agree(figure, values(page))["angles"] == BALANCED
    assert page.get_by_text("reached").count() == 1


def test_what_it_refuses():
    for wrong in ({"angles": [0, 360]}, {"decay": 0.1}, {"steps": 41}, {"labels": [0, 1]}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            CrossEntropyPairs(**wrong)
    assert "no class vectors bring it below 0.480" in CrossEntropyPairs().describe()
