"""Reading aids: cards over cross-references, keys, and the memory of what has been read."""

import re
from collections import Counter
from functools import cache
from urllib.parse import unquote, urljoin

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import expect

from pages_of_book import HTML, ROOT, documents, notebooks

KINDS = ["term", "equation", "source", "figure", "statement"]
# How a link of each kind looks on a page, whatever it leads to; the second pattern is its text.
LINKS = {
    "term": ("a:has(.std-term)", ""),
    "equation": ("a[href*='#equation-']:not(.headerlink)", ""),
    "source": ("a[href*='bibliography.html#']", ""),
    "figure": ("a:has(.std-numref)", r"^(Fig\.|Table) "),
    "statement": ("a[href*='#']", r"^(Exercise|Theorem|Proposition|Lemma|Corollary|Definition|Algorithm) \d"),
}
PARTS = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
CHAPTERS = [chapter for part in PARTS if part.get("numbered") for chapter in part["chapters"]]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
NO_MEMORY = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"


@cache
def read(document: str) -> BeautifulSoup:
    return BeautifulSoup((HTML / f"{document}.html").read_text(encoding="utf-8"), "html.parser")


def previews(document: str) -> dict:
    return {preview["data-for"]: preview for preview in read(document).select("#rb-previews template")}


def example(kind: str) -> tuple[str, str]:
    """A page and an address on it whose card is of this kind: a link in plain view, not in a fold."""
    for document in notebooks():
        for link in read(document).select("article p:not(details *, .dropdown *, .admonition-title) a[href]"):
            preview = previews(document).get(link["href"])
            if preview is not None and preview["data-kind"] == kind:
                return document, link["href"]
    raise AssertionError(f"no chapter has a link of the kind {kind}")


def passage(kind: str, document: str, address: str) -> str:
    """The longest piece of plain text where the address leads; for an equation, its number."""
    page, _, name = urljoin(f"{document}.html", address).partition("#")
    target = read(page.removesuffix(".html")).find(id=unquote(name))
    if kind == "equation":
        return target.select_one(".eqno").get_text().strip().rstrip("#")
    if kind == "term":
        target = target.find_next_sibling("dd")
    elif kind == "figure":
        target = target.select_one(".caption-text")
    pieces = [piece for piece in target.find_all(string=True) if piece.find_parent(class_=["math", "highlight", "headerlink"]) is None]
    return max((" ".join(piece.split()) for piece in pieces), key=len)


def links_to(page, address: str):
    return page.locator(f'article.bd-article p:not(.admonition-title) a[href="{address}"]:visible').first


def complaints(page, *places: str) -> list[str]:
    """What axe finds serious."""
    context = {"include": [[place] for place in places]}
    found = Axe().run(page, context=context, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in {"serious", "critical"}]


def card_text(card) -> str:
    return " ".join(card.inner_text().split())


def test_every_page_has_the_scripts_and_they_are_light():
    for document in [*documents(), "genindex", "search"]:
        html = (HTML / f"{document}.html").read_text(encoding="utf-8")
        assert re.search(r'<script defer="defer" src="[./]*_static/reading\.js', html), document
        assert re.search(r'<link [^>]*href="[./]*_static/reading\.css', html), document
    assert (HTML / "_static/reading.js").stat().st_size <= 12_300
    assert (HTML / "_static/reading.css").stat().st_size <= 4_000


def test_no_link_lacks_its_card():
    seen, bare = Counter(), []
    for document in documents():
        for kind, (selector, text) in LINKS.items():
            for link in read(document).select(f"article.bd-article {selector}"):
                if re.search(text, link.get_text().strip()):
                    seen[kind] += 1
                    preview = previews(document).get(link["href"])
                    if preview is None or preview["data-kind"] != kind or len(preview.get_text().split()) < 3:
                        bare.append(f"{document}: {kind} {link['href']}")
    assert bare == []
    assert all(seen[kind] for kind in KINDS), seen


def test_cards_repeat_no_name_and_their_pictures_are_there():
    for document in documents():
        for address, preview in previews(document).items():
            assert preview.select("[id]") == [], f"{document}: the card of {address} repeats a name"
            for picture in preview.find_all("img"):
                assert (HTML / document).parent.joinpath(picture["src"]).resolve().exists(), f"{document}: {picture['src']}"


