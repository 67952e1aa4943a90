"""Is every number that a chapter says in words a value of the chapter?

    python tools/book_numbers.py                          # every notebook in book/
    python tools/book_numbers.py book/no_gradient.ipynb   # the findings of one; nothing is executed
    python tools/book_numbers.py --all book/no_gradient.ipynb   # every number, and where it comes from

Read are the words (`book_words`): prose, captions, alt texts, and of each gate the question, the answer and what it reveals.
A number there must equal, rounded as it is written, a value of the same section, or of the code next to it (`book_values`): one that a
cell prints or shows in a table or live figure, one that a cell asserts, or one that a cell sets. From one heading of level 2 to the
next is a section. Further:

- a number with one digit says little: its value must stand in the code next to it, before or after, and is compared with whole
  numbers only, unless it follows a word such as "about";
- a section without code, such as a summary, repeats: its numbers may stand anywhere in the chapter;
- a sentence that cites may take its numbers from `book/published.csv`, under a key that it cites;
- arithmetic that is right (8 · 0.05 = 0.4) needs a value for its result, or for what it is made of;
- 95 % is the level of every interval of the package; the minutes of the first cell are a reading time, in steps of five;
- a name (recall@3, float64) must be in the code or an output of the chapter, in the package, or twice in its words; a span of code must
  be in the code, or its numbers must be values.

What to do about a finding: print the number or assert it in a cell of the section. An assertion of two digits says more than a bound.
"""

import argparse
import ast
import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from book_values import Number, Value, constant, equal, literal, numbers, shown, values
from book_words import Cell, Sentence, reading_minutes, sections, sentences, source, turns

ROOT = Path(__file__).resolve().parents[1]
# A number after such a word is rounded, so a count of one digit may be 3.2.
LOOSELY = re.compile(r"(?:\b(?:about|some|nearly|almost|roughly|near|around|over|under|factor of|up to|(?:more|fewer|less) than)|[~≈])\s*$")
TIMES = re.compile(r"^\s*(?:times|×|x\b)")
NAME = re.compile(r"[\w@^.+-]*\d[\w@^+-]*(?:\.\d+)*")
NUMERIC = re.compile(r"[\d.,%\s−-]+")
SPAN = re.compile(r"`([^`]*)`")
SUM = re.compile(  # 8 * 0.05 = 0.4
    r"(?P<left>(?:[−-](?=[(\d]))?[(\d.][\d.()+\-−*/^ ]*[-+−*/^][\d.()+\-−*/^ ]*[)\d])\s*[=~]\s*"
    r"(?P<right>[−-]?(?:\d+\.?\d*|\.\d+))(?!\s*[/^*\d])"
)
SAID = {"output": "shown by", "claim": "asserted in", "setting": "set in"}


@dataclass(frozen=True)
class Told:
    """A number in words, and the value that it says; None if there is none."""

    sentence: Sentence
    number: str
    origin: str | None

    def __str__(self) -> str:
        return f"{self.sentence.cell} ({self.sentence.part}): {self.number}, {self.origin or 'no value'}, in “{self.sentence.text}”"


