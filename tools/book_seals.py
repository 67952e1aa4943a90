"""Seals: hashes in the metadata of the cells, made when a chapter was run, so that whatever is changed later is noticed without running.

    python tools/book_seals.py book/no_gradient.ipynb     # seal what was edited by hand; pictures keep theirs

A cell whose words hold a digit has `numbers`, each with the value that it says (`book_numbers`), and `digits`, a hash of all digits of
its words. A cell with a picture has `picture`, a hash of the picture and of the code that drew it; only `refresh_notebooks` makes it.
What a cell prints and the state of a live figure need no seal: nbval compares them.
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from book_numbers import ROOT, Chapter
from book_words import Cell, captions, gates, source

KEY = "rankbook"
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")


def sealed(cells: list[Cell]) -> list[dict[str, Any]]:
    """What the seal of each cell must be."""
    numbers: dict[str, dict[str, None]] = {}
    for said in Chapter(cells).told():
        if said.number not in ("0", "1"):  # in formulas by the dozen, and in the hash with all others
            numbers.setdefault(said.sentence.cell, {})[f"{said.number}: {said.origin or 'no value'}"] = None
    seals = []
    for cell in cells:
        digits = re.findall(r"\d+", words_of(cell))
        seal: dict[str, Any] = {"digits": sha(" ".join(digits))} if digits else {}
        if cell["id"] in numbers:
            seal["numbers"] = [*numbers[cell["id"]]]
        if pictures := pictures_of(cell):
            seal["picture"] = sha(source(cell), *pictures)
        seals.append(seal)
    return seals


def words_of(cell: Cell) -> str:
    """All that a reader reads in a cell, markup and all: also numbers in titles and display equations, which need no value."""
    if cell["cell_type"] == "markdown":
        return source(cell)
    return "\n".join(text for _, text in [*captions(cell), *gates(cell)])


def pictures_of(cell: Cell) -> list[str]:
    data = [output.get("data", {}) for output in cell.get("outputs", [])]
    return ["".join(one[kind]) for one in data for kind in PICTURES if kind in one]


def seal(cells: list[Cell], *, pictures: bool) -> None:
    """Write the seals. Without `pictures` theirs stay: a picture is sealed by the run that drew it."""
    for cell, made in zip(cells, sealed(cells), strict=True):
        old = cell["metadata"].pop(KEY, {})
        if not pictures:
            made.pop("picture", None)
            made |= {"picture": old["picture"]} if "picture" in old else {}
        if made:
            cell["metadata"][KEY] = made


def broken(cells: list[Cell]) -> list[str]:
    """The cells that are not as they were sealed, and what differs."""
    found = []
    for cell, made in zip(cells, sealed(cells), strict=True):
        there = cell["metadata"].get(KEY, {})
        found += [f"{cell['id']}: {part}" for part in sorted({*there, *made}) if there.get(part) != made.get(part)]
    return found


def sha(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every notebook in book/")
    missing = 0
    for path in parser.parse_args().notebooks or sorted((ROOT / "book").glob("*.ipynb")):
        notebook = json.loads(path.read_text("utf-8"))
        seal(notebook["cells"], pictures=False)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
        findings = Chapter(notebook["cells"]).findings()
        missing += len(findings)
        print(f"{path}: sealed" + f", {len(findings)} numbers in words are no value; see tools/book_numbers.py" * bool(findings))
        print("".join(f"    {what}: run tools/refresh_notebooks.py\n" for what in broken(notebook["cells"])), end="")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
