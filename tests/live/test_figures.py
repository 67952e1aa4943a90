"""Each figure in a bare page from ``file://``: it answers to mouse, touch and keyboard, and shows what rankbook computes."""

import json

import pytest

from live.agreement import agree
from live.scenes import CASES
from rankbook.live import HierarchyStrip, MetricBoard, RankStrip, Staircase, SupRankStep, TauGradient, TieOrders


def values(page):
    return json.loads(page.locator("[data-values]").get_attribute("data-values"))


def check(page, figure):
    return agree(figure, values(page))


def center(handle):
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def by_mouse(page, handle, distance):
    x, y = center(handle)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + distance, y + 3, steps=6)
    page.mouse.up()


def by_touch(page, handle, distance):
    x, y = center(handle)
    session = page.context.new_cdp_session(page)

    def send(kind, *points):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": px, "y": py} for px, py in points]})

    send("touchStart", (x, y))
    for step in range(1, 7):
        send("touchMove", (x + distance * step / 6, y + 8 * step))  # a finger slips: a scroll, if the handle let it
    send("touchEnd")


@pytest.mark.parametrize(("kind", "scene"), CASES, ids=lambda value: value.__name__ if isinstance(value, type) else str([*value]))
def test_every_scene_shows_what_rankbook_computes(open_page, kind, scene):
    figure = kind(**scene)
    check(open_page(figure), figure)


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("move", [by_mouse, by_touch])
def test_every_handle_drags(open_page, figure, move, width):
    page = open_page(figure, width=width, touch=move is by_touch)
    before = check(page, figure)
    for handle in page.locator("[data-drag]").all():
        x, _ = center(handle)
        at, top = float(handle.get_attribute("aria-valuenow")), page.evaluate("scrollY")
        move(page, handle, 60 if x < width / 2 else -60)
        assert page.evaluate("scrollY") == top
        assert float(handle.get_attribute("aria-valuenow")) != at
        after = check(page, figure)
        assert after != before
        before = after


def test_the_handle_stays_under_the_pointer(open_page):
    page = open_page(Staircase())
    handle = page.locator("[data-drag]")
    x, _ = center(handle)
    by_mouse(page, handle, 83)
    assert center(handle)[0] == pytest.approx(x + 83, abs=1)


def test_a_press_without_a_move_changes_nothing(open_page, figure):
    page = open_page(figure)
    before = values(page)
    page.locator("[data-drag]").first.click()
    assert values(page) == before


def test_keyboard(open_page, figure):
    page = open_page(figure)
    for handle in page.locator("[data-drag]").all():
        handle.focus()

        def press(key, handle=handle):
            page.keyboard.press(key)
            check(page, figure)
            return float(handle.get_attribute("aria-valuenow"))

        low, high = press("Home"), press("End")
        assert (low, high) == (float(handle.get_attribute("aria-valuemin")), float(handle.get_attribute("aria-valuemax")))
        small = high - press("ArrowLeft")
        large = high - small - press("Shift+ArrowLeft")
        assert 0 < 3 * small < large
        assert press("ArrowRight") > high - small - large
        assert handle.evaluate("e => e === document.activeElement")


def test_reset_restores_the_start(open_page, figure):
    page = open_page(figure)
    before = values(page)
    for handle in page.locator("[data-drag]").all():
        handle.press("Shift+ArrowLeft")
    assert values(page) != before
    page.get_by_role("button", name="Reset").click()
    assert values(page) == before


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_legible_at_every_width(open_page, figure, width, theme):
    page = open_page(figure, width=width, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".rb-fallback").count() == 0
    sizes = page.locator(".rb-fig").evaluate(
        """root => [...root.querySelectorAll('*')].filter(e => e.textContent.trim() && !e.children.length)
            .map(e => parseFloat(getComputedStyle(e).fontSize))"""
    )
    assert min(sizes) >= 12
    outside = page.locator(".rb-fig").evaluate(
        """root => { const frame = root.getBoundingClientRect();
        return [...root.querySelectorAll('text, .rb-tile *, .rb-button, .rb-handle')].map(e => [e.textContent, e.getBoundingClientRect()])
            .filter(([, b]) => b.width && (b.left < frame.left - 1 || b.right > frame.right + 1)).map(([name]) => name); }"""
    )
    assert outside == []
    for handle in page.locator("[data-drag]").all():
        box = handle.bounding_box()
        assert min(box["width"], box["height"]) >= 32
    # Only the handles keep a finger from scrolling the page.
    assert page.evaluate(
        "[...document.querySelectorAll('.rb-fig *')].filter(e => getComputedStyle(e).touchAction === 'none').every(e => e.dataset.drag)"
    )


