"""The batch as a share of the data: which rivals of a query it holds, and what recall it believes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

import numpy as np
import traitlets

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import BadTrait, Checked, whole

SHOWN = 60  # places of the ranking

_EXAMPLE = {
    "\U0001f6fb pickup truck": ("\U0001f695 \U0001f699 \U0001f68c +\U0001f6fb \U0001f6f5 +\U0001f6fb \U0001f69a", 400),
    "\U0001f968 pretzel": ("+\U0001f968 \U0001f9f2 \U0001f9f2 +\U0001f968", 400),
}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text with a line for each query, got {value!r:.40}")
    return value


class BatchRivals(LiveFigure, module="batch_rivals"):
    """Drag the size of a batch: the nearest items of a query that the batch holds, and its recall at k beside that of all items.

    A batch holds the query, all its positives, and others drawn at random; a larger batch of the same draw holds a smaller one.

    Args:
        queries: picture, space, name of the query -> its nearest items in order, pictures with a ``+`` before a positive, at most 60,
            all positives among them.
        gallery: how many items there are, the query among them.

    Traits:
        lists: the queries, a line each: name, tab, pictures with a space between them.
        gallery: 9 to 100,000.
        query: which line, from 0.
        size: of the batch, with the query; from 2 to 100,000. One that is larger than the gallery is the gallery.
        k: from 1 to 16.
        draw: which batch, from 0 to 9,999.
    """

    lists = Checked("", _text)
    gallery = whole(400, 9, 100_000)
    query = whole(0, 0, 15)
    size = whole(128, 2, 100_000)
    k = whole(4, 1, 16)
    draw = whole(1, 0, 9_999)

    def __init__(self, queries: Mapping[str, Sequence[str]] | None = None, gallery: int | None = None, **traits: Any):
        if "lists" not in traits:
            if queries is None:
                queries, gallery = {name: items.split() for name, (items, _) in _EXAMPLE.items()}, 400 if gallery is None else gallery
            traits["lists"] = "\n".join(f"{name}\t{' '.join(items)}" for name, items in queries.items())
        if gallery is not None:
            traits["gallery"] = gallery
        super().__init__(**traits)

    @traitlets.validate("lists", "query", "gallery")
    def _check(self, proposal: Any) -> Any:
        now = {name: getattr(self, name) for name in ("lists", "query", "gallery")} | {proposal["trait"].name: proposal["value"]}
        if not now["lists"]:
            return proposal["value"]  # before the first list is set
        lines = now["lists"].split("\n")
        for line in lines:
            name, tab, items = line.partition("\t")
            relevant = [item.startswith("+") for item in items.split(" ")]
            if not tab or not name or not any(relevant) or all(relevant) or not len(relevant) <= min(SHOWN, now["gallery"] - 1):
                raise BadTrait(
                    f"lists must have lines of a name, a tab and at most {SHOWN} pictures, fewer than the gallery of {now['gallery']}, "
                    f"some with a + before them and some without, got {line!r:.60}"
                )
        if now["query"] >= len(lines):
            raise BadTrait(f"query must be a line of the {len(lines)} of lists, counted from 0, got {now['query']}")
        return proposal["value"]

    def relevant(self) -> list[bool]:
        """Of each shown item, best first."""
        return [item.startswith("+") for item in self.lists.split("\n")[self.query].partition("\t")[2].split(" ")]

    def readout(self) -> dict[str, Any]:
        relevant = np.array(self.relevant())
        count = int(relevant.sum())
        others = self.gallery - 1 - count
        drawn = min(max(self.size - 1 - count, 0), others)
        held = np.ones(len(relevant), dtype=bool)
        held[~relevant] = _order(others, self.query, self.draw)[: int((~relevant).sum())] < drawn
        most = min(self.k, count)
        ahead = np.cumsum(~relevant)[relevant]  # rivals ahead of each positive
        here = np.cumsum(~relevant & held)[relevant]
        among = np.arange(1, count + 1)
        expected = sum(_at_most(self.k - a, int(n), drawn, others) for a, n in zip(among.tolist(), ahead.tolist(), strict=True))
        return self.figure_state() | {
            "held": held.astype(int).tolist(),
            "in_batch": 1 + count + drawn,
            "batch": float((here + among <= self.k).sum() / most),
            "whole": float((ahead + among <= self.k).sum() / most),
            "average": float(expected / most),
            "rivals": int(ahead[0]),
            "rivals_in_batch": int(here[0]),
        }

    def describe(self) -> str:
        now = self.readout()
        name = self.lists.split("\n")[self.query].partition("\t")[0].partition(" ")[2]
        return (
            f"The nearest items of the query {name}. A batch of {now['in_batch']:,} of {self.gallery:,} items holds "
            f"{now['rivals_in_batch']} of the {now['rivals']} rivals ahead of the first positive. Its recall at {self.k} is "
            f"{now['batch']:.2f}, over all such batches {now['average']:.2f} on average, and among all items {now['whole']:.2f}."
        )


def _order(others: int, query: int, draw: int) -> np.ndarray:
    """The place of each other item in a draw, from 0: by a mixed number of 32 bits, as the page computes it."""
    mask = np.uint64(0xFFFFFFFF)
    x = np.arange(1, others + 1, dtype=np.uint64) * np.uint64(0x9E3779B9)
    x = (x + np.uint64(draw) * np.uint64(0x85EBCA6B) + np.uint64(query) * np.uint64(0xC2B2AE35)) & mask
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & mask
    places = np.empty(others, dtype=np.int64)
    places[np.argsort(x, kind="stable")] = np.arange(others)
    return places


def _at_most(most: int, marked: int, drawn: int, items: int) -> float:
    """The chance that at most so many of the marked items are among those drawn without replacement."""
    ways = sum(comb(marked, x) * comb(items - marked, drawn - x) for x in range(min(most, marked, drawn) + 1))
    return ways / comb(items, drawn)
