"""`{api-summary}`: what the API page holds, section by section, one line a name, made from the page's own directives."""

import importlib
import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HEADING = re.compile(r"^## (.+)$")
ENTRY = re.compile(r"^\.\. auto(?:function|class|data|exception):: ([\w.]+)$")
MODULE = re.compile(r"^\.\. automodule:: rankbook\.(\w+)$")


def summary(page: str) -> list[str]:
    """A table for each section, as MyST."""
    sections: dict[str, list[str]] = {}
    for line in page.splitlines():
        if heading := HEADING.match(line):
            names = sections.setdefault(heading[1], [])
        elif entry := ENTRY.match(line):
            names.append(entry[1].removeprefix("rankbook."))
        elif module := MODULE.match(line):
            names += [f"{module[1]}.{name}" for name in importlib.import_module(f"rankbook.{module[1]}").__all__]
    lines = []
    for title, names in sections.items():
        if names:
            table = ["```{eval-rst}", ".. currentmodule:: rankbook", "", ".. autosummary::", "   :nosignatures:", ""]
            lines += [f"**{title}**", "", *table, *(f"   {name}" for name in names), "```", ""]
    return lines


class ApiSummary(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        box = nodes.container(classes=["rb-api-summary"])
        with open(self.env.doc2path(self.env.docname), encoding="utf-8") as file:
            self.state.nested_parse(StringList(summary(file.read()), self.env.docname), self.content_offset, box)
        return [box]


def setup(app: Sphinx) -> dict:
    app.add_directive("api-summary", ApiSummary)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