def test_the_figure_follows_its_width(open_page, figure):
    page = open_page(figure, width=1200)
    wide = page.locator(".rb-panel svg").first.bounding_box()["width"]
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function("wide => document.querySelector('.rb-panel svg').getBoundingClientRect().width !== wide", arg=wide)
    check(page, figure)


def test_themes_differ(open_page, figure):
    ink = [
        open_page(figure, theme=theme).locator(".rb-number").first.evaluate("e => getComputedStyle(e).color") for theme in ("light", "dark")
    ]
    assert ink[0] != ink[1]


def test_no_serious_accessibility_violation(open_page, figure):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    violations = axe.Axe().run(open_page(figure), context=".rb-live", options={"preload": False}).response["violations"]
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []


def test_the_spoken_summary_waits_for_rest(open_page):
    page = open_page(RankStrip())
    status = page.get_by_role("status")
    assert status.text_content() == ""
    page.locator("[data-drag]").first.press("ArrowLeft")
    assert status.text_content() == ""
    page.wait_for_function("document.querySelector('[role=status]').textContent.startsWith('AP 0.722')")


def test_relevance_switches(open_page):
    strip = RankStrip()
    page = open_page(strip)
    item = page.locator("[data-drag]").nth(1)
    for switch, expected in [(lambda: item.press("Enter"), 1), (lambda: item.press("Space"), 0), (lambda: item.dblclick(), 1)]:
        switch()
        assert check(page, strip)["relevance"][1] == expected
    for i in (0, 1, 2, 5):
        page.locator("[data-drag]").nth(i).press("Enter")
    assert check(page, strip)["average_precision"] is None
    assert page.get_by_text("needs a relevant item").count() == 3


def test_cutoff_and_ties(open_page):
    strip = RankStrip(scores=[0.5, 0.5, 0.2], relevance=[1, 0, 1], k=1)
    page = open_page(strip)
    assert check(page, strip)["ranks"] == [2, 1, 3]  # the less relevant first within a tie
    page.get_by_role("button", name="Smaller k").click()
    assert check(page, strip)["recall_at_k"] == 0
    for _ in range(5):
        page.get_by_role("button", name="Larger k").click()
    shown = check(page, strip)
    assert (shown["k"], shown["recall_at_k"]) == (3, 1)


def test_models_against_the_first(open_page):
    figure = MetricBoard()
    page = open_page(figure)
    for model, better, worse in [("squeezed", 0, 0), ("reordered", 2, 4), ("pushed apart", 0, 0), ("first", 0, 0)]:
        page.get_by_role("radio", name=model, exact=True).check()
        changes = check(page, figure)["changes"]
        assert (sum(c > 0 for c in changes), sum(c < 0 for c in changes)) == (better, worse)
        assert page.locator(".rb-number").all_text_contents() == [str(better), str(worse), str(7 - better - worse)]
        assert page.get_by_role("radio", name=model, exact=True).is_checked()
    page.locator("[data-drag]").first.press("ArrowLeft")
    assert page.get_by_role("radio", checked=True).count() == 0  # nobody's scores any more
    page.get_by_role("button", name="Larger k").click()
    assert check(page, figure)["k"] == 5


def test_rounded_scores_leave_room_for_luck(open_page):
    figure = TieOrders()
    page = open_page(figure)
    for step, possible in [("whole numbers", 30), ("as they are", 1), ("fifths", 4)]:
        page.get_by_role("radio", name=step, exact=True).check()
        shown = check(page, figure)
        assert shown["possible"] == possible
        assert (shown["worst"] == shown["best"]) == (possible == 1)


