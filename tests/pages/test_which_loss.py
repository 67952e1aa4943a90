"""The page "Which loss?": the form first, and whole; the table of losses without a cut; both themes accessible."""

import pytest

import rankbook as rb
from pages.test_form import CUT, LEAD_SCREENS, WIDE, settle

PAGE = "book/which_loss"


@pytest.mark.parametrize(("width", "height", "theme"), [(1200, 900, "light"), (390, 844, "dark")])
def test_it_leads_fits_and_is_accessible(open_page, width, height, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page, watch = open_page(PAGE, viewport={"width": width, "height": height}, color_scheme=theme)
    settle(page)
    form = page.locator(".rb-live[data-module=which_loss]")
    if width == 1200:
        box = form.bounding_box()
        assert (box["y"] + box["height"]) / height <= LEAD_SCREENS, "the figure comes late"
    assert page.evaluate(CUT, f"{WIDE}, pre, .cell_output" if width == 1200 else WIDE) == []
    assert watch.errors == []
    violations = axe.Axe().run(page, context="article.bd-article").response["violations"]
    assert [one["id"] for one in violations if one["impact"] in ("serious", "critical")] == []


def test_three_keys_lead_to_another_loss(open_page):
    page, watch = open_page(PAGE)
    settle(page)
    form = page.locator(".rb-live[data-module=which_loss]")
    name = form.locator(".rb-number")
    before = name.inner_text()
    form.get_by_role("radio", name="AP or mAP@R").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert name.inner_text() != before
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # scores of lists
    assert form.get_by_role("radiogroup").count() == 2
    assert watch.errors == []


def test_the_table_has_every_loss(open_page):
    page, _ = open_page(PAGE, viewport={"width": 390, "height": 844})
    table = page.locator("table.rb-stack").last
    assert sorted(table.locator("tbody td:first-child").all_inner_texts()) == sorted(rb.losses.__all__)
    cell = table.locator("tbody tr").first.locator("td").nth(2)
    assert cell.evaluate("e => getComputedStyle(e, '::before').content").strip('"') == "knobs: "
    assert cell.evaluate("e => getComputedStyle(e).display") == "block"
