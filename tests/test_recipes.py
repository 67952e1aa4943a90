"""The recipe of a chapter is copied out of it: its cells run alone, where rankbook is installed and nothing else was done before."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from pages_of_book import ROOT, chapters, notebooks

HIDDEN = {"remove-cell", "remove-input", "hide-input"}
# One process, so that torch is imported once, and a namespace for each; what `pip install rankbook` does not bring is not there.
RUN = """
import contextlib, json, sys, traceback, warnings
warnings.simplefilter("error", UserWarning)
sys.modules.update(dict.fromkeys(("IPython", "rankbook.experiments", "sklearn")))
failed = {}
with contextlib.redirect_stdout(sys.stderr):
    for name, source in json.load(sys.stdin).items():
        try:
            exec(compile(source, name, "exec"), {"__name__": name})
        except Exception:
            failed[name] = traceback.format_exc()
json.dump(failed, sys.stdout)
"""


def recipe(document):
    """What a reader copies: the code that the section "The recipe" shows, or "Recipes"; "" where there is none."""
    shown, inside = [], False
    for cell in nbformat.read(ROOT / f"{document}.ipynb", as_version=4).cells:
        if cell.cell_type == "markdown":
            for title in re.findall(r"^## (.+)", cell.source, re.MULTILINE):
                inside = title.startswith(("The recipe", "Recipes"))
        elif cell.cell_type == "code" and inside and not HIDDEN & set(cell.metadata.get("tags", [])):
            shown.append(cell.source)
    return "\n\n".join(shown)


RECIPES = {document: source for document in notebooks() if (source := recipe(document))}
documents = pytest.mark.parametrize("document", RECIPES)


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Document -> the traceback of its recipe, in a fresh Python in an empty folder that does not reach the network."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    folder = tmp_path_factory.mktemp("empty")
    code = [sys.executable, "-c", RUN]
    done = subprocess.run(code, cwd=folder, env=env, input=json.dumps(RECIPES), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_chapter_has_a_recipe():
    assert set(chapters()) <= set(RECIPES)


@documents
def test_a_recipe_runs_alone(document, failed):
    assert failed.get(document, "") == ""


@documents
def test_a_recipe_names_nothing_that_it_does_not_make(document):
    """In the body of a function too, which the run above may not call."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", "--output-format", "concise", "-"]
    found = subprocess.run(ruff, input=RECIPES[document] + "\n", capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
