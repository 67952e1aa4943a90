"""The form of a chapter, as a reader meets it: a moving figure and a question early, nothing cut, no check or dead control on the page."""

import ast
import json

import nbformat
import pytest

from pages_of_book import CUT, ROOT, chapters

LEAD_SCREENS = 1.5  # the lead figure is whole within
CELLS, LINES, WORDS, SCREENS, MARKS = 10, 15, 1600, 13.5, 10
DESKTOP = {"viewport": {"width": 1200, "height": 900}}

MEASURE = r"""() => {
  const article = document.querySelector("article.bd-article"), seen = (e) => e.getBoundingClientRect().width > 0 && e.checkVisibility();
  const cells = [...article.querySelectorAll("div.cell div.cell_input")].filter(seen);
  const skip = "pre, script, style, mjx-container, .rb-live, .headerlink, .rb-launch, .rb-checks, template";
  let words = 0;
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    const seen = parent.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !parent.closest(skip);
    if (seen) words += (walker.currentNode.textContent.match(/[\w’'.-]*\w+/g) ?? []).length;
  }
  const lead = article.querySelector(".rb-live:not([data-module=predict])");
  return {
    words, screens: document.documentElement.scrollHeight / innerHeight,
    cells: cells.map((cell) => cell.innerText.trim().split("\n").length),
    asserts: cells.filter((cell) => /\bassert\b/.test(cell.innerText)).length,
    lead: lead && (lead.getBoundingClientRect().bottom + scrollY) / innerHeight,
    marks: [...article.querySelectorAll(".rb-checks")].map((mark) => parseInt(mark.innerText)),
  };
}"""

WIDE = "table, mjx-container[display=true], div.math, .text_html, .rb-ask"


def settle(page) -> None:
    """Every live figure and question mounted, every equation typeset."""
    for place in page.locator(".rb-live").all():
        place.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('.rb-live')].every(place => place.dataset.ready)")
    page.wait_for_selector("mjx-container", state="attached")
    page.evaluate("MathJax.startup.promise")
    page.evaluate("scrollTo(0, 0)")


def code_cells(document):
    return [cell for cell in nbformat.read(ROOT / f"{document}.ipynb", as_version=4).cells if cell.cell_type == "code"]


def checks(document) -> int:
    sources = [cell.source for cell in code_cells(document) if "remove-cell" in cell.metadata.get("tags", [])]
    return sum(isinstance(node, ast.Assert) for source in sources for node in ast.walk(ast.parse(source)))


@pytest.mark.parametrize("document", chapters())
def test_a_chapter_has_the_form(open_page, document):
    page, watch = open_page(document, **DESKTOP)
    settle(page)
    found = page.evaluate(MEASURE)
    assert page.locator(".rb-claim strong").count() == 1 and page.locator(".rb-need").count() == 1
    assert found["lead"] is not None and found["lead"] <= LEAD_SCREENS, "the lead figure comes late"
    assert found["asserts"] == 0, "a check stands on the page"
    assert sum(found["marks"]) == checks(document) > 0, "the marks do not count the checks"
    assert len(found["marks"]) <= MARKS
    assert page.locator(".rb-still").count() == 0, "a dead control"
    assert len(found["cells"]) <= CELLS and max(found["cells"]) <= LINES, found["cells"]
    assert found["words"] <= WORDS
    assert found["screens"] <= SCREENS
    assert page.evaluate(CUT, f"{WIDE}, pre, .cell_output") == [], "at 1200 px something scrolls sideways"
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)
    assert page.evaluate(CUT, WIDE) == [], "at 390 px a table or an equation is cut"
    assert watch.errors == []


@pytest.mark.parametrize("document", chapters())
def test_every_question_locks_accepts_and_explains(open_page, document):
    page, watch = open_page(document, **DESKTOP)
    settle(page)
    forms = page.locator("form.rb-ask")
    places = page.locator(".rb-live[data-module=predict]")
    labels = []
    for i in range(forms.count()):
        form, state = forms.nth(i), json.loads(places.nth(i).get_attribute("data-state"))
        labels.append(state["label"])
        assert form.get_attribute("data-state") == "open" and not form.locator(".rb-ask-said").text_content()
        assert len(state["reveal"].split()) >= 4, f"no word on why: {state['question']}"
        if state["options"]:
            assert len(state["options"]) >= 2
            form.locator(".rb-ask-option").nth(state["right"]).click()
        elif state["span"]:
            form.get_by_role("slider").press("End")
            form.get_by_role("button", name="Check").click()
        else:
            form.get_by_role("textbox").fill(repr(state["answer"] + 3 * state["tolerance"] + 1))
            form.get_by_role("button", name="Check").click()
            if state["again"]:
                assert form.get_attribute("data-state") == "again"
                form.get_by_role("textbox").fill(repr(state["answer"]))
                form.get_by_role("button", name="Check").click()
        if form.get_attribute("data-state") == "again":  # dragged to the end, in an exercise
            form.get_by_role("button", name="show me").click()
        assert form.get_attribute("data-state") in {"right", "wrong", "shown"}
        assert form.locator(".rb-ask-said").text_content().endswith(form.locator(".rb-ask-said").inner_text()[-10:])
        assert len(form.locator(".rb-ask-said").text_content().split()) >= 5
    assert {"1 of 3", "2 of 3", "3 of 3"} <= set(labels), "no quiz of three"
    assert "Predict" in labels, "no prediction"
    assert watch.errors == []


@pytest.mark.parametrize("document", chapters())
def test_questions_are_folds_without_javascript(open_page, document):
    page, _ = open_page(document, java_script_enabled=False)
    folds = page.locator(".rb-live[data-module=predict] details")
    assert folds.count() == page.locator(".rb-live[data-module=predict]").count() > 0
    fold = folds.first
    assert not fold.locator("p").is_visible()
    fold.locator("summary").click()
    assert fold.locator("p").is_visible()
