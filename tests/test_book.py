"""What the prose pages list is complete: the API page has every public name, the map of the first page every chapter."""

import importlib
import re
from types import ModuleType

import pytest

import api_summary
import chapter_map
import rankbook as rb
from pages_of_book import ROOT, chapters

PAGES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").glob("api*.md"))]
PAGE = "\n".join(PAGES)
DIRECTIVE = re.compile(r"^\.\. auto(function|class|data|exception|module):: (?:rankbook\.)?([\w.]+)((?:\n +:.*)*)", re.M)


def public() -> set[str]:
    """`ndcg`, `datasets.emoji`: whatever `__all__` of rankbook and of its public modules names, by the shortest name."""
    modules = {name for name in rb.__all__ if isinstance(getattr(rb, name), ModuleType)}
    short = set(rb.__all__) - modules
    return short | {f"{module}.{name}" for module in modules for name in getattr(rb, module).__all__ if name not in short}


def documented(page: str) -> set[str]:
    """What the directives of the page name, one by one or as all members of a module."""
    names = set()
    for kind, name, options in DIRECTIVE.findall(page):
        if kind != "module":
            names.add(name)
        elif ":members:" in options:
            names |= {f"{name}.{inner}" for inner in importlib.import_module(f"rankbook.{name}").__all__}
    return names


# The figures are held to the page by their own registry, in tests/live.
@pytest.mark.parametrize("name", sorted(name for name in public() if not name.startswith("live.")))
def test_the_api_page_has_every_public_name(name):
    assert name in documented(PAGE), f"rb.{name} is public but on no page book/api*.md"


def test_the_api_page_has_no_name_that_is_not_public():
    assert documented(PAGE) <= public()


@pytest.mark.parametrize("name", ["ndcg", "train", "load_sorter", "datasets.Samples", "viz.plot_curves", "checks.off"])
def test_a_name_that_the_page_lost_is_seen(name):
    line = rf"^\.\. auto\w+:: .*\b{name.partition('.')[0] if name.startswith('viz') else name}$"
    cut, count = re.subn(line, "", PAGE, flags=re.M)
    assert count == 1 and name in public() - documented(cut)


def test_the_summary_that_opens_the_api_page_has_what_the_page_has():
    lines = api_summary.summary(PAGE)
    assert {line.strip() for line in lines if re.fullmatch(r"   [\w.]+", line)} == documented(PAGE)
    assert [line for line in lines if line.startswith("**")] == [f"**{title}**" for title in re.findall(r"^## (.+)$", PAGE, re.M)]


def test_the_map_has_every_chapter_in_order():
    rows = [re.fullmatch(r"\| (\d+) \| \{doc\}`/(\S+)` \| (.+) \|", row) for row in chapter_map.rows(ROOT)]
    numbered = [row for row in rows if row]
    assert [row[2] for row in numbered] == chapters()
    assert [int(row[1]) for row in numbered] == list(range(1, len(numbered) + 1))
    assert all(len(row[3].split()) >= 5 and row[3][-1] in ".?" for row in numbered)


def test_a_chapter_without_a_claim_is_named(tmp_path):
    path = tmp_path / "chapter.ipynb"
    path.write_text('{"cells": [{"source": ["(ch-x)=\\n", "# A title\\n", "\\n", "Some prose."]}]}')
    with pytest.raises(ValueError, match="must have the chapter's claim, one line in bold below the title"):
        chapter_map.claim(path)
