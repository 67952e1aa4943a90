"""The road scene: either of two that close a gap is no loss, both are; a click takes an agent away, and puts it back."""

import pytest

from live.agreement import agree
from live.test_figures import values
from rankbook.live import RoadScene


def without(*gone):
    return RoadScene(here=[int(letter not in gone) for letter in "ABCDEFG"]).readout()


def test_two_that_close_a_gap_have_no_importance_until_one_is_gone():
    whole, first, second, neither = without(), without("A"), without("B"), without("A", "B")
    assert [value > 0 for value in whole["importance"]] == [False, False, True, True, False, False, False]
    assert whole["importance"][:2] == [0, 0] and whole["cost"] == first["cost"] == second["cost"]
    assert first["importance"][1] == second["importance"][0] == pytest.approx(whole["cost"] - neither["cost"]) == pytest.approx(3)
    assert neither["plan"] % 3 == 2 and whole["plan"] % 3 == 1


def test_clicks_and_keys(open_page):
    figure = RoadScene()
    page = open_page(figure)
    page.get_by_role("button", name="take away A").click()
    assert agree(figure, values(page))["here"] == [0, 1, 1, 1, 1, 1, 1]
    second = page.get_by_role("button", name="take away B, importance 3.0")
    second.focus()
    page.keyboard.press("Enter")
    assert agree(figure, values(page))["cost"] == pytest.approx(without("A", "B")["cost"])
    assert second.count() == 1 and page.get_by_role("button", name="take away A").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="take away A").click()
    assert agree(figure, values(page))["here"] == [1, 0, 1, 1, 1, 1, 1]


def test_what_it_refuses():
    for wrong in ({"x": [0] * 6}, {"here": [1] * 6}, {"speed": 3}, {"radius": [0.0] * 7}, {"here": [2] * 7}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            RoadScene(**wrong)
    assert "among 7 of 7 agents" in RoadScene().describe() and "A 0.0, B 0.0, C 4.0, D 3.0" in RoadScene().describe()
