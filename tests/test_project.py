"""The project holds together: imports go one way, pins are exact, one address and one version stand everywhere."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rankbook"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# The core, from the ground up: each part may import those before it, and of other people's code only torch and numpy.
CORE = [
    "described",
    "checks",
    "precision",
    "types",
    "relevance",
    "lists",
    "ranks",
    "metrics",
    "retrieval",
    "losses",
    "evaluation",
    "gap",
    "scale",
    "calibrated",
    "polygons",
]
# The rest, and what each part may import of ours.
ABOVE = {
    "files": set(),
    "archive": {"files"},
    "datasets": {"archive", "described", "files", "checks", "types", "relevance"},
    "table": set(),
    "advice": set(),
    "road": {"checks"},
    "viz": {"checks", "types", "ranks", "metrics"},
    "live": {
        *("advice", "checks", "files", "types", "relevance", "ranks", "metrics", "losses", "gap", "calibrated", "polygons", "sorters"),
        "road",
    },
    "training": {*CORE, "files", "datasets"},
    "integrations": set(CORE),
    "sorters": {"archive", "files", "checks", "precision", "types", "ranks", "training"},
    "statistics": {"checks"},
    "experiments": {*CORE, "archive", "files", "statistics", "sorters", "datasets", "training", "road"},
}
# What a ranker loads only when it is called: it takes longer to import than the whole core.
WHEN_CALLED = {"ranks/projection.py": {"scipy"}}  # isotonic regression
MAY_IMPORT = {part: set(CORE[:i]) for i, part in enumerate(CORE)} | ABOVE


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever it stands, as an absolute dotted name."""
    package = ["rankbook", *path.relative_to(PACKAGE).parts[:-1]]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*base, *filter(None, [node.module])])
            names |= {f"{stem}.{alias.name}" for alias in node.names} if stem == "rankbook" else {stem}
    return names


def imports_at_once(path: Path) -> set[str]:
    """Those of them that stand at the top of the file."""
    found = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.name for node in found if isinstance(node, ast.Import) for alias in node.names} | {
        node.module for node in found if isinstance(node, ast.ImportFrom) and node.module
    }


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path):
    part = part_of(path)
    assert part in MAY_IMPORT, f"rankbook/{part} has no place in the order of imports yet; give it one in {Path(__file__).name}"
    names = imports(path)
    ours = {name.split(".")[1] for name in names if name.startswith("rankbook.")} - {part}
    assert ours <= MAY_IMPORT[part], f"{part} may not import {sorted(ours - MAY_IMPORT[part])}"
    tops = {name.split(".")[0] for name in names}
    assert "rankbook" not in names, "import the part that is needed, not the whole package"
    assert "book" not in tops
    if part in CORE:
        others = {"torch", "numpy"} | ({"triton"} if path.name == "tiles.py" else set())  # read only where torch has brought it
        later = WHEN_CALLED.get(path.relative_to(PACKAGE).as_posix(), set())
        assert tops - {"rankbook", *others} - later <= set(sys.stdlib_module_names)
        at_once = {name.split(".")[0] for name in imports_at_once(path)}
        assert not later & at_once, f"import {', '.join(later)} inside the function that needs it"


def test_the_order_of_imports_catches_a_step_back(tmp_path, monkeypatch):
    """The test above can fail: a ranker that reaches for a loss is seen, relative and inside a function too."""
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    module = tmp_path / "ranks" / "bad.py"
    module.parent.mkdir()
    module.write_text("def f():\n    from ..losses import batch\n    from rankbook import metrics\n    from .smooth import g\n")
    assert imports(module) == {"rankbook.losses", "rankbook.metrics", "rankbook.ranks.smooth"}


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[-1] == "-e ."
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines[:-1]), "every requirement is pinned exactly"
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines[:-1])}


def test_requirements_pin_whatever_pyproject_asks_for():
    extras = PROJECT["optional-dependencies"]
    # The loops of others are large, and so is what cases stand next to; they run where they are installed, and skip elsewhere.
    free = {"integrations", "cases"}
    asked = [*PROJECT["dependencies"], *(one for name, extra in extras.items() if name not in free for one in extra)]
    pinned = pins()
    for requirement in map(Requirement, asked):
        assert pinned.get(canonicalize_name(requirement.name)) in requirement.specifier, requirement
    for requirement in map(Requirement, (one for name in free for one in extras[name])):
        pin = pinned.get(canonicalize_name(requirement.name))
        assert pin is None or pin in requirement.specifier, requirement


def test_installed_packages_are_the_pinned_ones():
    from importlib.metadata import version

    wrong = {name: version(name) for name, pin in pins().items() if version(name).split("+")[0] != pin}
    assert wrong == {}, "run `make setup`"


def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    package = re.search(r'^__version__ = "(.+)"', (PACKAGE / "__init__.py").read_text(encoding="utf-8"), re.M)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert str(citation["version"]) == newest[1] == package[1] == PROJECT["version"]


def test_bootstrap_parses_on_an_old_python():
    """It must run far enough there to say that the Python is too old."""
    ast.parse((ROOT / "tools" / "bootstrap.py").read_text(encoding="utf-8"), feature_version=(3, 7))
