"""The numbers of the book are checked: change one stored digit, and nbval fails."""

import copy
import re
import subprocess
import sys

import nbformat

from pages_of_book import ROOT, notebooks

NUMBER = re.compile(r"\d+\.\d+")


def first_number(cells):
    """Where the first stored decimal number stands: index of the cell, its output, the key that holds the text."""
    for i, cell in enumerate(cells):
        for output in cell.get("outputs", []):
            place, key = (output, "text") if output.output_type == "stream" else (output.get("data", {}), "text/plain")
            if NUMBER.search(place.get(key, "")):
                return i, place, key
    raise AssertionError("no chapter without a number")


def run_nbval(path):
    options = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(ROOT / "tests/nbval_sanitize.cfg")]
    command = [sys.executable, "-m", "pytest", *options, "-q", "-p", "no:cacheprovider", "--rootdir", str(path.parent), str(path)]
    return subprocess.run(command, cwd=path.parent, capture_output=True, text=True, timeout=300, check=False)


def test_a_changed_number_fails(tmp_path):
    """And the same cell, left as it was, does not; nor do those before it."""
    notebook = nbformat.read(ROOT / f"{notebooks()[0]}.ipynb", as_version=4)
    i, _, _ = first_number(notebook.cells)
    again = copy.deepcopy(notebook.cells[i])
    again["id"] = "again"
    notebook.cells = [*notebook.cells[: i + 1], again]  # the rest of the chapter adds only time
    honest = sum(cell.cell_type == "code" for cell in notebook.cells[:-1])
    _, place, key = first_number([again])
    place[key] = NUMBER.sub(lambda match: match[0][:-1] + str((int(match[0][-1]) + 1) % 10), place[key], count=1)
    path = tmp_path / "chapter.ipynb"
    nbformat.write(notebook, path)
    result = run_nbval(path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"1 failed, {honest} passed" in result.stdout
