"""A picture that its cell does not draw is noticed when the notebook is run."""

import os
import subprocess
import sys

import nbformat
import pytest

from pages_of_book import ROOT

DRAW = """import matplotlib.pyplot as plt
%matplotlib inline
plt.figure(figsize=(6, 4))
plt.plot([0, 1, 2, 3], [0.1, {value}, 0.6, 0.9], marker="o")
plt.show()"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """What the cell draws with one value and with another, stored as the book stores pictures."""
    from nbclient import NotebookClient

    from refresh_notebooks import compact_pictures

    values = (0.4, 0.5)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DRAW.format(value=value)) for value in values])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    return {value: compact_pictures(cell.outputs) for value, cell in zip(values, notebook.cells, strict=True)}


def run_nbval(path, *options):
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider", *options]
    command += ["--nbval-sanitize-with", str(ROOT / "tests/nbval_sanitize.cfg"), "--rootdir", str(path.parent), str(path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "offline")}
    return subprocess.run(command, cwd=path.parent, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_a_stored_picture_must_look_like_the_one_that_is_drawn(tmp_path, drawn):
    """The second cell stores the picture of another value."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DRAW.format(value=0.4), execution_count=i) for i in (1, 2)])
    for cell, stored in zip(notebook.cells, (0.4, 0.5), strict=True):
        cell.outputs = drawn[stored]
    path = tmp_path / "chapter.ipynb"
    nbformat.write(notebook, path)
    result = run_nbval(path, "-p", "nbval_pictures")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "1 failed, 1 passed" in result.stdout and "Cell 1" in result.stdout
    assert "is not the one that the cell draws" in result.stdout
    assert run_nbval(path).returncode == 0, "without the plugin nobody would know"


def test_what_looks_alike(drawn):
    sys.path.insert(0, str(ROOT / "tests" / "offline"))
    try:
        from nbval_pictures import look_alike, pictures
    finally:
        sys.path.remove(str(ROOT / "tests" / "offline"))
    (one,), (other,) = pictures(drawn[0.4]), pictures(drawn[0.5])
    assert look_alike(one, one.quantize(64).convert("RGBA"))
    assert not look_alike(one, other)
    assert not look_alike(one, one.resize((one.width, one.height * 2)))
