"""What our pages need beyond Jupyter Book: a launch row, marks where checks stand, scripts only where needed, one address."""

import ast
import json
import re
from urllib.parse import quote

from docutils import nodes
from sphinx.application import Sphinx

HEADING = re.compile(r"^(?<!\)=\n)(?=(?:\([\w-]+\)=\n)?## )", re.M)  # a label stays with its heading


# What Jupyter Book puts on every page, by a part of its name or its text, and the mark of a page that it is for.
ASSETS = {"sphinx-thebe": 'class="thebe', "THEBE_JS_URL": 'class="thebe', "mathjax/": 'class="math', "design": "sd-"}


def is_idle(asset, body: str) -> bool:
    name = f"{getattr(asset, 'filename', '')} {getattr(asset, 'attributes', {}).get('body', '')}"
    return any(part in name and mark not in body for part, mark in ASSETS.items())


def drop_idle(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Scripts and sheets only where the page has something for them; sphinx-thebe even throws: it declares a constant twice."""
    for assets in ("script_files", "css_files"):
        context[assets] = [asset for asset in context.get(assets, []) if not is_idle(asset, context.get("body", ""))]


def load_live_figures(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """The style sheet and the script of the live figures, on pages that have one; the script loads each figure when it comes near.

    A browser runs no script before the style sheets that stand above it, so a figure never measures a page without its style.
    """
    if 'class="rb-live"' in context.get("body", ""):
        app.add_css_file("rb/live.css", priority=100)  # before our own sheets, which have the last word
        app.add_js_file("rb/core.js", defer="defer")


def mend_bibliography(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """docutils calls a bibliography a list but its entries no list items, which screen readers reject."""
    if "body" in context:
        context["body"] = context["body"].replace('<div role="list" class="citation-list">', '<div class="citation-list">')


def launch_row(app: Sphinx, docname: str) -> str:
    """Links that open one notebook where it runs."""
    options = app.config.html_theme_options
    repository, branch = options["repository_url"].rstrip("/"), options["repository_branch"]
    slug = repository.removeprefix("https://github.com/")
    path = f"{docname}.ipynb"
    links = [
        ("Open in Colab", f"https://colab.research.google.com/github/{slug}/blob/{branch}/{path}"),
        ("Open in Binder", f"https://mybinder.org/v2/gh/{slug}/{branch}?urlpath={quote(f'lab/tree/{path}')}"),
        ("View the source", f"{repository}/blob/{branch}/{path}"),
    ]
    items = "".join(f'<li><a href="{address}">{label}</a></li>' for label, address in links)
    return f'<ul class="rb-launch" aria-label="Run this chapter">{items}</ul>'


def add_launch_row(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html" or not str(app.env.doc2path(docname)).endswith(".ipynb"):
        return
    title = next(doctree.findall(nodes.title), None)
    if title is not None:
        title.parent.insert(title.parent.index(title) + 1, nodes.raw("", launch_row(app, docname), format="html"))


def is_off_the_page(cell: dict) -> bool:
    """The notebook has this cell, the page has not: set-up, a check, a playground that needs a kernel."""
    return cell["cell_type"] == "code" and "remove-cell" in cell["metadata"].get("tags", [])


def count_checks(cell: dict) -> int:
    return sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse("".join(cell["source"]))))


def pieces(cells: list[dict]) -> list[dict]:
    """The cells, a text with a heading of level 2 in its midst cut there."""
    cut = []
    for cell in cells:
        texts = HEADING.split("".join(cell["source"])) if cell["cell_type"] == "markdown" else []
        if len(texts) < 2:
            cut.append(cell)
        cut += [{**cell, "id": f"{cell['id']}-{i}", "source": [text]} for i, text in enumerate(texts) if len(texts) > 1 and text.strip()]
    return cut


def mark_checks(app: Sphinx, docname: str, source: list[str]) -> None:
    """At the end of a section one quiet line says how many checks of the notebook hold there, and links to them.

    On the JSON, because cells that are off the page are gone before there is a doctree.
    """
    if not str(app.env.doc2path(docname)).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    options = app.config.html_theme_options
    address = f"{options['repository_url'].rstrip('/')}/blob/{options['repository_branch']}/{docname}.ipynb"
    cells, checks = [], 0

    def mark() -> None:
        words = "1 check holds" if checks == 1 else f"{checks} checks hold"
        title = "Assertions of the notebook in this section, which are run again before each release"
        line = f'<p class="rb-checks"><a href="{address}" title="{title}">{words}</a></p>\n'
        cells.append({"cell_type": "markdown", "id": f"checks-{len(cells)}", "metadata": {}, "source": [line]})

    for cell in pieces(notebook["cells"]):
        if checks and cell["cell_type"] == "markdown" and HEADING.match("".join(cell["source"])):
            mark()
            checks = 0
        checks += count_checks(cell) if is_off_the_page(cell) else 0
        cells.append(cell)
    if checks:
        mark()
    source[0] = json.dumps({**notebook, "cells": cells})


def share_address(app: Sphinx, config) -> None:
    """OpenGraph wants the address of the site again; there is one source, `html.baseurl` in _config.yml."""
    config.ogp_site_url = config.html_baseurl


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", share_address)
    app.connect("source-read", mark_checks)
    app.connect("doctree-resolved", add_launch_row)
    app.connect("html-page-context", load_live_figures)
    app.connect("html-page-context", drop_idle, priority=900)
    app.connect("html-page-context", mend_bibliography)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
