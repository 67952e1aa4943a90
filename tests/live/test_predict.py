"""A question locks until it is tried, accepts what the notebook computed, and explains; by mouse, keyboard and without JavaScript."""

import re

import pytest

from rankbook.live import Predict

CHOICE = {"choices": {"It rises": 0.1, "It **stays**": 0.0, "It falls": -0.1}, "answer": 0.0, "reveal": "AP reads the `order` alone."}


@pytest.fixture
def ask(open_page):
    """``ask(gate)`` -> (page, form): the question in a bare page."""

    def asked(gate, **options):
        page = open_page(gate, **options)
        return page, page.locator("form.rb-ask")

    return asked


def state(form):
    return form.get_attribute("data-state")


def said(form):
    return form.locator(".rb-ask-said").text_content()


# --- the notebook decides what is right ---


def test_the_right_button_is_the_one_whose_value_was_computed():
    assert Predict("?", **CHOICE).right == 1
    assert Predict("?", choices={"a": "x", "b": "y"}, answer="y").right == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"choices": {"a": 1.0, "b": 2.0}, "answer": 3.0}, "expected exactly one that equals the answer 3.0"),
        ({"choices": {"a": 1.0, "b": 1.01}, "answer": 1.0, "tolerance": 0.1}, "expected exactly one"),
        ({"choices": {"a": 1.0}, "answer": 1.0, "span": (0, 1)}, "choices and span: expected one of them"),
        ({"answer": 2.0, "span": (0, 1), "tolerance": 0.1}, r"span: expected \(low, high\) around the answer 2"),
        ({"answer": 0.5, "span": (0, 1)}, "tolerance must be"),
        ({"answer": float("nan")}, "answer must be"),
        ({"answer": 1.0, "tolerance": -1}, "tolerance must be"),
    ],
)
def test_a_question_without_one_right_answer_does_not_run(arguments, message):
    with pytest.raises(ValueError, match=message):
        Predict("?", **arguments)


def test_texts_are_escaped_and_know_a_little_markup():
    gate = Predict("Is 1 < 2 in `a < b`?", choices={"**yes**": True, "*no*": False}, answer=True)
    assert gate.question == "Is 1 &lt; 2 in <code>a &lt; b</code>?"
    assert gate.options == ["<strong>yes</strong>", "<em>no</em>"]
    assert gate.describe() == "Is 1 < 2 in a < b? (yes / no)"


# --- the page ---


def test_a_prediction_is_made_once_and_then_explained(ask):
    _, form = ask(Predict("What does AP do?", **CHOICE))
    assert state(form) == "open" and said(form) == ""
    form.get_by_role("button", name="It rises").click()
    assert state(form) == "wrong" and said(form) == "No. AP reads the order alone."
    buttons = form.locator(".rb-ask-option")
    assert [button.get_attribute("data-mark") for button in buttons.all()] == ["wrong", "right", None]
    assert all(button.is_disabled() for button in buttons.all())
    assert form.get_by_role("button", name="show me").count() == 0
    assert form.locator(".rb-ask-said").evaluate("e => e === document.activeElement")


def test_the_right_choice_is_accepted_by_keyboard(ask):
    page, form = ask(Predict("What does AP do?", **CHOICE))
    form.get_by_role("button", name="It stays").focus()
    page.keyboard.press("Enter")
    assert state(form) == "right" and said(form).startswith("Yes.")


@pytest.mark.parametrize(
    ("typed", "unit", "answer", "expected"),
    [
        ("0.25", "", 0.25, "right"),
        (" 1/4 ", "", 0.25, "right"),
        (".25", "", 0.25, "right"),
        ("0,25", "", 0.25, "right"),
        ("25 %", "", 0.25, "right"),
        ("25%", "%", 25, "right"),
        ("25", "%", 25, "right"),
        ("\u22121e-3", "", -0.001, "right"),
        ("0.26", "", 0.25, "wrong"),
        ("a quarter", "", 0.25, "again"),
        ("", "", 0.25, "again"),
        ("1/0", "", 0.25, "again"),
    ],
)
def test_a_number_may_be_written_in_many_ways(ask, typed, unit, answer, expected):
    page, form = ask(Predict("How much?", answer=answer, unit=unit, reveal="So much."))
    form.get_by_role("textbox").fill(typed)
    page.keyboard.press("Enter")
    assert state(form) == expected
    assert ("A number, please" in said(form)) == (expected == "again")
    assert ("So much." in said(form)) == (expected != "again")


def test_a_tolerance_accepts_what_is_near(ask):
    for typed, expected in (("0.31", "right"), ("0.36", "wrong")):
        _, form = ask(Predict("How much?", answer=0.3, tolerance=0.05))
        form.get_by_role("textbox").fill(typed)
        form.get_by_role("button", name="Check").click()
        assert state(form) == expected


def test_an_exercise_lets_one_try_again_or_ask(ask):
    _, form = ask(Predict("What does AP do?", **CHOICE, again=True, label="Exercise"))
    wrong = form.get_by_role("button", name="It falls")
    wrong.click()
    assert state(form) == "again" and wrong.is_disabled() and "order" not in said(form)
    form.get_by_role("button", name="show me").click()
    assert state(form) == "shown" and "AP reads the order alone." in said(form)


def test_drag_to_an_answer(ask):
    gate = Predict("Where?", answer=0.2, span=(0, 1), tolerance=0.05, reveal="There.")
    page, form = ask(gate)
    form.get_by_role("button", name="Check").click()
    assert state(form) == "again"  # nobody dragged yet
    handle = form.get_by_role("slider")
    box, frame = handle.bounding_box(), form.locator(".rb-panel").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(frame["x"] + 22 + 0.2 * (frame["width"] - 44), y, steps=5)
    page.mouse.up()
    form.get_by_role("button", name="Check").click()
    assert state(form) == "right" and "There." in said(form)
    before = handle.get_attribute("aria-valuenow")
    handle.press("ArrowRight")
    assert handle.get_attribute("aria-valuenow") == before  # answered is answered


def test_drag_by_keyboard(ask):
    _, form = ask(Predict("Where?", answer=0.9, span=(0, 1), tolerance=0.05))
    form.get_by_role("slider").press("Home")
    form.get_by_role("button", name="Check").click()
    assert state(form) == "wrong" and "it is 0.9" in said(form)


def test_without_javascript_it_is_a_fold():
    fallback = Predict("What does AP do?", **CHOICE).fallback()
    assert re.search(r"<details><summary>Answer</summary>.*AP reads the <code>order</code> alone.</p></details>", fallback)
    assert "It rises" in fallback


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_questions_fit_and_are_accessible(ask, width, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for gate in (Predict("What?", **CHOICE), Predict("Where?", answer=0.2, span=(0, 1), tolerance=0.1), Predict("How many?", answer=3)):
        page, _ = ask(gate, width=width, theme=theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        violations = axe.Axe().run(page, context=".rb-live", options={"preload": False}).response["violations"]
        assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
