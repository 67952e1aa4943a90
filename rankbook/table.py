"""One style for every table of results: HTML for a page, plain text for a terminal, from the same rows."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import pandas as pd

_NUMBER = str.maketrans({"-": "\u2212"})


@dataclass(frozen=True)
class Table:
    """Rows of text under their columns; a column whose cells all begin like numbers is set flush right.

    Args:
        columns: one head for each column.
        rows: one text for each column; round where the rows are made, so that page and terminal say the same.
        best: the (row, column) positions to set in bold. Mark a best value only where its interval allows it.
        stack: for cells of words: they wrap, and on a phone each row becomes a card whose lines name their column.

    >>> from rankbook.table import Table
    >>> print(Table(["rank of F", "AP"], [["6", "0.7222"], ["5", "0.7556"]]))
    rank of F      AP
            6  0.7222
            5  0.7556
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: Collection[tuple[int, int]] = field(default=())
    stack: bool = False

    def __post_init__(self) -> None:
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns) or not all(isinstance(cell, str) for cell in row):
                raise ValueError(f"rows[{i}] must hold {len(self.columns)} texts, one for each column, got {list(row)!r:.80}")

    @classmethod
    def of(cls, frame: pd.DataFrame, write: Callable[[object], str] | str = "{:.3f}", *, index: str | None = None) -> Table:
        """A frame as a table: each number written by ``write`` (a format or a function), the index first under the head ``index``."""
        to_text = write if callable(write) else lambda value: write.format(value) if isinstance(value, float) else str(value)
        heads = [index if index is not None else str(frame.index.name or ""), *map(str, frame.columns)]
        return cls(heads, [[str(name), *map(to_text, row)] for name, row in zip(frame.index, frame.itertuples(index=False), strict=True)])

    def _right(self, j: int) -> bool:
        return all(row[j].lstrip("+-\u2212.<>\u2264 ").replace(",", "")[:1].isdigit() or row[j] in {"", "-", "\u2013"} for row in self.rows)

    def __str__(self) -> str:
        lines = [list(self.columns), *map(list, self.rows)]
        widths = [max(len(line[j]) for line in lines) for j in range(len(self.columns))]
        pad = [str.rjust if self._right(j) else str.ljust for j in range(len(widths))]
        return "\n".join("  ".join(pad[j](line[j], widths[j]) for j in range(len(widths))).rstrip() for line in lines)

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, str]:
        right = [self._right(j) for j in range(len(self.columns))]
        side = [' class="rb-right"' if flush else "" for flush in right]

        def cell(i: int, j: int, text: str) -> str:
            shown = html.escape(text.translate(_NUMBER) if right[j] else text)
            told = f' data-head="{html.escape(self.columns[j])}"' if self.stack else ""
            return f"<td{side[j]}{told}>{f'<strong>{shown}</strong>' if (i, j) in self.best else shown}</td>"

        head = "".join(f'<th scope="col"{side[j]}>{html.escape(name)}</th>' for j, name in enumerate(self.columns))
        body = "".join("<tr>" + "".join(cell(i, j, text) for j, text in enumerate(row)) + "</tr>" for i, row in enumerate(self.rows))
        kind = "dataframe rb-table" + " rb-stack" * self.stack
        table = f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        return {"text/plain": str(self), "text/html": table}
