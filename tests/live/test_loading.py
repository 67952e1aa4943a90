"""Figures come one by one, from ``file://`` and offline; a bad one keeps its text, and its neighbors live."""

import json
from html import escape

import pytest

from live.conftest import html_of
from rankbook.live import LearnedSorters, MetricGradient, RankStrip, Staircase, SupRankStep, TauGradient

FAR = '<p style="height: 5000px">far</p>'
# The page's own clock never says that it has come to rest; atRest() does.
HOLD = """const later = window.setTimeout;
window.setTimeout = (call, ms, ...rest) => { if (ms < 1000) return later(call, ms, ...rest); window.atRest = call; return 0; };"""
SCRIPTS = "[...document.scripts].map(script => new URL(script.src).pathname.split('/').pop())"


def place(module, state, text="the text of it"):
    return f'<div class="rb-live" data-module="{module}" data-state="{escape(json.dumps(state))}"><p class="rb-fallback">{text}</p></div>'


def test_a_script_comes_when_its_figure_is_near(load_page):
    page, problems = load_page(html_of(Staircase()) + FAR + html_of(MetricGradient()), init=HOLD)
    page.wait_for_selector(".rb-live[data-module=staircase][data-ready]")
    assert sorted(page.evaluate(SCRIPTS)) == ["core.js", "staircase.js"]
    page.locator(".rb-live").nth(1).scroll_into_view_if_needed()
    page.wait_for_selector(".rb-live[data-module=metric_gradient][data-ready]")
    names = page.evaluate(SCRIPTS)
    assert {"metric_gradient.js", "items.js", "pushes.js", "soft_metrics.js", "metrics.js"} <= set(names)
    assert len(set(names)) == len(names)
    assert problems == []


def test_a_page_without_a_figure_loads_nothing(load_page):
    page, problems = load_page("<p>words</p>", init=HOLD)
    page.wait_for_load_state()
    assert page.evaluate(SCRIPTS) == ["core.js"]
    assert problems == [] and not page.evaluate("'atRest' in window")


def test_all_figures_are_there_when_the_page_is_printed(load_page):
    page, problems = load_page(FAR + html_of(LearnedSorters(["kernel"])) + FAR + html_of(TauGradient()), init=HOLD)
    page.wait_for_function("'atRest' in window")
    page.evaluate("atRest()")
    needed = {"core", "learned_sorters", "networks", "items", "metrics", "ties", "pushes", "tau_gradient"}
    page.wait_for_function(f"{SCRIPTS}.length === {len(needed)}")
    assert {name.removesuffix(".js") for name in page.evaluate(SCRIPTS)} == needed
    page.wait_for_timeout(300)  # the last script runs
    assert page.locator(".rb-live[data-ready]").count() == 0
    mounted = "document.querySelectorAll('.rb-live[data-ready] .rb-fig[data-values]').length"
    assert page.evaluate(f"(dispatchEvent(new Event('beforeprint')), {mounted})") == 2  # by then, not later
    assert problems == []


GOOD = [RankStrip(), TauGradient()]
STATE = {"scores": [0.9, 0.4], "relevance": [1, 0], "k": 1}
GALLERY = {"scores": [0.9, 0.4], "item": 0, "ranker": "sigmoid", "knob": 0.1}
BAD = {
    "unknown module": (place("no_such_figure", {}), "no_such_figure"),
    "name of every object": (place("constructor", {}), "constructor"),
    "half a state": (place("rank_strip", STATE).replace("0.9, 0.4", "0.9, 0."), "rank_strip"),
    "no state": (place("tau_gradient", None), "tau_gradient"),
    "a trait is missing": (place("tau_gradient", {"gap": 0.3}), "tau_gradient"),
    "a word for a number": (place("rank_strip", STATE | {"scores": [0.9, "x"]}), "rank_strip"),
    "null for a number": (place("tau_gradient", {"gap": 0.3, "tau": None}), "tau_gradient"),
    "no number comes out": (place("tau_gradient", {"gap": 0.3, "tau": 0}), "tau_gradient"),
    "infinity comes out": (place("hierarchy_strip", {"scores": [0.9, 0.4], "levels": [2, 1], "alpha": -5000}), "hierarchy_strip"),
    "an index without an item": (place("ranker_gallery", GALLERY | {"item": 7}), "ranker_gallery"),
    "a ranker that is none": (place("ranker_gallery", GALLERY | {"ranker": "x"}), "ranker_gallery"),
    "an absurd count": (html_of(LearnedSorters(["kernel"])).replace("shuffles&quot;:0", "shuffles&quot;:0.5"), "learned_sorters"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_figure_keeps_its_text_and_its_neighbors_live(load_page, kind):
    body, module = BAD[kind]
    page, problems = load_page(html_of(GOOD[0]) + body + html_of(GOOD[1]))
    one_is_bad(page, problems, module)


DAMAGES = {
    "missing": None,
    "empty": "",
    "throws": 'rankbook.define("sup_rank_step", [], () => { throw new Error("no"); });',
    "syntax": "(",
    "needs what is missing": 'rankbook.define("sup_rank_step", ["nothing"], () => ({}));',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_script_stops_one_figure_only(load_page, tmp_path, damage):
    script = tmp_path / "sup_rank_step.js"  # load_page wrote it
    script.unlink() if DAMAGES[damage] is None else script.write_text(DAMAGES[damage])
    page, problems = load_page(html_of(GOOD[0]) + html_of(SupRankStep()) + html_of(GOOD[1]))
    noise = ("Failed to load resource", "uncaught: Unexpected")  # the browser's own lines
    one_is_bad(page, problems, "sup_rank_step", noise)


def one_is_bad(page, problems, module, noise=()):
    for place in page.locator(".rb-live").all():
        place.scroll_into_view_if_needed()
    page.wait_for_selector(".rb-live[data-failed]", state="attached")
    page.wait_for_function("document.querySelectorAll('.rb-live[data-ready]').length === 2")
    bad = page.locator(".rb-live").nth(1)
    assert bad.get_attribute("data-failed") and bad.locator(".rb-fallback").is_visible()
    assert bad.locator(".rb-fig").count() == 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # tries again what is not there yet, and says nothing twice
    page.wait_for_timeout(100)
    said = [line for line in problems if not line.startswith(noise or "\0")]
    assert len(said) == 1 and said[0].startswith(f'live figure "{module}": '), problems
    handle = page.locator(".rb-live").nth(2).locator("[data-drag]").first  # the neighbor lives
    before = handle.get_attribute("aria-valuenow")
    handle.press("ArrowLeft")
    assert handle.get_attribute("aria-valuenow") != before


def test_billions_of_shuffles_do_not_hold_the_page(load_page):
    page, problems = load_page(html_of(LearnedSorters(["kernel"])).replace("shuffles&quot;:0", "shuffles&quot;:3000000001"))
    page.wait_for_selector(".rb-live[data-ready]", timeout=10_000)
    order = json.loads(page.locator("[data-values]").get_attribute("data-values"))["order"]
    assert "".join("ABCDEFGH"[i] for i in order) == "EAFBGCHD"  # three riffles bring eight items back: 1 modulo 3
    assert problems == []
