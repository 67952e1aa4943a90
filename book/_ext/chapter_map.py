"""`{chapter-map}`: the table of parts and chapters on the first page, made from _toc.yml and from the claim that opens each chapter."""

import json
import re
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CLAIM = re.compile(r"^\*\*(.+)\*\*$", re.M)


def claim(notebook: Path) -> str:
    """The sentence in bold below the title."""
    opening = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"])
    found = CLAIM.search(opening)
    if found is None:
        raise ValueError(f"{notebook}: the first cell must have the chapter's claim, one line in bold below the title")
    return found[1]


def rows(source: Path) -> list[str]:
    """The table as MyST; a part that is not numbered (the back matter) is no part of the map."""
    lines, number = ["| | chapter | its claim |", "|---|---|---|"], 0
    for part in yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))["parts"]:
        if not part.get("numbered"):
            continue
        lines.append("| **{}** | **{}** | |".format(*part["caption"].split(". ", 1)))
        for chapter in part["chapters"]:
            number += 1
            lines.append(f"| {number} | {{doc}}`/{chapter['file']}` | {claim(source / (chapter['file'] + '.ipynb'))} |")
    return lines


class ChapterMap(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        box = nodes.container()
        self.state.nested_parse(StringList(rows(Path(self.env.srcdir)), self.env.docname), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict:
    app.add_directive("chapter-map", ChapterMap)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
