"""Cards over cross-references: each page carries, in <template> elements, what its links lead to.

A page opened from file:// cannot fetch another one, so the build copies terms, equations, sources, figures, theorems and exercises
from the finished pages into those that link to them. `_static/reading.js` shows the copies.
"""

import posixpath
from collections.abc import Callable
from copy import copy
from html import escape
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urldefrag

import rjsmin
from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

START, END = '<article class="bd-article">', "</article>"
PREVIEWS = '<div id="rb-previews" hidden>'
NOT_FOR_A_CARD = ".headerlink, .eqno, .caption-number, .admonition-title, .label, .cell, script, button"


def inside(element: Tag) -> str:
    """What an element holds, without names, permalinks and links within the book: a card leads to one place only."""
    element = copy(element)
    for part in element.select(NOT_FOR_A_CARD):
        part.decompose()
    for part in element.find_all(True):
        part.attrs.pop("id", None)
        if part.name == "a" and "external" not in part.get("class", []):
            part.unwrap()
    return element.decode_contents().strip()


def titled(title: str, body: str) -> str:
    return f'<p class="rb-card-title">{title}</p>{body}'


def term(entry: Tag) -> str:
    """Every name of the entry, and its definition."""
    first = entry
    while (before := first.find_previous_sibling()) is not None and before.name == "dt":
        first = before
    names = [first, *takewhile(lambda sibling: sibling.name == "dt", first.find_next_siblings())]
    return titled(", ".join(map(inside, names)), inside(entry.find_next_sibling("dd")))


def equation(box: Tag) -> str:
    number = next(iter(box.select_one(".eqno").stripped_strings))
    return titled(f"Equation {number}", f'<div class="math">{inside(box)}</div>')


def source(entry: Tag) -> str:
    return inside(entry)


def figure(box: Tag) -> str:
    """Its picture or its table, if it has one (a live figure stays where it is), and its caption."""
    caption = box.select_one("figcaption, caption")
    content = box if box.name == "table" else box.find(["img", "table"])
    shown = copy(content) if content is not None else None
    if shown is not None and shown.caption is not None:
        shown.caption.decompose()
    number = box.select_one(".caption-number").get_text().strip()
    words = inside(caption).removeprefix("<p>").removesuffix("</p>")
    return f'<figure>{shown or ""}<figcaption><p><span class="caption-number">{number}</span> {words}</p></figcaption></figure>'


def statement(box: Tag) -> str:
    """A theorem or an exercise; the cell that checks an answer stays on its page."""
    title = box.select_one(".admonition-title")
    return titled(title.decode_contents().strip(), inside(box))


# What gets a card, by its selector; a solution and a bare section get none.
KINDS: dict[str, tuple[str, Callable[[Tag], str]]] = {
    "dl.glossary > dt": ("term", term),
    "div.math:has(> .eqno)": ("equation", equation),
    "div.citation": ("source", source),
    ":is(figure, table):has(.caption-number)": ("figure", figure),
    "div.proof:has(.caption-number), div.exercise:has(.caption-number)": ("statement", statement),
}


def article(html: str) -> BeautifulSoup | None:
    """The reader's part of a page, or nothing for a page of the theme's own."""
    start = html.find(START)
    return BeautifulSoup(html[start : html.index(END, start)], "html.parser") if start >= 0 else None


def targets(page: BeautifulSoup) -> dict[str, tuple[str, Tag]]:
    """What links may lead to on a page, by name, with its kind."""
    return {box["id"]: (kind, box) for selector, (kind, _) in KINDS.items() for box in page.select(selector) if box.get("id")}


def links(page: BeautifulSoup) -> list[str]:
    """The addresses within the book that lead to a named place, each once."""
    found = (link["href"] for link in page.select("a[href*='#']:not(.headerlink)"))
    return list(dict.fromkeys(address for address in found if "://" not in address))


def resolve(address: str, page: str) -> tuple[str, str]:
    """The page and the name that an address on a page leads to."""
    path, name = urldefrag(address)
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page, unquote(name)


def moved(card: str, origin: str, page: str) -> str:
    """The card of one page on another: pictures keep their addresses relative."""
    soup = BeautifulSoup(card, "html.parser")
    for picture in soup.find_all("img"):
        place = posixpath.join(posixpath.dirname(origin), picture["src"])
        picture["src"] = posixpath.relpath(place, posixpath.dirname(page) or ".")
    return str(soup)


def previews(pages: dict[str, BeautifulSoup]) -> dict[str, str]:
    """For each page, by its address, the cards that its links need."""
    make = dict(KINDS.values())
    places = {page: targets(soup) for page, soup in pages.items()}
    cards: dict[str, str] = {}
    for page, soup in pages.items():
        needed = []
        for address in links(soup):
            origin, name = resolve(address, page)
            if name in places.get(origin, {}):
                kind, box = places[origin][name]
                card = moved(make[kind](box), origin, page)
                needed.append(f'<template data-for="{escape(address)}" data-kind="{kind}">{card}</template>')
        cards[page] = "\n".join(needed)
    return cards


def write_previews(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    files = {uri: Path(app.outdir, uri) for uri in map(app.builder.get_target_uri, sorted(app.env.found_docs))}
    written = {uri: file.read_text(encoding="utf-8") for uri, file in files.items() if file.exists()}
    pages = {uri: soup for uri, html in written.items() if (soup := article(html)) is not None}
    for uri, cards in previews(pages).items():
        before, _, after = written[uri].rpartition("</body>")
        before = before.partition(PREVIEWS)[0]  # a page that was not written again has those of the last build
        box = f"{PREVIEWS}\n{cards}\n</div>\n" if cards else ""
        files[uri].write_text(f"{before}{box}</body>{after}", encoding="utf-8")


def minify(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        script = Path(app.outdir, "_static", "reading.js")
        script.write_text(rjsmin.jsmin(script.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.add_js_file("reading.js", defer="defer")
    app.add_css_file("reading.css")
    app.connect("build-finished", write_previews)
    app.connect("build-finished", minify)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
