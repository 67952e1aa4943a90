"""The polygon in its box: the button descends, the terms hold what they say, and nonsense is refused."""

import base64

import pytest

from live.agreement import agree
from live.test_figures import values
from rankbook.live import PolygonFit


def test_it_starts_in_the_right_box():
    now = PolygonFit().readout()
    assert now["of_box"] < 1e-3 and 0.5 < now["iou"] < 0.7
    assert "no term sees" in PolygonFit().describe()
    nothing = PolygonFit(picture=base64.b64encode(bytes(4096)).decode(), radii=[0.5] * 8)
    assert nothing.readout()["of_regions"] == 0


def fit(page):
    page.get_by_role("button", name="Fit").click()
    page.wait_for_function(
        """() => { const now = document.querySelector('[data-values]').dataset.values, still = window.before === now;
        window.before = now; return still; }""",
        polling=400,
    )
    return values(page)


def test_fit_finds_the_star_and_the_neighbors_alone_swallow_it(open_page):
    figure = PolygonFit()
    page = open_page(figure)
    start = values(page)
    found = agree(figure, fit(page))
    assert found["loss"] < 0.7 * start["loss"] and found["iou"] > start["iou"] + 0.15
    page.get_by_role("button", name="neighbors alone").click()
    alone = agree(figure, fit(page))
    assert alone["unary"] == alone["region"] == 0
    assert alone["of_neighbors"] < 0.5 * found["of_neighbors"] and alone["iou"] < start["iou"]
    page.get_by_role("button", name="Reset").click()
    assert values(page) == start


def test_a_reader_who_takes_a_corner_ends_the_descent(open_page):
    figure = PolygonFit()
    page = open_page(figure)
    page.get_by_role("button", name="Fit").click()
    page.locator("[data-drag]").first.press("Home")
    page.wait_for_timeout(600)
    assert agree(figure, values(page))["radii"][0] == 0.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"picture": "AAAA"}, "picture must be base64 of 32 x 32 x 4 bytes"),
        ({"picture": 3}, "picture must be base64"),
        ({"box": [4.0, 4.0, 4.0, 9.0]}, "box must be left, top, right, bottom with an area"),
        ({"radii": [3.0] * 7}, "radii must hold 8 to 24 numbers"),
        ({"unary": -1.0}, "unary"),
    ],
)
def test_what_it_refuses(wrong, message):
    with pytest.raises(ValueError, match=message):
        PolygonFit(**wrong)
