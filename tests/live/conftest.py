"""What the tests of the live figures share: the figures, a page with some of them, and a runner for the JavaScript mathematics."""

import json
import shutil
import subprocess

import pytest

pytest.importorskip("anywidget", reason="live figures need anywidget (the extra `book`)")

from rankbook import live
from rankbook.live.bundle import write_bundle
from rankbook.live.modules import join, modules

FIGURES = [kind for name in live.__all__ if issubclass(kind := getattr(live, name), live.LiveFigure) and kind is not live.LiveFigure]


@pytest.fixture(params=FIGURES, ids=lambda figure: figure.__name__)
def figure(request):
    return request.param()


@pytest.fixture(scope="session")
def run_math(request):
    """``run_math(expression, cases)``: the list of ``expression`` (JavaScript over the modules and ``c``) for each case ``c``."""
    script = join([*modules("core"), *modules("shared")])
    node = shutil.which("node")

    def in_node(expression, cases):
        program = f"{script}\nconsole.log(JSON.stringify({json.dumps(cases)}.map((c) => ({expression}))));"
        done = subprocess.run([node, "-"], input=program, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def in_browser(expression, cases):
        page = request.getfixturevalue("browser").new_page()
        try:
            return page.evaluate(f"(cases) => {{ {script}\nreturn cases.map((c) => ({expression})); }}", cases)
        finally:
            page.close()

    return in_node if node else in_browser


def html_of(figure) -> str:
    """What the page of a figure holds: its state, and the text in its place."""
    return figure._repr_mimebundle_()[0]["text/html"]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """The scripts of all figures, made small once: to do so takes longer than most tests."""
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(folder)
    return folder


@pytest.fixture
def load_page(browser, bundle, tmp_path):
    """``load_page(body, ...)`` -> (page, problems): a bare page from ``file://`` with what the bundle has beside it, in ``tmp_path``."""
    contexts = []
    shutil.copytree(bundle, tmp_path, dirs_exist_ok=True)

    def load(body, *, width=1200, theme="light", touch=False, init=""):
        (tmp_path / "page.html").write_text(
            f'<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>A figure</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<link rel="stylesheet" href="live.css">'
            f'<script defer src="core.js"></script><body><main>{body}<p style="height: 2000px">below</p></main></body></html>',
            encoding="utf-8",
        )
        context = browser.new_context(viewport={"width": width, "height": 900}, has_touch=touch, offline=True)
        contexts.append(context)
        page, problems = context.new_page(), []
        page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
        if init:
            page.add_init_script(init)
        page.goto((tmp_path / "page.html").as_uri())
        return page, problems

    yield load
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(load_page):
    """``open_page(figure, width=..., theme=...)``: a page in which the figure lives, without an error."""
    seen = []

    def opener(figure, **options):
        page, problems = load_page(html_of(figure), **options)
        seen.append(problems)
        page.wait_for_selector(".rb-live[data-ready='1']")
        return page

    yield opener
    assert not any(seen), seen
