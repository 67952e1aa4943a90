"""The icons of the built pages come from the small sheet alone, drawn, and in every state of a page."""

import re

import pytest
from playwright.sync_api import expect

from pages_of_book import HTML

KINDS = ["book/intro", "book/no_gradient", "book/api", "book/glossary", "book/your_scores", "search", "genindex"]
HEADER = ".bd-header-article"
WHOLE = re.compile(r"fontawesome\.js|/webfonts/")
# What each visible element shows of an icon font: its class and the character; an icon without a character shows nothing.
SHOWN = """() => [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()).flatMap((e) =>
  ["::before", "::after"].map((part) => [e, getComputedStyle(e, part), part])
    .filter(([e, style, part]) => part === "::before" && e.matches("[class*='fa-']")
      || style.fontFamily.includes("Awesome") && /[\\ue000-\\uf8ff]/.test(style.content))
    .map(([e, style]) => [e.className, style.content.split('"')[1]]))"""


def cut() -> set[str]:
    sheet = (HTML / "_static" / "icons.css").read_text(encoding="utf-8")
    return {chr(int(character, 16)) for character in re.findall(r"U\+([0-9A-F]+)", sheet)}


@pytest.fixture
def icons(open_page):
    """``icons(document, scheme, width)``: the page, and ``see(least)``, which asks that what it shows is in the sheet and drawn."""
    asked = []

    def go(document: str, scheme: str = "http", **options):
        page, watch = open_page(document, scheme, **options)
        page.on("request", lambda request: asked.append(request.url))

        def see(*names: str) -> None:
            shown = page.evaluate(SHOWN)
            assert [what for what in shown if what[1] not in cut()] == []
            for name in names:
                assert any(name in what for what, _ in shown), f"{name} is not on the page"
            page.evaluate("document.fonts.ready")
            loaded = "[...document.fonts].some((face) => face.family.includes('Awesome') && face.status === 'loaded')"
            assert page.evaluate(loaded)
            resources = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
            assert [address for address in resources + asked if WHOLE.search(address)] == []
            assert watch.errors == watch.missing == []

        return page, see

    return go


@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("document", KINDS)
def test_every_icon_of_a_page_is_in_the_sheet(icons, document, scheme):
    _, see = icons(document, scheme)
    see("fa-bars", "fa-magnifying-glass", "fa-github", "fa-expand", "fa-circle-half-stroke")


def test_menus_dialogs_and_the_switch_of_colors(icons):
    page, see = icons("book/no_gradient")
    for menu, names in enumerate([("fa-pencil", "fa-lightbulb"), ("fa-file", "fa-file-pdf")]):
        page.locator(f"{HEADER} .dropdown-toggle").nth(menu).hover()
        see(*names)
    for name in ("fa-moon", "fa-sun", "fa-circle-half-stroke"):
        page.locator(f"{HEADER} .theme-switch-button").click()
        see(name)
    page.keyboard.press("Control+k")
    glass = page.locator("#pst-search-dialog .fa-magnifying-glass").bounding_box()
    words = page.locator("#pst-search-dialog input[name=q]").bounding_box()
    assert glass["x"] + glass["width"] <= words["x"], "the icon stands on the words"
    see()
    page.keyboard.press("Escape")
    page.locator(".prev-next-area").scroll_into_view_if_needed()
    see("fa-angle-left", "fa-angle-right")


def test_a_phone_with_both_its_drawers(icons):
    page, see = icons("book/no_gradient", viewport={"width": 390, "height": 844})
    see("fa-bars", "fa-list", "fa-magnifying-glass")
    page.locator(".prev-next-area").scroll_into_view_if_needed()
    page.mouse.wheel(0, -400)
    expect(page.locator("#pst-back-to-top")).to_be_visible()
    see("fa-arrow-up")
    page.locator(f"{HEADER} .primary-toggle").click()
    expect(page.locator("#pst-primary-sidebar-modal")).to_be_visible()
    see()
    page.keyboard.press("Escape")
    page.locator(f"{HEADER} .secondary-toggle").click()
    expect(page.locator("#pst-secondary-sidebar-modal .fa-list")).to_be_visible()
    see("fa-list")


def test_a_screen_reader_reads_no_icon(icons):
    page, _ = icons("book/no_gradient")
    for part in (HEADER, ".bd-sidebar-primary", ".prev-next-area"):
        assert not re.search("[\ue000-\uf8ff]", page.locator(part).aria_snapshot())


def test_an_icon_that_no_page_has_comes_from_the_theme(open_page):
    page, _ = open_page("book/intro")
    with page.expect_request(re.compile("fa-solid-900.woff2")):
        page.evaluate("document.querySelector('article h1').insertAdjacentHTML('beforeend', '<i class=\"fas fa-anchor\"></i>')")


def test_the_search_page_still_finds(open_page):
    page, watch = open_page("search")
    page.goto(f"{page.url}?q=SupRank")
    expect(page.locator("#search-results li a").first).to_be_visible()
    assert watch.errors == []
