"""What the book consists of, read from its table of contents; tests are parametrised over it."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"

# What scrolls sideways, of the kinds asked for: a script for a page.
CUT = r"""(kinds) => [...document.querySelectorAll("article.bd-article :is(" + kinds + ")")]
  .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
  .map((e) => `${e.localName}.${e.className}: ${e.scrollWidth} > ${e.clientWidth}: ${e.innerText.slice(0, 60)}`)"""


def documents() -> list[str]:
    """The documents of the table of contents, e.g. book/intro."""
    return [_contents()["root"], *_files(numbered=False)]


def notebooks() -> list[str]:
    """The documents that are run."""
    return [document for document in documents() if (ROOT / f"{document}.ipynb").exists()]


def chapters() -> list[str]:
    """The documents of the numbered parts, which have the form of a chapter; a page of reference may be a notebook too."""
    return _files(numbered=True)


def _contents() -> dict:
    return yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))


def _files(*, numbered: bool) -> list[str]:
    parts = [part for part in _contents()["parts"] if part.get("numbered") or not numbered]
    return [chapter["file"] for part in parts for chapter in part["chapters"]]
