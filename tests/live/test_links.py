"""Figures of one link move together, in a notebook and in the page; numbers in the prose set and follow them."""

import json

import pytest

from live.conftest import html_of
from rankbook.live import MetricGradient, RankStrip, ScoreSweep, Staircase

LIST = [0.91, 0.84, 0.78, 0.66, 0.52, 0.47, 0.33, 0.20]
LABELS = [1, 0, 1, 0, 0, 1, 0, 0]
DRAG = '<p>tau is <span class="rb-drag" data-link="tau" data-trait="tau" data-min="0.01" data-max="0.3" data-step="0.01">0.05</span></p>'
VALUE = '<p>AP is <span class="rb-value" data-link="list" data-value="average_precision" data-digits="3">0.722</span></p>'


def shown(page, module):
    return json.loads(page.locator(f".rb-live[data-module={module}] [data-values]").get_attribute("data-values"))


def ready(page, count):
    page.wait_for_function(f"document.querySelectorAll('.rb-live[data-ready]').length === {count}")


def test_in_a_notebook_linked_traits_follow():
    strip, sweep = RankStrip(scores=LIST, relevance=LABELS, link="here"), ScoreSweep(link="here")
    alone = RankStrip(scores=LIST, relevance=LABELS)
    moved = [0.5, *LIST[1:]]
    strip.scores = moved
    assert sweep.scores == moved and alone.scores == LIST
    sweep.relevance = [0, *LABELS[1:]]
    assert strip.relevance == [0, *LABELS[1:]]


def test_the_link_is_no_part_of_the_state():
    figure = RankStrip(link="list")
    assert "link" not in figure.figure_state()
    assert 'data-link="list"' in html_of(figure) and "data-link" not in html_of(RankStrip())


def two_metrics(link):
    shared = ["scores", "relevance", "tau"]
    return MetricGradient(link=link), MetricGradient(metric="RR", link=link, link_traits=shared)


def test_in_a_notebook_a_trait_that_is_left_out_stays():
    first, second = two_metrics("two")
    second.tau = 0.2
    first.metric = "NDCG"
    assert (first.tau, first.metric, second.metric) == (0.2, "NDCG", "RR")
    second.metric = "AP"
    assert first.metric == "NDCG"
    with pytest.raises(ValueError, match=r"link_traits\[1\] must be .*, got 'knob'"):
        MetricGradient(link="two", link_traits=["tau", "knob"])


def test_in_the_page_a_trait_that_is_left_out_stays_and_its_figure_moves_no_word(load_page):
    word = '<span class="rb-value" data-link="two" data-value="value" data-digits="3">0.7</span>'
    first, second = two_metrics("two")
    page, problems = load_page(html_of(first) + word + html_of(second))
    ready(page, 2)
    one, other = (page.locator(".rb-live").nth(i) for i in range(2))
    other.get_by_label("temperature").press("End")
    other.get_by_label("NDCG").check()
    now = [json.loads(place.locator("[data-values]").get_attribute("data-values")) for place in (one, other)]
    assert [(shown["tau"], shown["metric"]) for shown in now] == [(1, "AP"), (1, "NDCG")]
    assert page.locator(".rb-value").text_content() == f"{now[0]['value']:.3f}" != f"{now[1]['value']:.3f}"
    one.get_by_label("recall@3").check()
    assert other.get_by_label("NDCG").is_checked()
    assert problems == []


def test_in_the_page_linked_figures_and_words_follow(load_page):
    body = html_of(RankStrip(scores=LIST, relevance=LABELS, link="list")) + VALUE + html_of(ScoreSweep(link="list"))
    page, problems = load_page(body)
    ready(page, 2)
    word = page.locator(".rb-value")
    assert word.text_content() == "0.722"
    page.locator(".rb-live[data-module=rank_strip] [data-drag]").nth(1).press("Home")  # B to the bottom
    strip, sweep = shown(page, "rank_strip"), shown(page, "score_sweep")
    assert strip["scores"] == sweep["scores"] and strip["scores"][1] == 0
    assert word.text_content() == f"{strip['average_precision']:.3f}" != "0.722"
    page.locator(".rb-live[data-module=score_sweep]").get_by_role("button", name="Reset").click()
    assert shown(page, "rank_strip")["scores"] == LIST and word.text_content() == "0.722"
    assert problems == []


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_a_number_in_the_prose_moves_the_figure(load_page, way):
    page, problems = load_page(DRAG + html_of(Staircase(tau=0.05, link="tau")))
    ready(page, 1)
    word = page.locator(".rb-drag")
    assert word.get_attribute("role") == "slider" and word.get_attribute("aria-valuenow") == "0.05"
    if way == "mouse":
        box = word.bounding_box()
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + 60, box["y"] + 5, steps=4)
        page.mouse.up()
    else:
        word.press("Shift+ArrowRight")
    tau = shown(page, "staircase")["tau"]
    assert tau > 0.1 and word.text_content() == f"{tau:.2f}" and float(word.get_attribute("aria-valuenow")) == tau
    word.press("Home")
    assert shown(page, "staircase")["tau"] == 0.01
    page.get_by_label("temperature").press("End")  # and back: the figure moves the word
    assert word.text_content() == "1.00"
    assert problems == []


def test_a_figure_that_comes_later_takes_what_has_moved(load_page):
    page, _ = load_page(DRAG + '<p style="height: 5000px">far</p>' + html_of(Staircase(tau=0.05, link="tau")))
    page.locator(".rb-drag").press("End")
    page.locator(".rb-live").scroll_into_view_if_needed()
    ready(page, 1)
    assert shown(page, "staircase")["tau"] == 0.3
    page.get_by_role("button", name="Reset").click()
    assert shown(page, "staircase")["tau"] == 0.05
