"""Every built page, with the network blocked: it loads whole, from http and from file://, and fits the screen, light and dark."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from pages_of_book import CUT, HTML, chapters, documents, notebooks

GENERATED = ["genindex", "search"]
PAGES = documents() + GENERATED
FIRST_LOAD = 2.7e6  # bytes, uncompressed
NO_MATHEMATICS = 1.1e6  # the same, where MathJax has nothing to do
ARTICLE = "article.bd-article"
SERIOUS = {"serious", "critical"}
AXE_AT = {(390, "light"), (1200, "dark")}  # each width and each set of colors once


def see_all(page) -> None:
    """Bring every live figure into view, so that each mounts, and wait for the mathematics."""
    for figure in page.locator(".rb-live").all():
        figure.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('.rb-live')].every(place => place.dataset.ready)")
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container", state="attached")
        page.evaluate("MathJax.startup.promise")


@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("document", PAGES)
def test_page_loads_whole_without_the_network(open_page, document, scheme):
    page, watch = open_page(document, scheme)
    see_all(page)
    assert page.title()
    assert page.locator(".math:not(:has(mjx-container))").count() == 0, "an equation is not typeset"
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, "MathJax does not understand an equation"
    assert watch.errors == []
    assert watch.missing == []
    assert watch.outside == []
    limit = FIRST_LOAD if page.locator(".math").count() else NO_MATHEMATICS
    assert watch.transferred <= limit, f"{watch.transferred / 1e6:.2f} MB"
    broken = page.evaluate("[...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src)")
    assert broken == []


@pytest.mark.parametrize("document", PAGES)
def test_page_fits_the_screen_and_is_accessible_in_light_and_dark(open_page, document):
    page, _ = open_page(document)
    see_all(page)
    for width in (1200, 390):
        page.set_viewport_size({"width": width, "height": 850})
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            page.wait_for_timeout(500)  # the theme's color transitions, and its tab stops after a change of width
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{width} px, {theme}: {wide} px too wide because of {too_wide(page)}"
            if (width, theme) == (1200, "light") and document not in GENERATED:
                assert page.evaluate(CUT, "pre, table, mjx-container[display=true], div.math, .cell_output") == []
            if document in GENERATED or (width, theme) not in AXE_AT:
                continue  # the theme's own pages are not ours
            found = Axe().run(page, context=ARTICLE, options={"resultTypes": ["violations"]}).response["violations"]
            serious = [f"{v['id']}: {node['html'][:160]}" for v in found if v["impact"] in SERIOUS for node in v["nodes"]]
            assert serious == [], f"{width} px, {theme}"


def too_wide(page) -> list[str]:
    """The elements that stick out, for the message."""
    return page.evaluate("""() => [...document.querySelectorAll('article.bd-article *')]
        .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .slice(0, 5).map(element => element.outerHTML.slice(0, 120))""")


@pytest.mark.parametrize("document", notebooks())
def test_chapter_has_its_launch_row_and_its_captions(open_page, document):
    page, _ = open_page(document)
    assert page.locator(".rb-launch a").count() == 3
    assert document in page.locator(".rb-launch a").first.get_attribute("href")
    pictures = page.locator(f"{ARTICLE} .cell_output img")
    for i in range(pictures.count()):
        alt = pictures.nth(i).get_attribute("alt") or ""
        assert alt and not re.search(r"\.(png|svg|jpe?g)$", alt), "a picture has a file name for an alt text"
    captions = page.locator("figure figcaption .caption-number").all_text_contents()
    number = r"Fig\. \d+\.\d+" if document in chapters() else r"Fig\. \d+"
    assert all(re.match(number, caption) for caption in captions), captions


def test_solutions_are_folded_and_can_be_opened(open_page):
    for document in notebooks():
        page, _ = open_page(document)
        for solution in page.locator("div.solution").all():
            body = solution.locator("> *:not(.admonition-title)").first
            expect(body).not_to_be_visible()
            solution.locator("button.toggle-button").click()
            expect(body).to_be_visible()


def test_front_door_leads_to_the_introduction(open_page):
    page, watch = open_page("index", "file")
    page.wait_for_url("**/book/intro.html")
    assert watch.errors == watch.outside == []
    assert (HTML / "book" / "intro.html").exists()
