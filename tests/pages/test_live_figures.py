"""Every live figure of every page answers to mouse, touch and keyboard: its printed numbers change."""

import pytest

from pages_of_book import HTML, chapters, documents, notebooks
from rankbook import live
from rankbook.live import modules

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
ARROWS = {"x": ("ArrowRight", "ArrowLeft"), "y": ("ArrowDown", "ArrowUp")}


def figures(page) -> list:
    """The live figures of a page, mounted; questions are no figures."""
    mounted = []
    for place in page.locator(".rb-live:not([data-module=predict])").all():
        place.scroll_into_view_if_needed()
        page.wait_for_function("place => place.dataset.ready", arg=place.element_handle())
        mounted.append(place)
    return mounted


def values(place) -> str:
    """The numbers on display, as the figure reports them."""
    return place.evaluate("place => (place.matches('[data-values]') ? place : place.querySelector('[data-values]')).dataset.values")


def handle_and_target(place):
    """The first handle, its axis, where it is, and a point a quarter of the figure away, toward the middle."""
    handle = place.locator("[data-drag]").first
    handle.scroll_into_view_if_needed()
    axis = handle.get_attribute("data-drag")[0]
    box, frame = handle.bounding_box(), place.bounding_box()
    start = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    size, origin = ("width", "x") if axis == "x" else ("height", "y")
    i = 0 if axis == "x" else 1
    sign = 1 if start[i] < frame[origin] + frame[size] / 2 else -1
    end = tuple(at + sign * frame[size] / 4 if j == i else at for j, at in enumerate(start))
    return handle, ARROWS[axis][sign < 0], start, end


def steps(start, end, count=8):
    return [tuple(a + (b - a) * k / count for a, b in zip(start, end, strict=True)) for k in range(1, count + 1)]


@pytest.mark.parametrize("document", chapters())
def test_mouse_and_keyboard_change_the_numbers(open_page, document):
    page, watch = open_page(document)
    moving = figures(page)
    assert moving, "a chapter without a moving figure"
    for place in moving:
        handle, arrow, start, end = handle_and_target(place)
        before = values(place)
        page.mouse.move(*start)
        page.mouse.down()
        for point in steps(start, end):
            page.mouse.move(*point)
        page.mouse.up()
        dragged = values(place)
        assert dragged != before, "the mouse moves nothing"
        handle.focus()
        for key in (arrow, *ARROWS[handle.get_attribute("data-drag")[0]]):  # the drag may have ended at the end of the axis
            for _ in range(5):
                page.keyboard.press(key)
            if values(place) != dragged:
                break
        assert values(place) != dragged, "the arrow keys move nothing"
    assert watch.errors == []


@pytest.mark.parametrize("document", chapters())
def test_touch_on_a_phone_changes_the_numbers(open_page, document):
    page, watch = open_page(document, **PHONE)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    for place in figures(page):
        _, _, start, end = handle_and_target(place)
        before, scrolled = values(place), page.evaluate("scrollY")
        send("touchStart", start)
        for point in steps(start, end):
            send("touchMove", point)
        send("touchEnd")
        assert values(place) != before, "touch moves nothing"
        assert page.evaluate("scrollY") == scrolled, "the page scrolls away under the finger"
    assert watch.errors == []


@pytest.mark.parametrize("document", notebooks())
def test_figures_are_read_without_javascript(open_page, document):
    page, _ = open_page(document, java_script_enabled=False)
    for text in page.locator(".rb-live .rb-fallback").all_text_contents():
        assert len(text.split()) >= 4, f"the text in place of the figure says nothing: {text!r}"


OWN_SCRIPT, OWN_STYLE = 60_000, 40_000  # bytes of our own on one page; the theme and MathJax aside


def our_scripts(page) -> set[str]:
    return set(page.evaluate("[...document.scripts].map(script => /\\/rb\\/(\\w+)\\.js/.exec(script.src)?.[1]).filter(Boolean)"))


@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("document", documents())
def test_scripts_come_with_their_figures(open_page, document, scheme):
    page, watch = open_page(document, scheme, offline=scheme == "file")
    if not page.locator(".rb-live").count():
        assert our_scripts(page) == set()
        return
    kinds = {place.get_attribute("data-module") for place in page.locator(".rb-live").all()}
    figures(page)
    loaded = our_scripts(page)
    assert {"core", *kinds} <= loaded
    assert not loaded & (set(modules.modules("figures")) - kinds)
    static = HTML / "_static"
    scripts = [static / "reading.js", *(static / "rb" / f"{name}.js" for name in loaded)]
    assert sum(path.stat().st_size for path in scripts) <= OWN_SCRIPT
    styles = page.evaluate("[...document.styleSheets].map(sheet => new URL(sheet.href ?? 'none:').pathname.split('/_static/')[1])")
    styles = [static / name for name in styles if name in {"custom.css", "reading.css", "your_scores.css", "rb/live.css"}]
    assert static / "rb" / "live.css" in styles and sum(path.stat().st_size for path in styles) <= OWN_STYLE
    assert watch.errors == []


def test_the_api_page_names_every_figure(open_page):
    page, _ = open_page("book/api_figures")
    names = page.locator("dt[id^='rankbook.live.']").evaluate_all("all => all.map(e => e.id)")
    assert {f"rankbook.live.{name}" for name in live.__all__} <= set(names)
