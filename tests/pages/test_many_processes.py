"""The page "Many processes": the form of a chapter, shorter, and both themes accessible."""

import pytest

from pages.test_form import CUT, LEAD_SCREENS, LINES, MARKS, MEASURE, SCREENS, WIDE, checks, settle

PAGE, WORDS = "book/many_processes", 1200


@pytest.mark.parametrize(("width", "height", "theme"), [(1200, 900, "light"), (390, 844, "dark")])
def test_it_has_the_form_fits_and_is_accessible(open_page, width, height, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page, watch = open_page(PAGE, viewport={"width": width, "height": height}, color_scheme=theme)
    settle(page)
    if width == 1200:
        found = page.evaluate(MEASURE)
        assert page.locator(".rb-claim strong").count() == 1 and page.locator(".rb-need").count() == 1
        assert found["lead"] <= LEAD_SCREENS, "the lead figure comes late"
        assert found["words"] <= WORDS and found["screens"] <= SCREENS, found
        assert max(found["cells"]) <= LINES and found["asserts"] == 0, found
        assert sum(found["marks"]) == checks(PAGE) > 0 and len(found["marks"]) <= MARKS
    assert page.evaluate(CUT, f"{WIDE}, pre, .cell_output" if width == 1200 else WIDE) == []
    assert watch.errors == []
    violations = axe.Axe().run(page, context="article.bd-article").response["violations"]
    assert [one["id"] for one in violations if one["impact"] in ("serious", "critical")] == []


def test_every_question_explains(open_page):
    page, watch = open_page(PAGE)
    settle(page)
    forms = page.locator("form.rb-ask")
    assert forms.count() == 5
    for form in forms.all():
        option = form.locator(".rb-ask-option")
        if option.count():
            option.first.click()
        else:
            form.get_by_role("textbox").fill("-1")
            form.get_by_role("button", name="Check").click()
            if form.get_attribute("data-state") == "again":
                form.get_by_role("button", name="show me").click()
        assert form.get_attribute("data-state") in {"right", "wrong", "shown"}
        assert len(form.locator(".rb-ask-said").text_content().split()) >= 5
    assert watch.errors == []
