"""What works in Chromium works in Firefox and in WebKitGTK: figures, questions, chapters. Where an engine is missing, its tests skip."""

import json
from contextlib import ExitStack

import pytest

from live.agreement import agree
from live.conftest import FIGURES, html_of
from pages.engines import ENGINES, Missing, Page
from pages_of_book import HTML, documents, notebooks
from rankbook.live import HierarchyStrip, Predict, RankStrip, ScoreSweep, Staircase
from rankbook.live.bundle import write_bundle

# The first script of a page keeps what goes wrong on it: errors, files that do not load, complaints of the console.
RECORDER = """<script>
window.problems = [];
addEventListener("error", (e) => problems.push(e.message || `cannot load ${e.target.src ?? e.target.href}`), true);
addEventListener("unhandledrejection", (e) => problems.push(`uncaught: ${e.reason}`));
for (const kind of ["error", "warn"]) console[kind] = (...what) => problems.push(what.join(" "));
</script>"""
CHOICE = {"choices": {"It rises": 1, "It **stays**": 0, "It falls": -1}, "answer": 0, "reveal": "The `order` stays."}
DRAG = '<p>tau is <span class="rb-drag" data-link="tau" data-trait="tau" data-min="0.01" data-max="0.3" data-step="0.01">0.05</span></p>'
VALUE = '<p>AP is <span class="rb-value" data-link="list" data-value="average_precision" data-digits="3">0.722</span></p>'
LOOKS = ("relevant", "half", "irrelevant")
SAID = "document.querySelector('.rb-ask-said').textContent"
STATE = "document.querySelector('form.rb-ask').dataset.state"


@pytest.fixture(scope="module", params=ENGINES)
def page(request, tmp_path_factory):
    """One engine for all the tests of this file."""
    with ExitStack() as stack:
        try:
            client = stack.enter_context(ENGINES[request.param](tmp_path_factory.mktemp(request.param)))
        except Missing as missing:
            pytest.skip(str(missing))
        page = Page(client)
        page.size(1200, 900)
        yield page


