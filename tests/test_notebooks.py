"""Every chapter is stored as a reader must find it: executed, without errors, captioned, with nothing hidden from nbval."""

import re

import nbformat
import pytest

from pages_of_book import ROOT, chapters, notebooks
from setup_cell import SETUP

METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}
UNCHECKED = {"nbval-skip", "nbval-ignore-output", "raises-exception"}
UNCHECKED_COMMENTS = re.compile(r"#\s*(NBVAL_SKIP|NBVAL_IGNORE_OUTPUT|NBVAL_RAISES_EXCEPTION|PYTEST_VALIDATE_IGNORE_OUTPUT)")
REASON = re.compile(r"\b(checked|because|nbval)\b", re.I)
PICTURES = {"image/png", "image/jpeg", "image/svg+xml"}
PICTURE_KB = 500

pytestmark = pytest.mark.parametrize("document", notebooks())


def read(document):
    return nbformat.read(ROOT / f"{document}.ipynb", as_version=nbformat.NO_CONVERT)


def code_cells(document):
    return [cell for cell in read(document).cells if cell.cell_type == "code"]


def outputs(cell, *kinds):
    """The display data of a cell, by the kinds asked for."""
    return [output.data[kind] for output in cell.outputs if "data" in output for kind in kinds if kind in output.data]


def is_live(cell) -> bool:
    """Has a live figure; a question has no caption."""
    modules = re.findall(r'class="rb-live" data-module="(\w+)"', "".join(outputs(cell, "text/html")))
    return any(module != "predict" for module in modules)


def test_notebook_is_normalised(document):
    notebook = read(document)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata == METADATA
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", one) for one in ids)
    assert not any("widget" in kind for cell in code_cells(document) for output in cell.outputs for kind in output.get("data", {}))


def test_notebook_starts_with_its_title_and_the_setup_cell(document):
    cells = read(document).cells
    assert re.match(r"\(ch-[\w-]+\)=\n# \S" if document in chapters() else r"\([\w-]+\)=\n# \S", cells[0].source)
    setup = code_cells(document)[0]
    assert setup.source == SETUP
    assert (setup.id, setup.metadata.get("tags"), setup.outputs) == ("setup", ["remove-cell"], [])


def test_setup_cell_does_nothing_where_rankbook_is_installed(document, monkeypatch):
    def install(*arguments, **options):
        raise AssertionError("the setup cell installs although rankbook is there")

    monkeypatch.setattr("subprocess.run", install)
    for _ in range(2):
        exec(code_cells(document)[0].source, {})


def test_notebook_was_run_from_top_to_bottom_without_an_error(document):
    cells = [cell for cell in code_cells(document) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [output for cell in cells for output in cell.outputs]
    assert [output for output in kinds if output.output_type == "error"] == []
    assert [output.text for output in kinds if output.get("name") == "stderr"] == []


def test_no_output_holds_an_address_of_memory(document):
    """`<... object at 0x7f...>` changes with each run: a cell whose last line returns one must not show it."""
    shown = [str(output) for cell in code_cells(document) for output in cell.outputs]
    assert not [text for text in shown if re.search(r"\bat 0x[0-9a-f]{6,}", text)]


def test_what_nbval_does_not_check_says_why(document):
    before = ""
    for cell in read(document).cells:
        if cell.cell_type == "code":
            hidden = UNCHECKED & set(cell.metadata.get("tags", [])) or UNCHECKED_COMMENTS.search(cell.source)
            comments = "\n".join(line for line in cell.source.splitlines() if line.lstrip().startswith("#"))
            assert not hidden or REASON.search(before + UNCHECKED_COMMENTS.sub("", comments)), f"{cell.id}: unchecked, and no word why"
        else:
            before = cell.source


def test_every_figure_has_a_caption_and_every_picture_an_alt_text(document):
    names, size = [], 0
    for cell in code_cells(document):
        pictures = outputs(cell, *PICTURES)
        size += sum(len(picture) for picture in pictures) * 3 / 4
        if "remove-cell" in cell.metadata.get("tags", []) or (not pictures and not is_live(cell)):
            continue  # a playground of the notebook stands on no page
        render = cell.metadata.get("mystnb", {})
        figure = render.get("figure", {})
        assert len(figure.get("caption", "").split()) >= 4, f"{cell.id}: no caption that states the message"
        names.append(figure.get("name", ""))
        if pictures:
            assert len(render.get("image", {}).get("alt", "").split()) >= 4, f"{cell.id}: no alt text"
    assert all(name.startswith("fig-") for name in names)
    assert len(set(names)) == len(names)
    assert size <= PICTURE_KB * 1000, f"{size / 1000:.0f} kB of pictures"
