"""What the tests of the live figures share: the figures, a page with one figure, and a runner for the JavaScript mathematics."""

import json
import shutil
import subprocess

import pytest

pytest.importorskip("anywidget", reason="live figures need anywidget (the extra `book`)")

from rankbook.live import HierarchyStrip, LearnedSorters, MetricGradient, RankStrip, Staircase, SupRankStep, TauGradient
from rankbook.live.bundle import write_bundle
from rankbook.live.modules import join

FIGURES = [HierarchyStrip, LearnedSorters, MetricGradient, RankStrip, Staircase, SupRankStep, TauGradient]


@pytest.fixture(params=FIGURES, ids=lambda figure: figure.__name__)
def figure(request):
    return request.param()


@pytest.fixture(scope="session")
def run_math(request):
    """``run_math(expression, cases)``: the list of ``expression`` (JavaScript over ``math``, ``rankers``, ``c``) for each case ``c``."""
    script = join(["math", "rankers"])
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


@pytest.fixture
def open_page(browser, tmp_path):
    """``open_page(figure, width=..., theme=...)``: the figure, mounted from ``file://`` by the bundle in an otherwise bare page."""
    contexts, problems = [], []
    write_bundle(tmp_path)

    def opener(figure, *, width=1200, theme="light", touch=False):
        body = figure._repr_mimebundle_()[0]["text/html"]
        (tmp_path / "page.html").write_text(
            f'<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>A figure</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<script defer src="rankbook.js"></script><body><main>{body}<p style="height: 2000px">below</p></main></body></html>',
            encoding="utf-8",
        )
        context = browser.new_context(viewport={"width": width, "height": 900}, has_touch=touch, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_selector(".rb-live[data-ready='1']")
        return page

    yield opener
    for context in contexts:
        context.close()
    assert not problems