def test_staircase_has_no_gradient_at_a_tie(open_page):
    stairs = Staircase(x=0.25)
    assert check(open_page(stairs), stairs)["exact_gradient"] is None


def test_temperature_slider(open_page):
    stairs = Staircase()
    page = open_page(stairs)
    slider = page.get_by_label("temperature")
    slider.press("End")
    assert check(page, stairs)["tau"] == 1
    slider.press("Home")
    assert check(page, stairs)["tau"] == 0.001
    assert page.get_by_text("dead: below").count() == 1


def test_a_mouse_may_press_anywhere_in_the_picture(open_page):
    stairs = Staircase()
    page = open_page(stairs)
    page.locator(".rb-panel").click(position={"x": 600, "y": 100})
    assert check(page, stairs)["x"] > 0.7


def test_dead_and_wrong(open_page):
    figure = TauGradient()
    page = open_page(figure)
    tau = page.get_by_role("slider", name="temperature tau")
    tau.press("Home")
    assert check(page, figure)["dead"] is True
    tau.press("End")
    shown = check(page, figure)
    assert shown["dead"] is False
    assert shown["rank_error"] > 0.4
    assert page.get_by_text("alive, but wrong").count() == 1


@pytest.mark.parametrize("width", [390, 620])  # at 620 four tiles stand in a row, as narrow as they get
@pytest.mark.parametrize("figure", [Staircase(scores=[0.0], x=0.69, tau=0.001), TauGradient(gap=0.69, tau=0.001)], ids=["stairs", "pair"])
def test_the_smallest_gradients_stay_in_their_tile(open_page, figure, width):
    page = open_page(figure, width=width)  # slopes down to 1e-297
    check(page, figure)
    for number in page.locator(".rb-number").all():
        assert number.evaluate("number => number.scrollWidth <= number.clientWidth")


def test_pieces_of_the_upper_bound(open_page):
    figure = SupRankStep()
    page = open_page(figure)
    gap = page.locator("[data-drag]")
    assert check(page, figure)["piece"] == "line"
    gap.press("Home")
    assert check(page, figure)["piece"] == "sigmoid"
    assert page.get_by_text("above H here").count() == 1
    for _ in range(25):
        gap.press("ArrowRight")
    shown = check(page, figure)
    assert (shown["gap"], shown["piece"]) == (0.05, "sigmoid + 1/2")
    assert page.get_by_text("no bound").count() == 1
    for knob, extreme in (("temperature", 0.1), ("slope", 300), ("knee", 0.3)):
        page.get_by_label(knob).press("End")
        assert check(page, figure)[{"temperature": "tau", "slope": "rho", "knee": "delta"}[knob]] == extreme
    gap.press("End")
    assert check(page, figure)["bound"] > 60


def test_levels_cycle_and_alpha_weighs(open_page):
    strip = HierarchyStrip()
    page = open_page(strip)
    item = page.locator("[data-drag]").nth(1)
    before = check(page, strip)
    for switch, expected in [(lambda: item.press("Enter"), 2), (lambda: item.press("Space"), 1), (lambda: item.dblclick(), 0)]:
        switch()
        shown = check(page, strip)
        assert shown["levels"][1] == expected
        if expected == 1:  # a near miss instead of a stranger: the same AP, a better H-AP and NDCG
            assert shown["average_precision"] == before["average_precision"]
            assert shown["hierarchical_ap"] > before["hierarchical_ap"] + 0.05
            assert shown["ndcg"] > before["ndcg"]
    assert {e.get_attribute("data-look") for e in page.locator("[data-drag]").all()} == {"relevant", "half", "irrelevant"}
    page.get_by_label("exponent").press("End")
    assert check(page, strip)["alpha"] == 4
    for i in (0, 2, 5):
        page.locator("[data-drag]").nth(i).press("Enter")
    shown = check(page, strip)
    assert shown["average_precision"] is None
    assert shown["hierarchical_ap"] is not None
