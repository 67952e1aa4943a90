"""The words of a chapter as a reader meets them: prose, captions, alt texts and gates, sentence by sentence, without markup.

Not words: headings, code blocks, display equations, labels, references, the options of directives. A formula in a line gives its
numeric sides (`$\\tau = 0.01$` gives 0.01); numbers among its letters define, and go.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Cell = dict[str, Any]

GATE = "predict"
LIVE = re.compile(r'<div class="rb-live" data-module="(\w+)"[^>]* data-state="([^"]*)"')
CITE = re.compile(r"\{cite(?::\w+)?\}`([^`]*)`")
ROLE = re.compile(r"\{([\w:-]+)\}`([^`]*)`")
MATH = re.compile(r"\$([^$]+)\$")
WORDS_A_MINUTE, SECONDS_A_LINE, SECONDS_A_FIGURE = 150, 3, 30
UNSEEN = {"remove-cell", "remove-input", "hide-input"}
RELATION = re.compile(r"\\(?:approx|leq?|geq?|ne|sim|to|in|lt|gt)\b|[=<>]")


@dataclass(frozen=True)
class Sentence:
    """A sentence, or a row of a table."""

    section: int
    position: int  # of its cell in the notebook
    cell: str
    part: str  # prose, caption, alt, question, shown, reveal
    text: str
    cites: tuple[str, ...] = ()


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def sections(cells: list[Cell]) -> list[int]:
    """For each cell the number of its section: 0 before the first heading of level 2, then from heading to heading."""
    numbers, now = [], 0
    for cell in cells:
        now += cell["cell_type"] == "markdown" and len(re.findall(r"^## ", source(cell), re.M))
        numbers.append(now)
    return numbers


def turns(cells: list[Cell]) -> list[int]:
    """For each cell how often words and code have taken turns before it: the code after a text has the text's number."""
    numbers, now = [], 0
    for before, cell in zip([None, *cells], cells, strict=False):
        now += cell["cell_type"] == "markdown" and (before is None or before["cell_type"] != "markdown")
        numbers.append(now)
    return numbers


def reading_minutes(cells: list[Cell], words: list[Sentence]) -> float:
    """How long a chapter takes: its words, its lines of code that are not folded, its figures and gates."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    lines = sum(source(cell).count("\n") + 1 for cell in code if not UNSEEN & {*cell["metadata"].get("tags", ())})
    figures = sum(len([*states(cell)]) + ("figure" in cell["metadata"].get("mystnb", {})) for cell in code)
    return sum(len(one.text.split()) for one in words) / WORDS_A_MINUTE + (lines * SECONDS_A_LINE + figures * SECONDS_A_FIGURE) / 60


def sentences(cells: list[Cell]) -> Iterator[Sentence]:
    """All words of a notebook. A cell that holds a heading in its midst begins the new section there."""
    now = 0
    for position, cell in enumerate(cells):
        if cell["cell_type"] == "markdown":
            for piece in re.split(r"^(?=## )", source(cell), flags=re.M):
                now += piece.startswith("## ")
                yield from (Sentence(now, position, cell["id"], "prose", *told) for told in prose(piece))
            continue
        for part, text in [*captions(cell), *gates(cell)]:
            yield from (Sentence(now, position, cell["id"], part, *told) for told in prose(text))


def captions(cell: Cell) -> Iterator[tuple[str, str]]:
    render = cell["metadata"].get("mystnb", {})
    yield "caption", render.get("figure", {}).get("caption", "")
    yield "alt", render.get("image", {}).get("alt", "")


def states(cell: Cell) -> Iterator[tuple[str, dict[str, Any]]]:
    """The live figures of a cell: module and state."""
    for output in cell.get("outputs", []):
        for module, state in LIVE.findall("".join(output.get("data", {}).get("text/html", ""))):
            yield module, json.loads(html.unescape(state))


def gates(cell: Cell) -> Iterator[tuple[str, str]]:
    """The question, the answer as it is shown, and what it reveals. A wrong choice claims nothing."""
    for module, state in states(cell):
        if module == GATE:
            for part in ("question", "shown", "reveal"):
                yield part, state.get(part, "")


def prose(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Sentences without markup, each with the keys that it cites."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) ?)", plain_blocks(text)):
        for sentence in re.split(r"(?<=[.!?:;])\s+(?=[^a-z\s])", " ".join(block.split())):
            cites = tuple(key.strip() for keys in CITE.findall(sentence) for key in keys.split(","))
            if told := plain(sentence).strip():
                yield told, cites


def plain_blocks(text: str) -> str:
    """Without what is no sentence."""
    text = re.sub(r"^\$\$.*?\$\$(?: \([\w-]+\))?", "", text, flags=re.M | re.S)
    text = re.sub(r"^```(?:\w+|\{code[\w-]*\}.*)?\n.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"^(?:#+ .*|\([\w-]+\)=|[:`]{3,}.*|:[\w-]+:.*|\{[.#][^}]*\}|%.*)$", "\n", text, flags=re.M)
    return re.sub(r"^(\s*)(?:[-*]|\d+\.) ", r"\1", text, flags=re.M)


def plain(text: str) -> str:
    """One line without markup: formulas give their values, code spans stay in backquotes."""
    text = re.sub(r"<code>(.*?)</code>", r"`\1`", text)
    text = html.unescape(re.sub(r"</?\w[^>]*>", "", text))
    text = CITE.sub("", text)
    text = ROLE.sub(lambda role: role[2].partition("<")[0] if role[1] == "term" else "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return MATH.sub(lambda math: f" {values_of(math[1])} ", text)


def values_of(math: str) -> str:
    """The numeric sides of a formula, as a reader would type them; `…` for a side with letters.

    >>> values_of(r"x = 8 \\cdot 0.05 = 0.4"), values_of(r"x < \\tfrac12"), values_of("10^{-8}"), values_of("x^2 + 1")
    ('… = 8 * 0.05 = 0.4', '… < 1/2', '10^-8', '…')
    """
    sides = re.split(f"({RELATION.pattern})", math)
    return " ".join(relation_or_side(side) for side in sides if side.strip())


def relation_or_side(side: str) -> str:
    if RELATION.fullmatch(side.strip()):
        return "~" if side.strip() in ("\\approx", "\\sim") else side.strip() if len(side.strip()) == 1 else "<"
    side = re.sub(r"\\[tdc]?frac\s*(\d)\s*(\d)", r" \1/\2 ", side)
    side = re.sub(r"\\[tdc]?frac\s*\{([\d.]+)\}\s*\{([\d.]+)\}", r" \1/\2 ", side)
    side = re.sub(r"\\(?:cdot|times)", " * ", side)
    side = (
        re.sub(r"\{,\}|\\[,;: !]|\\(?:quad|qquad|big|Big|left|right)\b", "", side).replace("\\%", "%").replace("\\{", "").replace("\\}", "")
    )
    side = re.sub(r"\^\{?(-?\d+)\}?", r"^\1", side)
    return " ".join(side.split()) if re.fullmatch(r"[\d.,+\-−*/^%()\[\]\s]+", side) else "…"