def recorded(path, text: str) -> str:
    path.write_text(text.replace("<head>", f"<head>{RECORDER}", 1), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """``bare(body)``: the address of a page that holds nothing else, with the scripts beside it."""
    folder = tmp_path_factory.mktemp("bare")
    write_bundle(folder)

    def made(body: str, theme: str = "light") -> str:
        head = '<head><meta charset="utf-8"><title>A figure</title>'
        head += '<link rel="stylesheet" href="live.css"><script defer src="core.js"></script></head>'
        main = f'<main>{body}<p style="height: 2000px">below</p></main>'
        text = f'<!doctype html><html lang="en" data-theme="{theme}">{head}<body>{main}</body></html>'
        return recorded(folder / "page.html", text)

    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """``built(document, width)``: the address of a page of the book; with a width, in a frame as narrow as a phone."""
    if not HTML.exists():
        pytest.fail("the book is not built; run `make book` first")
    folder = tmp_path_factory.mktemp("built")
    for entry in HTML.iterdir():
        if entry.name != "book":
            (folder / entry.name).symlink_to(entry)
    (folder / "book").mkdir()
    for document in documents():
        recorded(folder / f"{document}.html", (HTML / f"{document}.html").read_text(encoding="utf-8"))

    def made(document: str, width: int | None = None) -> str:
        if width is None:
            return (folder / f"{document}.html").as_uri()
        frame = f'<iframe src="{document}.html" style="width: {width}px; height: 800px; border: 0"></iframe>'
        return recorded(folder / "frame.html", f'<!doctype html><head></head><body style="margin: 0">{frame}</body>')

    return made


def problems(page) -> list[str]:
    return page.run("problems")


def mounted(page) -> int:
    """Brings every figure and question of the page to life; returns how many there are."""
    count = page.run("document.querySelectorAll('.rb-live').length")
    for i in range(count):
        page.run("document.querySelectorAll('.rb-live')[a[0]].scrollIntoView({block: 'center', behavior: 'instant'})", i)
        page.wait("document.querySelectorAll('.rb-live')[a[0]].dataset.ready === '1'", i)
    return count


def values(page, place: str = "") -> dict:
    return json.loads(page.run(f"document.querySelector('{place} [data-values]').dataset.values"))


def drag(page, place: str, distance: float) -> None:
    x, y = page.center(place)
    page.mouse((x, y), (x + distance / 3, y + 1), (x + distance, y + 3), held=True)


@pytest.mark.parametrize("kind", FIGURES, ids=lambda kind: kind.__name__)
def test_every_figure_follows_the_pointer_and_the_keys(page, bare, kind):
    figure = kind()
    page.open(bare(html_of(figure)))
    assert mounted(page) == 1
    before = agree(figure, values(page))
    x, _ = page.center("[data-drag]")
    drag(page, "[data-drag]", 60 if x < page.run("innerWidth / 2") else -60)
    dragged = agree(figure, values(page))
    assert dragged != before, "the pointer moves nothing"
    assert page.run("document.activeElement.matches('[data-drag]')"), "the handle that was taken has no focus"
    page.press("ArrowLeft")
    if agree(figure, values(page)) == dragged:  # the drag may have ended where the axis does
        page.press("ArrowRight")
    assert agree(figure, values(page)) != dragged, "the keys move nothing"
    page.click(".rb-reset")
    assert agree(figure, values(page)) == before
    assert problems(page) == []


def test_colors(page, bare):
    """Half-relevant marks are mixed from two colors, and the dark has its own ink."""
    ink = []
    for theme in ("light", "dark"):
        page.open(bare(html_of(HierarchyStrip()), theme))
        mounted(page)
        faces = [page.run(f"getComputedStyle(document.querySelector('[data-look={look}] .rb-face')).backgroundColor") for look in LOOKS]
        assert len({*faces, "rgba(0, 0, 0, 0)"}) == len(faces) + 1, faces
        ink.append(page.run("getComputedStyle(document.querySelector('.rb-number')).color"))
    assert ink[0] != ink[1]


def test_linked_figures_and_words_move_together(page, bare):
    figures = html_of(Staircase(tau=0.05, link="tau")), html_of(RankStrip(link="list")), html_of(ScoreSweep(link="list"))
    page.open(bare(DRAG + VALUE + "".join(figures)))
    mounted(page)
    drag(page, ".rb-drag", 50)
    dragged = values(page, "[data-module=staircase]")["tau"]
    assert dragged > 0.05
    page.press("ArrowLeft")
    assert values(page, "[data-module=staircase]")["tau"] == pytest.approx(dragged - 0.01)
    drag(page, "[data-module=rank_strip] [data-drag]", -300)
    strip = values(page, "[data-module=rank_strip]")
    assert values(page, "[data-module=score_sweep]")["scores"] == strip["scores"]
    assert page.run("document.querySelector('.rb-value').textContent") == f"{strip['average_precision']:.3f}" != "0.722"
    assert problems(page) == []


@pytest.mark.parametrize(("choice", "state", "said"), [(0, "wrong", "No. The order stays."), (1, "right", "Yes. The order stays.")])
def test_a_choice_is_judged_and_locked(page, bare, choice, state, said):
    page.open(bare(html_of(Predict("What does AP do?", **CHOICE))))
    mounted(page)
    page.click(".rb-ask-option", choice)
    assert (page.run(STATE), page.run(SAID)) == (state, said)
    assert page.run("[...document.querySelectorAll('.rb-ask-option')].map(each => each.dataset.mark ?? '')")[1] == "right"
    page.click(".rb-ask-option", 1 - choice)
    assert (page.run(STATE), page.run(SAID)) == (state, said)
    assert problems(page) == []


def test_a_number_is_typed(page, bare):
    page.open(bare(html_of(Predict("How much?", answer=0.25, again=True, reveal="A quarter."))))
    mounted(page)
    page.click(".rb-ask-input")
    for key in ("x", "Enter"):
        page.press(key)
    assert page.run(STATE) == "again" and "A number, please" in page.run(SAID)
    for key in ("Backspace", "1", "/", "4", "Enter"):
        page.press(key)
    assert (page.run(STATE), page.run(SAID)) == ("right", "Yes, 0.25. A quarter.")
    assert page.run("document.querySelector('.rb-ask-input').readOnly")
    assert problems(page) == []


def test_an_answer_is_dragged(page, bare):
    page.open(bare(html_of(Predict("Where?", answer=0.2, span=(0, 1), tolerance=0.05, reveal="There."))))
    mounted(page)
    page.click(".rb-ask-check")
    assert page.run(STATE) == "again"  # nobody dragged yet
    width = page.run("document.querySelector('.rb-ask .rb-panel').clientWidth")
    drag(page, ".rb-ask .rb-handle", -0.3 * (width - 44))
    page.click(".rb-ask-check")
    assert page.run(STATE) == "right" and "There." in page.run(SAID)
    at = page.run("document.querySelector('.rb-ask .rb-handle').ariaValueNow")
    drag(page, ".rb-ask .rb-handle", 50)
    assert page.run("document.querySelector('.rb-ask .rb-handle').ariaValueNow") == at  # answered is answered
    assert problems(page) == []


@pytest.mark.parametrize("document", [documents()[0], *notebooks()])
def test_a_chapter_comes_to_life_and_fits_a_phone(page, built, document):
    page.open(built(document, 390))
    page.frame(0)
    page.wait("document.readyState === 'complete'")
    assert mounted(page)
    page.wait("document.querySelector('mjx-container') || !document.querySelector('article .math')")
    assert page.run("document.querySelectorAll('mjx-merror, [data-mjx-error]').length") == 0
    assert page.run("innerWidth") == 390
    wide = page.run("document.documentElement.scrollWidth")
    assert problems(page) == []
    page.frame(None)
    assert wide <= 390


def test_reading_aids(page, built):
    document = notebooks()[1]
    page.open(built(document))
    page.wait("document.querySelectorAll('mjx-container').length")
    page.mouse(page.center("article p > a.rb-has-card"))
    page.wait("document.querySelector('.rb-card.rb-card-in:not([hidden])')?.textContent.trim().length > 20")
    page.press("Escape")
    assert page.run("document.querySelector('.rb-card').hidden")
    page.press("?")
    assert page.run("document.querySelector('dialog.rb-keys').open")
    page.press("Escape")
    assert not page.run("document.querySelector('dialog.rb-keys').open")
    there = page.run("document.querySelector('a.right-next').href")
    assert problems(page) == []
    page.press("n")
    page.wait("location.href === a[0]", there)
