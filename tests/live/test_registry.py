"""Nobody forgets a figure: classes, JavaScript modules, scenes of the tests and the API page list the same ones."""

import re

import pytest

from live.conftest import FIGURES
from live.scenes import SCENES
from rankbook import live
from rankbook.live.modules import FOLDER, modules


def test_every_figure_is_public():
    assert {figure.__name__ for figure in live.LiveFigure.__subclasses__() if figure.__module__.startswith("rankbook.")} == {
        figure.__name__ for figure in FIGURES
    }


def test_every_module_on_disk_has_a_class_in_a_file_of_its_name():
    assert sorted(figure._module for figure in FIGURES) == modules("figures")
    for figure in FIGURES:
        assert figure.__module__ == f"rankbook.live.{figure._module}"


def test_every_figure_has_its_scenes():
    assert set(SCENES) == set(FIGURES)
    assert min(map(len, SCENES.values())) >= 2


def test_the_api_page_lists_all_of_them(root):
    page = (root / "book" / "api_figures.md").read_text(encoding="utf-8")
    directive = re.search(r"\.\. automodule:: rankbook\.live\n((?:   :.*\n)*)", page)
    assert directive and "   :members:\n" in directive.group(1)  # of a module with __all__: all of __all__


def test_a_name_stands_for_one_module():
    names = [path.stem for path in FOLDER.rglob("*.js")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.js")), ids=lambda path: path.stem)
def test_imports_go_one_way_and_to_files_that_are_there(path):
    """All may import shared modules and the core, pages also each other, the core the core alone."""
    both = {"core", "shared"}
    may = {"core": {"core"}, "shared": both, "figures": both, "questions": both, "pages": both | {"pages"}}[path.parent.name]
    for needed in re.findall(r'from "([^"]+)"', path.read_text(encoding="utf-8")):
        target = (path.parent / needed).resolve()
        assert target.is_file(), needed
        assert target.parent.name in may, needed


def test_every_module_is_used():
    used = {name for path in FOLDER.rglob("*.js") for name in re.findall(r'from "[^"]*?(\w+)\.js"', path.read_text(encoding="utf-8"))}
    assert used >= set(modules("core") + modules("shared")) - {"page"}