@pytest.mark.parametrize("kind", KINDS)
def test_card_on_hover_focus_and_tap(open_page, kind):
    document, address = example(kind)
    page, watch = open_page(document, **PHONE)
    link, card = links_to(page, address), page.locator(".rb-card")
    words = passage(kind, document, address)
    link.evaluate("link => link.scrollIntoView({block: 'center', behavior: 'instant'})")

    def check() -> None:
        expect(card).to_be_visible()
        assert words in card_text(card)
        assert "\\(" not in card_text(card) and "\\[" not in card_text(card), "the mathematics of the card is not typeset"
        assert card.locator("mjx-merror, [data-mjx-error]").count() == 0
        if kind == "equation":
            assert card.locator("mjx-container").count() == 1
        box = card.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] >= 0 and box["y"] + box["height"] <= 844, box
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert card.evaluate("card => [...card.querySelectorAll('*')].every(each => each.scrollWidth <= card.clientWidth)"), "cut"
        assert link.get_attribute("aria-describedby") == card.locator("[role=tooltip]").get_attribute("id")

    link.hover()
    check()
    expect(card.locator(".rb-card-go")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    assert link.get_attribute("aria-describedby") is None

    page.mouse.move(1, 1)
    link.evaluate("link => link.scrollIntoView({block: 'end', behavior: 'instant'})")
    link.focus()
    check()
    lines = link.evaluate("link => [...link.getClientRects()].map(line => line.top)")
    assert card.bounding_box()["y"] + card.bounding_box()["height"] <= min(lines), "at the foot of the screen the card lies above its link"
    link.blur()
    expect(card).to_be_hidden()

    here = page.url
    link.tap()
    check()
    expect(card.locator(".rb-card-go")).to_be_visible()
    assert page.url == here, "the first tap leaves"
    there = link.evaluate("link => link.href")
    assert card.locator(".rb-card-go").evaluate("link => link.href") == there
    link.tap()
    page.wait_for_url(there)
    assert watch.errors == watch.outside == []


def test_the_mouse_can_move_into_a_card_and_axe_has_no_complaint(open_page):
    document, address = example("term")
    page, _ = open_page(document)
    link, card = links_to(page, address), page.locator(".rb-card")
    link.hover()
    expect(card).to_be_visible()
    box = card.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=6)
    page.wait_for_timeout(600)
    expect(card).to_be_visible()
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        page.wait_for_timeout(500)  # the theme's color transitions
        assert complaints(page, ".rb-card", ".rb-reading") == [], theme
    page.mouse.move(1, 1)
    expect(card).to_be_hidden()


def test_a_page_without_mathematics_typesets_its_card_and_cuts_nothing(open_page):
    page, watch = open_page("book/bibliography", **PHONE)
    sum_ = " + ".join(f"x_{{{i}}}" for i in range(14))
    template = rf'<template data-for="#x" data-kind="equation"><div class="math">\[{sum_}\]</div></template>'

    def with_a_card(route) -> None:
        html = (HTML / "book/bibliography.html").read_text(encoding="utf-8")
        assert "mathjax/" not in html
        html = html.replace("</article>", '<p><a href="#x">x</a></p></article>')
        route.fulfill(body=html.replace("</body>", f'<div id="rb-previews" hidden>{template}</div></body>'), content_type="text/html")

    page.route("**/bibliography.html", with_a_card)
    page.reload()
    page.locator("a[href='#x']").hover()
    expect(page.locator(".rb-card mjx-container")).to_be_visible()
    assert page.locator(".rb-card mjx-container").evaluate("box => box.scrollWidth <= box.clientWidth"), "the equation is cut"
    assert watch.errors == watch.outside == []


def test_keys_turn_pages_but_not_under_a_handle_or_in_a_field(open_page):
    page, watch = open_page("book/intro")
    home, second = page.url, page.locator("a.right-next").evaluate("link => link.href")
    assert page.locator("a.right-next").get_attribute("title").endswith("(key n)")
    handle = page.locator(".rb-live [data-drag]").first
    handle.focus()
    page.keyboard.press("n")
    page.locator(".rb-live").first.evaluate("figure => figure.insertAdjacentHTML('afterend', '<input id=field>')")
    page.locator("#field").focus()
    page.keyboard.press("n")
    assert page.locator("#field").input_value() == "n"
    page.locator("#field").blur()
    page.keyboard.press("Alt+n")
    page.wait_for_timeout(300)
    assert page.url == home
    page.keyboard.press("n")
    page.wait_for_url(second)
    page.keyboard.press("p")
    page.wait_for_url(home)
    assert watch.errors == []


