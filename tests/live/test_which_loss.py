"""The form of "Which loss?": JavaScript and Python give the same advice, and the page shows it by mouse and keyboard, at every width."""

import itertools
import json

import pytest

from live.conftest import html_of
from rankbook.advice import QUESTIONS, START, advise, pack
from rankbook.experiments.tables import stored_table
from rankbook.live import WhichLoss
from rankbook.live.modules import FOLDER

BOOK = pack(*map(stored_table, ("evidence", "bench_cuda", "leaderboard")))
NAMES = [question["name"] for question in QUESTIONS]


def test_javascript_gives_the_same_advice_for_any_answers(run_math):
    options = [[value for value, _ in question["options"]] for question in QUESTIONS]
    answers = [dict(zip(NAMES, values, strict=True)) for values in itertools.product(*options)]
    assert run_math(f"advice.advise(({json.dumps(BOOK)}), c)", answers) == [advise(BOOK, one) for one in answers]


@pytest.mark.parametrize("name", ["questions/which_loss.js", "shared/advice.js"])
def test_no_rule_stands_in_the_scripts(name):
    text = (FOLDER / name).read_text("utf-8")
    assert not [rule["loss"] for rule in BOOK["rules"] if rule["loss"] in text]
    assert not [name for name, _ in BOOK["questions"][0]["options"] if f'"{name}"' in text]


def test_answers_are_checked():
    with pytest.raises(ValueError, match='metric must be "AP", "hit"'):
        WhichLoss(BOOK, metric="F1")


def values(page):
    return json.loads(page.locator("[data-values]").get_attribute("data-values"))


def test_a_click_and_a_key_change_the_loss_and_reset_restores_it(open_page):
    figure = WhichLoss(BOOK)
    page = open_page(figure)
    assert values(page) == figure.readout()
    page.get_by_role("radio", name="a tree (class, group, ...)").check()
    page.get_by_role("radio", name="hit@1 (R@1)").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    figure.graded, figure.metric = "yes", "H-AP"
    assert values(page) == figure.readout()
    assert page.locator(".rb-number").inner_text() == figure.readout()["loss"] == "SupHAPLoss"
    assert page.locator(".rb-advice-code code").inner_text() == figure.readout()["code"]
    lines = page.locator(".rb-advice-evidence li").all_inner_texts()
    assert len(lines) == len(figure.readout()["evidence"])
    assert page.locator(".rb-advice-standing").inner_text() == figure.readout()["standing"] != ""
    assert "ahead" in lines[0] and "behind" in lines[-1]
    page.get_by_role("button", name="Reset").click()
    assert page.locator(".rb-advice-standing").inner_text() == figure.book["rules"][0]["standing"] != ""
    assert values(page) == WhichLoss(BOOK).readout()


def test_scores_of_lists_are_asked_two_questions(open_page):
    page = open_page(WhichLoss(BOOK, train="scores", metric="NDCG"))
    assert page.get_by_role("radiogroup").count() == 2
    assert "Not measured by us" in page.locator(".rb-advice-head").inner_text()
    assert page.locator(".rb-advice-standing").is_hidden()
    page.get_by_role("radio", name="Spearman").check()  # no interval on the bundled set, but a standing on others
    assert page.locator(".rb-advice-head").inner_text() == "What we measured"
    assert "squared error" in page.locator(".rb-advice-standing").inner_text()
    page.get_by_role("radio", name="embeddings, with labels").check()
    assert page.get_by_role("radiogroup").count() == len(QUESTIONS)


def test_copy_puts_the_code_on_the_clipboard(open_page):
    page = open_page(WhichLoss(BOOK), init="navigator.clipboard.writeText = async (text) => { window.copied = text; };")
    page.get_by_role("button", name="Copy").click()
    page.wait_for_function("window.copied")
    assert page.evaluate("window.copied") == WhichLoss(BOOK).readout()["code"]


def test_the_cost_names_batch_dimension_and_device(open_page):
    figure = WhichLoss(BOOK, metric="recall")
    size, milliseconds, megabytes = figure.readout()["cost"]
    said = f"at {size:,} embeddings of 512 numbers: {milliseconds:.1f} ms, {megabytes:.0f} MB on an NVIDIA H200."
    assert said in open_page(figure).locator(".rb-live").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_and_is_accessible(open_page, width, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(WhichLoss(BOOK, metric="H-AP", graded="yes", classes="1024", machines="many"), width=width, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.locator(".rb-fig").evaluate(
        """root => [...root.querySelectorAll('*:not(style)')].filter(e => e.textContent.trim() && !e.children.length)
            .map(e => parseFloat(getComputedStyle(e).fontSize))"""
    )
    assert min(sizes) >= 12
    assert page.locator(".rb-fig :is(.rb-choice, .rb-button)").evaluate_all("all => all.every(e => e.getBoundingClientRect().height >= 24)")
    if theme == "dark":
        return  # a bare page stays white; tests/pages looks at the dark one
    violations = axe.Axe().run(page, context=".rb-live", options={"preload": False}).response["violations"]
    assert [one["id"] for one in violations if one["impact"] in ("serious", "critical")] == []


def test_without_javascript_the_first_answer_and_its_numbers_are_read():
    text = WhichLoss(BOOK).describe()
    first = BOOK["evidence"][WhichLoss(BOOK).readout()["evidence"][0]]
    assert START["metric"] in text and f"{first['mean']:.4f}" in text and "10 seeds" in text
    assert text.replace("'", "&#x27;").replace(">", "&gt;") in html_of(WhichLoss(BOOK))
    assert "Not measured by us" in WhichLoss(BOOK, train="scores", metric="NDCG").describe()
    for metric in ("recall", "Spearman"):
        assert "Not measured by us" not in WhichLoss(BOOK, metric=metric).describe()
