"""Neighbors of two models: hits, the order of the queries, and what does not fit."""

import pytest

from live.test_figures import check
from rankbook.live import Neighbors

NAMES = ["a one", "b one", "c two", "d two", "e three"]
CLASSES = [0, 0, 1, 1, 2]
MODELS = {"good": ([[1, 2], [3, 0], [2, 3]], [1.0, 1.0, 0.25]), "bad": ([[2, 1], [0, 1], [2, 1]], [0.5, 0.3, 0.75])}


def made(**traits):
    return Neighbors(NAMES, CLASSES, [0, 2, 4], MODELS, **traits)


def test_hits_and_the_order_of_the_queries():
    now = made(query=1).readout()
    assert (now["left_found"], now["left_hits"], now["left_ap"]) == ([3, 0], [1, 0], 1.0)
    assert (now["right_found"], now["right_hits"], now["right_ap"]) == ([0, 1], [0, 0], 0.3)
    assert (now["order"], now["wins"]) == ([1, 0, 2], 1)
    assert made(first=1, second=0).readout()["order"] == [2, 0, 1]
    assert made(second=0).readout()["gains"] == [0, 0, 0]


def test_dragging_goes_through_the_queries_in_their_order(open_page):
    figure = made()
    page = open_page(figure)
    handle = page.locator("[data-drag]")
    for key, query in (("Home", 1), ("ArrowRight", 0), ("End", 2)):
        handle.press(key)
        assert check(page, figure)["query"] == query
    spoken = page.get_by_role("img").nth(1).get_attribute("aria-label")
    assert spoken == "good: two, miss; two, miss"
    page.get_by_role("radio", name="bad", exact=True).first.check()
    now = check(page, figure)
    assert (now["first"], now["query"], handle.get_attribute("aria-valuenow")) == (1, 2, "2"), "no difference: the order of the places"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": 3}, "a place beyond the 5 pictures, 3 queries or 2 models"),
        ({"second": 2}, "a place beyond"),
        ({"ap": [0.5]}, "12 neighbors and 1 AP for 2 models and 3 queries"),
        ({"classes": [0]}, "1 classes for 5 pictures"),
        ({"pictures": "no base64!"}, "must fit the others"),
        ({"found": [5] * 12}, "a place beyond"),
        ({"ap": [2.0] * 6}, r"ap\[0\]"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    figure = made()
    with pytest.raises(ValueError, match=message):
        figure.set_trait(*next(iter(change.items())))
    with pytest.raises(TypeError, match="models must be a mapping"):
        Neighbors(NAMES, CLASSES, [0], [1])


def test_a_sprite_shows_the_pictures(open_page):
    page = open_page(made(sprite=b"RIFF"))
    assert "image/webp;base64,UklGRg==" in page.locator(".rb-look").first.evaluate("e => e.style.backgroundImage")
    assert page.locator(".rb-look").nth(1).inner_text() == ""
