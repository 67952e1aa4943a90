"""Every number that a reader meets in words is a value of its page, and what was sealed is as it was sealed."""

import csv
import doctest
import json
import re
from functools import cache

import pytest

import book_numbers
import book_values
import book_words
from book_numbers import SPAN, Chapter, published
from book_seals import broken, pictures_of, seal
from book_values import equal, leaves, literal, numbers
from book_words import prose, states
from pages_of_book import ROOT, documents, notebooks
from rankbook import live
from rankbook.live.modules import modules

# What stands in prose pages and is no state of their figures, with its source. 0 and 1 define.
IN_PAGES = {
    "book/intro": {"90": "the time budget of a chapter", "3.11": "requires-python in pyproject.toml"},
    "book/notation": {"3": "a rank, as an example", "-1": "what `self_index` of rankbook.retrieval says of a query that is nowhere"},
    "book/own_loop": {
        "128": "the size of a batch, as an example",
        "127": "128 - 1",
        "511": "4 * 128 - 1",
    },
    "book/your_scores": {
        "500": "ITEMS in table_file.js",
        "100,000": "ROWS in table_file.js",
        "10^-6": "DEAD in rankbook.live.figure",
        "0.26": "STEADY in temperature.js, held to the chapter by tests/live/test_temperature.py",
        "0.87": "STEADY in temperature.js",
    },
    "book/glossary": {
        "10^-6": "DEAD in rankbook.live.figure",
        "2": "grades of relevance, as an example",
        "100": "0.01 of a list of 100 is one place",
        "0.01": "1 / 100",
    },
}


def cells_of(document):
    return json.loads((ROOT / f"{document}.ipynb").read_text("utf-8"))["cells"]


def markdown(text, name="text"):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def code(text, *outputs, name="code", **metadata):
    return {"cell_type": "code", "id": name, "metadata": metadata, "source": text, "outputs": list(outputs)}


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def missing(*cells):
    return [said.number for said in Chapter(list(cells)).findings()]


@pytest.mark.parametrize("document", notebooks())
def test_every_number_in_words_is_a_value(document):
    findings = Chapter(cells_of(document)).findings()
    message = f"{len(findings)} numbers in words are no value of the chapter:\n" + "\n".join(map(str, findings))
    assert not findings, message


@pytest.mark.parametrize("document", notebooks())
def test_what_was_sealed_is_as_it_was_sealed(document):
    assert broken(cells_of(document)) == [], "run `make notebooks`"


@pytest.mark.parametrize("document", notebooks())
def test_what_a_picture_shows_is_also_a_number(document):
    """nbval cannot compare what is drawn: so the section of every picture, or the code next to it, asserts or prints numbers."""
    chapter = Chapter(cells := cells_of(document))
    for position, (cell, section) in enumerate(zip(cells, book_words.sections(cells), strict=True)):
        if cell["cell_type"] == "code" and pictures_of(cell):
            near = [
                one for one in chapter.values if one.section == section or abs(chapter.turns[one.position] - chapter.turns[position]) <= 1
            ]
            assert any(one.kind != "setting" for one in near), f"{cell['id']}: nothing that it draws is printed or asserted"


PAGES = [name for name in documents() if name not in notebooks()]


def unsourced(document, text):
    """What a prose page says that neither its live figures nor a source say."""
    shown, found = [], []
    for module, state in states({"outputs": [{"data": {"text/html": text}}]}):
        if module in modules("pages"):  # a tool of its own: it starts without numbers
            continue
        figure = next(one for name in live.__all__ if getattr(one := getattr(live, name), "_module", None) == module)(**state)
        shown += [*leaves(state), *numbers(figure.describe())]
        if figure.fallback() not in text or state not in chapter_states():
            found.append(f"{module}: not as a chapter shows it")
    sources = IN_PAGES.get(document, {})
    for sentence, _ in prose(text):
        for number in numbers(SPAN.sub(" ", sentence)):
            known = number.value in (0, 1) or number.text in sources or (number.percent and number.value == 95)
            if not known and not any(equal(number, value) for value in shown):
                found.append(f"{number.text} in “{sentence}”")
    return found


@cache
def chapter_states():
    """The states of the live figures of all chapters, six digits a number."""
    found = [state for document in notebooks() for cell in cells_of(document) for _, state in states(cell)]
    return [json.loads(json.dumps(state), parse_float=lambda text: float(f"{float(text):.6g}")) for state in found]


@pytest.mark.parametrize("document", PAGES)
def test_every_number_of_a_prose_page_is_of_its_figure_or_has_a_source(document):
    assert unsourced(document, (ROOT / f"{document}.md").read_text("utf-8")) == []


