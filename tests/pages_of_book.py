"""What the book consists of, read from its table of contents; tests are parametrised over it."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"


def documents() -> list[str]:
    """The documents of the table of contents, e.g. book/intro."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def notebooks() -> list[str]:
    return [document for document in documents() if (ROOT / f"{document}.ipynb").exists()]
