"""The matching gap of three views: it hears who changed places, hardly who moved; the buttons show it."""

import pytest

from live.agreement import agree
from live.test_figures import values
from rankbook.live import MatchingGap
from rankbook.live.matching_gap import IN_STEP, SLID


def test_what_slides_is_hardly_heard_and_what_changes_places_is():
    step, slid, swapped = (MatchingGap(third=third).readout() for third in (IN_STEP, SLID, [20, 90, 55, 125, 160]))
    assert step["right"] == 30 and slid["right"] < 20 < swapped["right"]
    assert slid["gap"] < 1.1 * step["gap"] and swapped["gap"] > 2 * step["gap"]
    assert slid["info_nce"] > 1.2 * step["info_nce"]
    assert sum(step["upper"]) == pytest.approx(5, abs=1e-5)
    assert swapped["lower"][1 * 5 + 2] > 0.5 > swapped["lower"][1 * 5 + 1]  # B is taken for C


def test_the_buttons(open_page):
    figure = MatchingGap()
    page = open_page(figure)
    for name, third in (("in step", IN_STEP), ("two change places", [20, 90, 55, 125, 160]), ("the last view slides", SLID)):
        page.get_by_role("button", name=name).click()
        assert agree(figure, values(page))["third"] == third


def test_what_it_refuses():
    for wrong in ({"first": [0] * 4}, {"third": [0, 1, 2, 3, 181]}, {"epsilon": 0.01}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MatchingGap(**wrong)
    assert "of 30 searches in another view" in MatchingGap().describe()