class Chapter:
    """A notebook as this check sees it."""

    def __init__(self, cells: list[Cell]) -> None:
        self.ids = [cell["id"] for cell in cells]
        self.turns = turns(cells)
        self.sentences = list(sentences(cells))
        self.values = values(cells, sections(cells))
        self.coded = {value.section for value in self.values}
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        self.code = _bare(" ".join(source(cell) for cell in code))
        self.names = Counter(names(" ".join(sentence.text for sentence in self.sentences)))
        self.names_of_cells = names(" ".join([*map(source, code), *map(shown, code)]))
        self.minutes = reading_minutes(cells, self.sentences)

    @classmethod
    def read(cls, path: Path) -> "Chapter":
        return cls(json.loads(path.read_text("utf-8"))["cells"])

    def told(self) -> list[Told]:
        """Every number in words, in order."""
        return [Told(sentence, *said) for sentence in self.sentences for said in self.numbers_of(sentence)]

    def findings(self) -> list[Told]:
        return [said for said in self.told() if said.origin is None]

    def numbers_of(self, sentence: Sentence) -> Iterator[tuple[str, str | None]]:
        """The numbers of a sentence, each with its origin. Names and spans of code come only where they are nowhere else."""
        for span in SPAN.findall(sentence.text):
            if not NUMERIC.fullmatch(span) and not self.is_code(span, sentence):
                yield f"`{span}`", None
        text = SPAN.sub(lambda span: f" {span[1]} " if NUMERIC.fullmatch(span[1]) else " ", sentence.text)
        derived: dict[int, str] = {}
        for arithmetic in SUM.finditer(text):
            if not is_right(arithmetic):
                yield arithmetic[0].strip(), None
            (result,) = numbers(arithmetic["right"])
            start = arithmetic.start() if self.origin(result, sentence) else arithmetic.start("right")
            derived |= dict.fromkeys(range(start, arithmetic.end()), "by arithmetic")
        for number in numbers(text):
            loosely = LOOSELY.search(text[: number.start]) or TIMES.match(text[number.start + len(number.text) :])
            yield number.text, self.origin(number, sentence, bool(loosely)) or derived.get(number.start)
        for name in names(text):
            if name not in self.names_of_cells | package_names() and self.names[name] < 2:
                yield name, None

    def origin(self, number: Number, sentence: Sentence, loosely: bool = False) -> str | None:
        """Where the nearest value stands that the number says."""
        if number.percent and number.value == 95:
            return "the level of every interval"
        if sentence.position == 0 and number.text + " minutes" in sentence.text:
            return "the reading time" if number.value % 5 == 0 and abs(number.value - self.minutes) <= 5 else None
        equals = [one for one in self.values if equal(number, one.number, loosely) and self.within_reach(number, one, sentence)]
        if equals:
            best = min(
                equals, key=lambda one: (self.distance(sentence, one), [*SAID].index(one.kind), abs(sentence.position - one.position))
            )
            return f"{best.number.text} {SAID[best.kind]} {self.ids[best.position]}"
        for key in sentence.cites:
            if any(equal(number, value, loosely) for value in published().get(key, ())):
                return f"published in {key}"
        return None

    def closeness(self, sentence: Sentence, value: Value) -> tuple[int, ...]:
        """What is shown or asserted comes before what is set, then what is nearer."""
        return value.kind == "setting", self.distance(sentence, value), value.kind == "claim", abs(sentence.position - value.position)

    def distance(self, sentence: Sentence, value: Value) -> int:
        """In turns from words to code."""
        return abs(self.turns[sentence.position] - self.turns[value.position])

    def within_reach(self, number: Number, value: Value, sentence: Sentence) -> bool:
        if sentence.section not in self.coded:
            return True
        return self.distance(sentence, value) <= 1 or (sentence.section == value.section and number.digits > 1)

    def is_code(self, span: str, sentence: Sentence) -> bool:
        """It stands so in a cell, or its numbers do."""
        return _bare(span) in self.code or all(self.origin(number, sentence) or number.value in (0, 1) for number in numbers(span))


def is_right(arithmetic: re.Match[str]) -> bool:
    """`8 * 0.05 = 0.4`, rounded as the result is written."""
    left = arithmetic["left"].replace("^", "**").replace("−", "-")
    try:
        value = constant(ast.parse(left, mode="eval").body)
    except SyntaxError:
        return True  # not a whole expression: its numbers are looked up one by one
    (result,) = numbers(arithmetic["right"])
    return value is None or equal(result, literal(value), loosely=True)


def names(text: str) -> Counter[str]:
    """What holds a digit and is no number: `recall@3`, `float64`, a version."""
    for number in [*numbers(text)][::-1]:
        text = text[: number.start] + " " * len(number.text) + text[number.start + len(number.text) :]
    return Counter(name.strip(".-+").lower() for name in NAME.findall(text))


@cache
def package_names() -> Counter[str]:
    """Those that the package, its pins and the bibliography use."""
    files = [
        *(ROOT / "rankbook").rglob("*.py"),
        ROOT / "requirements.txt",
        ROOT / "book" / "references.bib",
        *(ROOT / "data").rglob("README.md"),
    ]
    return names(" ".join(path.read_text("utf-8") for path in files).replace("==", " "))


def _bare(text: str) -> str:
    return re.sub(r"[\s\"'\\]", "", text).lower()


@cache
def published() -> dict[str, list[Number]]:
    """The values of papers that the book repeats, by key of the reference."""
    path = ROOT / "book" / "published.csv"
    found: dict[str, list[Number]] = {}
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                found.setdefault(line["key"], []).extend(numbers(line["value"]))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every notebook in book/")
    parser.add_argument("--all", action="store_true", help="show every number and its value, not only those without one")
    options = parser.parse_args()
    missing = 0
    for path in options.notebooks or sorted((ROOT / "book").glob("*.ipynb")):
        chapter = Chapter.read(path)
        told = chapter.told()
        found = [said for said in told if said.origin is None]
        missing += len(found)
        print(f"{path}: {len(told)} numbers in words, {len(found)} of them no value; {chapter.minutes:.0f} minutes to read")
        for said in told if options.all else found:
            print(f"    {said}")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
