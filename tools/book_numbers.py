"""Is every number that a chapter says in words a value of the chapter?

    python tools/book_numbers.py                          # every notebook in book/
    python tools/book_numbers.py book/no_gradient.ipynb   # the findings of one; nothing is executed

Read are the words (`book_words`): prose, captions, alt texts, and of each gate the question, what it reveals and the right choice.
A number there must equal, rounded as it is written, a value of the same section (`book_values`): one that a cell prints or shows in a
table or live figure, one that a cell asserts, or one that a cell sets. Between two headings of level 2 is a section. Further:

- a number of three digits or more may stand anywhere in the chapter: no other value will equal it by chance;
- a section without code, such as a summary, repeats: there too it may stand anywhere;
- a whole number of one digit, unless it is set in words like "about 3", is compared with whole numbers only;
- a sentence that cites may take its numbers from `book/published.csv`, under a key that it cites;
- 95 % is the level of every interval of the package; the minutes of the first cell are a reading time (`minutes`), in steps of five;
- arithmetic that is right (8 · 0.05 = 0.4) needs a value for its result, or for what it is made of;
- a name (recall@3, float64) and a span of code must be in the code or in an output of the chapter, or elsewhere in its words.

What to do about a finding: print the number, or assert it, in a cell of the section. Two digits asserted say more than a bound.
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
from book_words import Cell, Sentence, sections, sentences, source, states

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
WORDS_A_MINUTE, SECONDS_A_LINE, SECONDS_A_FIGURE = 150, 3, 30
UNSEEN = {"remove-cell", "remove-input", "hide-input"}


@dataclass(frozen=True)
class Finding:
    """A number in words that no cell holds."""

    sentence: Sentence
    number: str

    def __str__(self) -> str:
        return f"{self.sentence.cell} ({self.sentence.part}): {self.number} in “{self.sentence.text}”"


class Chapter:
    """A notebook as this check sees it."""

    def __init__(self, cells: list[Cell]) -> None:
        self.sections = sections(cells)
        self.values = values(cells, self.sections)
        self.sentences = list(sentences(cells))
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        self.coded = {section for section, cell in zip(self.sections, cells, strict=True) if cell["cell_type"] == "code"}
        self.code = _bare(" ".join(source(cell) for cell in code))
        self.names = Counter(names(" ".join(sentence.text for sentence in self.sentences)))
        self.names_of_cells = names(" ".join([*map(source, code), *map(shown, code)]))
        self.minutes = minutes(self.sentences, code)

    @classmethod
    def read(cls, path: Path) -> "Chapter":
        return cls(json.loads(path.read_text("utf-8"))["cells"])

    def findings(self) -> list[Finding]:
        return [Finding(sentence, number) for sentence in self.sentences for number in self.missing(sentence)]

    def missing(self, sentence: Sentence) -> Iterator[str]:
        """The numbers of a sentence that are nowhere."""
        for span in SPAN.findall(sentence.text):
            if not NUMERIC.fullmatch(span) and not self.is_code(span, sentence):
                yield f"`{span}`"
        text = SPAN.sub(lambda span: f" {span[1]} " if NUMERIC.fullmatch(span[1]) else " ", sentence.text)
        told = list(numbers(text))
        derived = set()
        for arithmetic in SUM.finditer(text):
            if not is_right(arithmetic):
                yield arithmetic[0].strip()
            (result,) = numbers(arithmetic["right"])
            start = arithmetic.start() if self.is_value(result, sentence) else arithmetic.start("right")
            derived.update(range(start, arithmetic.end()))
        for number in told:
            loosely = LOOSELY.search(text[: number.start]) or TIMES.match(text[number.start + len(number.text) :])
            if number.start not in derived and not self.is_value(number, sentence, bool(loosely)):
                yield number.text
        yield from (name for name in names(text) if name not in self.names_of_cells | package_names() and self.names[name] < 2)

    def is_value(self, number: Number, sentence: Sentence, loosely: bool = False) -> bool:
        if number.percent and number.value == 95:
            return True
        if sentence.position == 0 and number.text + " minutes" in sentence.text:
            return number.value % 5 == 0 and abs(number.value - self.minutes) <= 5
        if any(equal(number, value.number, loosely) and self.within_reach(number, value, sentence) for value in self.values):
            return True
        return any(equal(number, value, loosely) for key in sentence.cites for value in published().get(key, ()))

    def within_reach(self, number: Number, value: Value, sentence: Sentence) -> bool:
        return value.section == sentence.section or number.digits >= 3 or sentence.section not in self.coded

    def is_code(self, span: str, sentence: Sentence) -> bool:
        """It stands so in a cell, or its numbers do."""
        return _bare(span) in self.code or all(self.is_value(number, sentence) for number in numbers(span))


def minutes(words: list[Sentence], code: list[Cell]) -> float:
    """How long a chapter takes to read: words, lines of code that are not folded, figures and gates."""
    lines = sum(source(cell).count("\n") + 1 for cell in code if not UNSEEN & {*cell["metadata"].get("tags", ())})
    figures = sum(len([*states(cell)]) + ("figure" in cell["metadata"].get("mystnb", {})) for cell in code)
    return sum(len(one.text.split()) for one in words) / WORDS_A_MINUTE + (lines * SECONDS_A_LINE + figures * SECONDS_A_FIGURE) / 60


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
    total = 0
    for path in parser.parse_args().notebooks or sorted((ROOT / "book").glob("*.ipynb")):
        found = Chapter.read(path).findings()
        total += len(found)
        print(f"{path}: {len(found)} numbers in words are no value of the chapter" if found else f"{path}: every number is a value")
        for finding in found:
            print(f"    {finding}")
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main())