def test_published_values_are_numbers_of_papers_in_the_bibliography():
    with (ROOT / "book" / "published.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    bibliography = (ROOT / "book" / "references.bib").read_text("utf-8")
    assert sum(map(len, published().values())) == len(lines) > 0
    assert len({(line["key"], line["value"]) for line in lines}) == len(lines)
    for line in lines:
        assert f"{{{line['key']}," in bibliography
        assert all(line.values())


@pytest.mark.parametrize("module", [book_numbers, book_values, book_words])
def test_examples_of_the_tools(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("written", "value", "same"),
    [
        ("2.5", 2.4871, True),
        ("2.4", 2.4871, False),
        (".395", 0.39512, True),
        ("47 %", 0.4712, True),
        ("48 %", 0.4712, False),
        ("47 %", 47, True),
        ("1,330", 1330, True),
        ("−1.2", -1.18, True),
        ("−1.2", 1.18, False),
        ("1.2", -1.18, True),
        ("10^-8", 1e-8, True),
        ("10^-8", 1e-7, False),
        ("1/30", 1 / 30, True),
        ("1/30", 1 / 31, False),
        ("1.5 * 10^-5", 1.53e-5, True),
        ("3", 3.2, False),
        ("30", 30.2, True),
        ("30", 31, False),
    ],
)
def test_a_number_equals_a_value_rounded_as_it_is_written(written, value, same):
    (number,) = numbers(written)
    assert equal(number, literal(value)) == same


def test_a_printed_value_is_no_more_exact_than_its_digits():
    (written,), (printed,) = numbers(".7222"), numbers("0.722")
    assert not equal(written, printed) and equal(printed, written)


def test_intervals_share_the_percent_sign_and_names_are_no_numbers():
    assert [(one.value, one.percent) for one in numbers("47 % [41, 53] of 8")] == [(47, True), (41, True), (53, True), (8, False)]
    assert [one.text for one in numbers("float64, R@10, knots-320, 2.13.0, x^2, 8.")] == ["8"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AP rises to 0.72.", []),
        ("AP rises to 0.73.", ["0.73"]),
        ("It falls by a factor of 13.", []),
        ("It falls by a factor of 15.", ["15"]),
        (r"With $\tau = 0.05$ it is alive.", []),
        (r"With $\tau = 0.06$ it is alive.", ["0.06"]),
        (r"Then $x = 8 \cdot 0.05 = 0.4$.", []),
        (r"Then $x = 8 \cdot 0.05 = 0.5$.", ["8 * 0.05 = 0.5"]),
        ("See `rank(tau=0.05)` and float64 in {cite}`a2020`.", []),
        ("See `rank(tau=0.07)`.", ["`rank(tau=0.07)`"]),
        ("Recall@7 is it.", ["recall@7"]),
        ("## Title 77\n\n:::{note}\n:label: x-88\n:::\n\n$$y = 99$$ (eq-1)\n\n{numref}`fig-5`, {eq}`eq-6`.", []),
        ("| a | 0.72 |\n| b | 0.74 |", ["0.74"]),
    ],
)
def test_words_are_looked_up_in_the_code_beside_them(text, found):
    cell = code("assert 12 < factor < 14\nx = rank(tau=0.05)\nassert n == 8", stream("AP 0.7222\n"))
    assert missing(markdown(text), cell) == found


def test_captions_alt_texts_and_gates_are_words():
    state = {"question": "From 0.25?", "shown": "5", "reveal": "<code>0.75</code> later", "answer": 5.0, "options": []}
    html = f'<div class="rb-live" data-module="predict" data-state="{json.dumps(state).replace(chr(34), "&quot;")}"></div>'
    render = {"figure": {"caption": "At 0.35."}, "image": {"alt": "A line to 0.45."}}
    gate = code("x", {"output_type": "display_data", "data": {"text/html": html}}, mystnb=render)
    assert missing(gate) == ["0.35", "0.45", "0.25", "0.75"]


def test_a_section_is_the_reach_of_a_value_and_one_digit_reaches_the_next_cell():
    shown = code("x", stream("0.72 5\n"), name="shown")
    far = [markdown("## Next", "next"), code("x = y", name="other"), markdown("It is 0.72, of 5.", "far")]
    assert missing(shown, markdown("It is 0.72, of 5.")) == []
    assert missing(shown, *far, code("assert x == 66", name="last")) == ["0.72", "5"]
    same = [markdown("a", "a"), code("x = y", name="other"), markdown("It is 0.72, of 5.", "b"), code("x = z", name="last")]
    assert missing(shown, *same) == ["5"]
    assert missing(shown, markdown("## Summary\n\nIt is 0.72, of 5.", "summary")) == []


def test_a_citation_gives_its_published_values_only_to_its_sentence():
    text = "It was .0033 {cite}`engilberge2019sodeep`. Ours is .0034."
    assert missing(markdown(text), code("x")) == [".0034"]
    assert missing(markdown(text.replace("engilberge2019sodeep", "ramzi2022happier")), code("x")) == [".0033", ".0034"]


def test_seals_break_when_words_a_picture_or_its_code_change():
    picture = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}
    cells = [markdown("## At 5\n\nIt is 0.72."), code("plot(0.72)", picture, mystnb={"figure": {"caption": "Of 0.72."}})]
    assert broken(cells)
    seal(cells, pictures=True)
    assert broken(cells) == []
    for change, part in (
        (lambda text, plot: text.update(source=text["source"].replace("At 5", "At 6")), "text: digits"),
        (lambda text, plot: text.update(source=text["source"].replace("0.72", "0.73")), "text: digits"),
        (lambda text, plot: plot["metadata"]["mystnb"]["figure"].update(caption="Of 0.73."), "code: digits"),
        (lambda text, plot: plot.update(source="plot(0.72) "), "code: picture"),
        (lambda text, plot: plot["outputs"][0]["data"].update({"image/png": "iVBORw1KGgo="}), "code: picture"),
        (lambda text, plot: plot["metadata"]["rankbook"].pop("picture"), "code: picture"),
    ):
        changed = json.loads(json.dumps(cells))
        change(*changed)
        assert part in broken(changed)
        seal(changed, pictures=False)
        assert [what for what in broken(changed) if not re.search("picture", what)] == []
        assert bool(broken(changed)) == ("picture" in part), "only a run seals a picture"
