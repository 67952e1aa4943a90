"""The page "Your scores": a pasted text, a chosen and a dropped file are measured, an error leaves nothing on view."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

PAGE = "book/your_scores"
ROWS = "query;score;relevance\na;0,9;1\na;0,8;0\na;0,8;1\nb;0,7;0\nb;0,2;1\nc;0,5;0\n"


@pytest.fixture
def tool(open_page):
    page, watch = open_page(PAGE, "file", offline=True, accept_downloads=True)
    page.wait_for_selector(".rb-scores textarea")
    yield page
    assert watch.errors == watch.outside == []


def cell(page, title, row, column=0):
    """What a table of the results shows: the cell of a row, by the name of the table and of the row."""
    table = page.get_by_role("table", name=title, exact=True)
    return table.locator("tr", has=page.get_by_role("rowheader", name=row, exact=True)).locator("td").nth(column)


def paste(page, text):
    page.get_by_label("Your rows").focus()
    page.evaluate("text => { document.activeElement.value = ''; document.execCommand('insertText', false, text); }", text)
    page.get_by_label("Your rows").dispatch_event("paste")


def test_a_pasted_text_is_measured_and_taken_away(tool):
    paste(tool, ROWS)
    expect(tool.locator(".rb-status")).to_have_text(re.compile("2 queries measured, 6 scores.*left out: c."))
    # AP with a tie at its last place: (1 + 2/3) / 2 and 1/2
    expect(cell(tool, "Every metric", "AP")).to_have_text("0.667")
    expect(cell(tool, "Every metric", "AP", 1)).to_have_text("2")
    expect(cell(tool, "Ties", "AP", 2)).to_have_text("0.750")  # the tie broken in its favor
    tool.get_by_label("Cutoffs k").fill("2")
    tool.get_by_label("Cutoffs k").press("Tab")
    expect(cell(tool, "Cut at k", "recall@k")).to_have_text("0.750")

    with tool.expect_download() as download:
        tool.get_by_role("button", name="Download .csv").click()
    rows = download.value.path().read_text(encoding="utf-8").splitlines()
    assert "Every metric,AP,mean,0.666666666667" in rows and "Cut at k,recall@k,2,0.75" in rows
    with tool.expect_download() as download:
        tool.get_by_role("button", name="Download .md").click()
    report = download.value.path().read_text(encoding="utf-8")
    shown = tool.locator(".rb-results h2").all_text_contents()
    assert len(shown) == 8 and all(f"## {title}\n" in report for title in shown)
    tool.get_by_role("button", name="Copy the report").click()
    expect(tool.locator(".rb-status")).to_have_text("The report is copied.")


def test_a_file_is_chosen_or_dropped_and_an_error_leaves_nothing_on_view(tool):
    files = {"name": "good.tsv", "mimeType": "text/plain", "buffer": ROWS.replace(";", "\t").encode("utf-16")}
    tool.get_by_label("A file of yours").set_input_files(files)
    expect(cell(tool, "Every metric", "AP")).to_have_text("0.667")
    drop = """text => {
        const data = new DataTransfer();
        data.items.add(new File([text], 'scores.csv'));
        const drop = new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
        document.querySelector('.rb-scores textarea').dispatchEvent(drop);
    }"""
    tool.evaluate(drop, "query,score,relevance\na,0.5,1\na,0.4,yes\n")
    expect(tool.get_by_role("alert")).to_have_text('line 3: relevance "yes" is not a number; use 0 and 1')
    expect(tool.locator(".rb-results > *")).to_have_count(0)
    expect(tool.locator(".rb-status")).to_be_empty()
    tool.evaluate(drop, "query,score,relevance\na,0.5,1\na,0.4,0\n")
    expect(cell(tool, "Every metric", "AP")).to_have_text("1.000")
    expect(tool.get_by_role("alert")).to_be_empty()
    expect(tool.get_by_text("This is scores.csv.", exact=True)).to_be_visible()


def test_queries_and_temperature_answer_to_pointer_and_keyboard(tool):
    tool.get_by_role("button", name="Load an example").click()
    expect(tool.locator(".rb-status")).to_have_text(re.compile("made up in this page"))
    slider = tool.get_by_role("slider", name="query, lowest first")
    first = tool.locator(".rb-query strong").text_content()
    assert cell(tool, "Which queries lose most", first).count() >= 1  # the lowest query loses most
    slider.press("End")
    last = tool.locator(".rb-query strong").text_content()
    assert last != first
    tool.locator(".rb-spot").first.hover()
    expect(tool.locator(".rb-query strong")).to_have_text(first)
    tool.get_by_role("table", name="Which queries lose most").get_by_role("button").nth(1).click()
    expect(tool.locator(".rb-query strong")).not_to_have_text(first)

    tau = tool.get_by_role("slider", name="\u03c4")
    loss = cell(tool, "1 \u2212 AP with each ranker", "sigmoid")
    before, exact = loss.text_content(), cell(tool, "1 \u2212 AP with each ranker", "exact").text_content()
    tau.press("Home")
    expect(cell(tool, "Temperature", "dead, of all pairs")).not_to_have_text("0.000")
    expect(loss).not_to_have_text(before)
    assert abs(float(loss.text_content()) - float(exact)) < 0.02  # nearly exact ranks
    tool.get_by_role("combobox", name="Metric").select_option("NDCG")
    expect(tool.get_by_role("columnheader", name="NDCG", exact=True).first).to_be_visible()


def test_the_results_fit_the_screen_and_are_accessible(open_page):
    tool, _ = open_page(PAGE)  # axe reads the style sheets, which it cannot from file://
    tool.get_by_role("button", name="Load an example").click()
    tool.wait_for_selector(".rb-results section")
    for width, theme in ((1200, "dark"), (390, "light")):
        tool.set_viewport_size({"width": width, "height": 850})
        tool.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        tool.wait_for_timeout(400)
        assert tool.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        found = Axe().run(tool, context=".rb-scores", options={"resultTypes": ["violations"]}).response["violations"]
        assert [f"{v['id']}: {node['html'][:120]}" for v in found for node in v["nodes"]] == []


def test_many_rows_do_not_hold_the_page(tool):
    """10,000 rows: no task of the page holds it for long, and the numbers are there within seconds."""
    text = "query,score,relevance\n" + "".join(f"q{i // 100},{(i * 7919) % 10007 / 10007},{int(i * 31 % 17 == 0)}\n" for i in range(10_000))
    tool.evaluate("""() => {
        window.longest = 0;
        const note = (list) => list.getEntries().forEach(({ duration }) => { longest = Math.max(longest, duration); });
        new PerformanceObserver(note).observe({ type: 'longtask' });
    }""")
    tool.get_by_label("A file of yours").set_input_files({"name": "many.csv", "mimeType": "text/csv", "buffer": text.encode()})
    expect(tool.locator(".rb-status")).to_have_text(re.compile("100 queries measured, 10,000 scores"), timeout=20_000)
    expect(tool.get_by_text("measured on 2,500 of 10,000 items")).to_be_visible()
    assert tool.evaluate("longest") < 1000