def test_the_slash_opens_the_search(open_page):
    page, watch = open_page("book/intro")
    here = page.url
    page.keyboard.press("/")
    expect(page.locator("#pst-search-dialog input[name=q]")).to_be_focused()
    page.keyboard.type("n/p")
    assert page.locator("#pst-search-dialog input[name=q]").input_value() == "n/p"
    page.keyboard.press("Escape")
    expect(page.locator("#pst-search-dialog")).to_be_hidden()
    assert page.url == here and watch.errors == []


def test_a_closed_list_of_keys_holds_no_key_back(open_page):
    """Where the focus stays in a dialog that has just closed until the page is drawn again (WebKit), keys still turn the page."""
    page, watch = open_page("book/intro")
    second = page.locator("a.right-next").evaluate("link => link.href")
    press = "box => box.dispatchEvent(new KeyboardEvent('keydown', {key: 'n', bubbles: true}))"
    page.keyboard.press("?")
    page.locator("dialog.rb-keys input").evaluate(press)
    page.wait_for_timeout(300)
    assert page.url != second  # while it is open, it is the dialog that has the keys
    page.keyboard.press("Escape")
    expect(page.locator("dialog.rb-keys")).to_be_hidden()
    page.locator("dialog.rb-keys input").evaluate(press)
    page.wait_for_url(second)
    assert watch.errors == []


def test_list_of_keys_and_how_to_turn_them_off(open_page):
    page, _ = open_page("book/glossary")
    here, dialog = page.url, page.locator("dialog.rb-keys")
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    assert {"n", "p", "?"} <= set(dialog.locator("kbd").all_text_contents())
    assert complaints(page, "dialog.rb-keys") == []
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.reload()
    page.keyboard.press("p")
    page.keyboard.press("?")
    page.wait_for_timeout(300)
    assert page.url == here and not dialog.is_visible()
    assert page.locator("a.left-prev").get_attribute("title") == "previous page"
    page.get_by_role("button", name="keys").click()
    expect(dialog).to_be_visible()


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_chapter_read_is_remembered_and_forgotten(open_page, scheme):
    document = notebooks()[1]
    name = document.removeprefix("book/")
    page, watch = open_page(document, scheme)
    page.clock.install()
    page.reload()
    ticks, count = page.locator(".bd-sidebar-primary .rb-read"), page.locator(".rb-reading [role=status]")
    end = page.locator("article.bd-article > section > section").last

    def stay(seconds: int) -> None:
        page.clock.run_for(1000 * seconds)

    end.evaluate("end => end.scrollIntoView({behavior: 'instant'})")
    stay(20)
    assert ticks.count() == 0, "read after a glance"
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    stay(20)
    assert ticks.count() == 0, "read without its end"
    end.evaluate("end => end.scrollIntoView({behavior: 'instant'})")
    stay(2)
    expect(page.locator(".bd-sidebar-primary a.current:has-text('✓')")).to_have_accessible_name(re.compile(r"^2\. .*\w, read$"))
    expect(count).to_have_text(f"1 of {len(CHAPTERS)} chapters read")

    page.goto(page.url.replace(f"{name}.html", "intro.html"))
    for place in (".bd-sidebar-primary", "article table"):
        expect(page.locator(f"{place} a:has(.rb-read)")).to_have_attribute("href", f"{name}.html")
    page.get_by_role("button", name="forget").click()
    expect(count).to_have_text(f"0 of {len(CHAPTERS)} chapters read")
    page.reload()
    expect(count).to_have_text(f"0 of {len(CHAPTERS)} chapters read")
    assert page.locator(".rb-read").count() == 0
    assert watch.errors == watch.outside == []


def test_where_nothing_may_be_remembered_the_rest_works(open_page):
    document, address = example("term")
    page, _ = open_page(document)
    page.context.add_init_script(NO_MEMORY)
    page.reload()
    links_to(page, address).hover()
    expect(page.locator(".rb-card")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("dialog.rb-keys")).to_be_visible()
    expect(page.get_by_role("button", name="forget")).to_have_count(0)


def test_a_link_in_a_folded_title_is_followed_and_the_title_still_folds(open_page):
    page, watch = open_page("book/hierarchies")
    fold = page.locator(".solution.dropdown").first
    title = fold.locator(".admonition-title").first
    closed = re.compile("toggle-hidden")
    expect(fold).to_have_class(closed)
    title.locator("a").first.click()
    assert "#ex-hierarchies-" in page.url
    expect(fold).to_have_class(closed)
    title.click(position={"x": 5, "y": 5})
    expect(fold).not_to_have_class(closed)
    title.locator(".toggle-button").click()
    expect(fold).to_have_class(closed)
    assert watch.errors == []
