"""The nearest neighbors of a query by two models side by side, hits marked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from rankbook.checks import check_count, check_number
from rankbook.live.figure import LiveFigure
from rankbook.live.traits import BadTrait, Checked, whole

LARGEST = 4096  # of whole numbers in a list
COLUMNS = 16  # pictures in a row of the sprite

_NAMES = ("\U0001f408 cat", "\U0001f415 dog", "\U0001f41f fish", "\U0001f426 bird", "\U0001f34e apple", "\U0001f697 car", "\u2600 sun")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text, got {type(value).__name__}")
    return value


def _counts(name: str, values: Any) -> list[int]:
    if not isinstance(values, (list, tuple)) or len(values) > LARGEST:
        raise ValueError(f"{name} must be a list of at most {LARGEST} whole numbers, got {values!r:.60}")
    return [check_count(f"{name}[{i}]", value, at_least=0, at_most=LARGEST) for i, value in enumerate(values)]


def _shares(name: str, values: Any) -> list[float]:
    if not isinstance(values, (list, tuple)) or len(values) > LARGEST:
        raise ValueError(f"{name} must be a list of at most {LARGEST} numbers, got {values!r:.60}")
    return [check_number(f"{name}[{i}]", value, at_least=0, at_most=1) for i, value in enumerate(values)]


class Neighbors(LiveFigure, module="neighbors"):
    """Choose two models and drag through the queries, sorted by the difference of their AP: both lists of nearest neighbors stand there.

    Args:
        names: of the pictures, a character, a space, a name.
        classes: of the pictures; a neighbor of the query's class is a hit.
        queries: pictures that seek.
        models: name -> (pictures that each query finds, best first ``[queries, k]``; AP of each query in the whole gallery).
        sprite: the pictures as a WebP file, squares, 16 in a row; None: the characters of the names.

    Traits:
        query: its place in ``queries``.
        first, second: the places of the models that are shown.
        catalog, models: names and models, a line each.
        classes, queries, found, ap: as the arguments, found and ap model by model in one list.
        pictures: the sprite in base64.
    """

    query = whole(0, 0, LARGEST)
    first = whole(0, 0, 15)
    second = whole(1, 0, 15)
    catalog = Checked("", _text)
    models = Checked("", _text)
    classes = Checked([], _counts)
    queries = Checked([], _counts)
    found = Checked([], _counts)
    ap = Checked([], _shares)
    pictures = Checked("", _text)

    def __init__(
        self,
        names: Sequence[str] = _NAMES * 2,
        classes: Sequence[int] | None = None,
        queries: Sequence[int] | None = None,
        models: Mapping[str, tuple[Sequence[Sequence[int]], Sequence[float]]] | str | None = None,
        *,
        sprite: bytes | None = None,
        **traits: Any,
    ):
        if isinstance(models, str):  # packed before
            if classes is None or queries is None:
                raise ValueError(f"models must be a mapping, or names that come with classes and queries, got {models!r:.40} alone")
            super().__init__(**traits, models=models, classes=classes, queries=queries)
            return
        if models is None:
            classes, queries, models = _example(len(names))
        if not isinstance(models, Mapping) or not models or classes is None or queries is None:
            raise TypeError(
                f"models must be a mapping from names to (neighbors, AP) of each query, with classes and queries, got {models!r:.40}"
            )
        super().__init__(
            catalog="\n".join(names),
            models="\n".join(models),
            classes=list(classes),
            queries=list(queries),
            found=[int(one) for lists, _ in models.values() for row in lists for one in row],
            ap=[float(value) for _, values in models.values() for value in values],
            pictures="" if sprite is None else base64.b64encode(sprite).decode(),
            **traits,
        )

    @traitlets.validate("query", "first", "second", "catalog", "models", "classes", "queries", "found", "ap", "pictures")
    def _check(self, proposal: Any) -> Any:
        now = self.figure_state() | {proposal["trait"].name: proposal["value"]}
        if now["found"]:
            try:
                _fit(now)
            except (ValueError, binascii.Error) as error:
                raise BadTrait(f"{proposal['trait'].name} must fit the others: {error}") from None
        return proposal["value"]

    def readout(self) -> dict[str, Any]:
        count, k = len(self.queries), len(self.found) // len(self.ap)
        ours, theirs = (self.ap[model * count : (model + 1) * count] for model in (self.first, self.second))
        gains = [b - a for a, b in zip(ours, theirs, strict=True)]
        own = self.classes[self.queries[self.query]]
        shown: dict[str, Any] = {}
        for side, model in (("left", self.first), ("right", self.second)):
            start = (model * count + self.query) * k
            found = self.found[start : start + k]
            hits = [int(self.classes[one] == own) for one in found]
            shown |= {f"{side}_found": found, f"{side}_hits": hits, f"{side}_ap": self.ap[model * count + self.query]}
        order = sorted(range(count), key=lambda q: (gains[q], q))
        return self.figure_state() | shown | {"order": order, "gains": gains, "wins": sum(gain > 0 for gain in gains)}

    def describe(self) -> str:
        now, models = self.readout(), self.models.split("\n")
        name = self.catalog.split("\n")[self.queries[self.query]]
        return (
            f"What two models find for the query {name}: {models[self.first]} has {sum(now['left_hits'])} hits among "
            f"{len(now['left_hits'])} neighbors and AP {now['left_ap']:.3f}, {models[self.second]} {sum(now['right_hits'])} hits and AP "
            f"{now['right_ap']:.3f}. The second is better on {now['wins']} of {len(now['gains'])} queries."
        )


def _fit(state: Mapping[str, Any]) -> None:
    pictures, models, count = len(state["catalog"].split("\n")), len(state["models"].split("\n")), len(state["queries"])
    if len(state["classes"]) != pictures:
        raise ValueError(f"{len(state['classes'])} classes for {pictures} pictures")
    if not count or len(state["ap"]) != models * count or len(state["found"]) % len(state["ap"]):
        raise ValueError(f"{len(state['found'])} neighbors and {len(state['ap'])} AP for {models} models and {count} queries")
    if max(*state["queries"], *state["found"]) >= pictures or state["query"] >= count or max(state["first"], state["second"]) >= models:
        raise ValueError(f"a place beyond the {pictures} pictures, {count} queries or {models} models")
    base64.b64decode(state["pictures"], validate=True)


def _example(pictures: int) -> tuple[list[int], list[int], dict[str, tuple[list[list[int]], list[float]]]]:
    """Each name twice; a model that finds the twin first, one that finds it k-th, one that finds it third."""
    half = pictures // 2
    classes = [i % half for i in range(pictures)]

    def found(query: int, place: int) -> list[int]:
        others = [(query + step) % pictures for step in range(1, half)]
        return [*others[: place - 1], (query + half) % pictures, *others[place - 1 :]][:4]

    places = {"finds": lambda q: 1, "wavers": lambda q: 1 + q % 4, "third": lambda q: 3}
    queries = range(pictures)
    return classes, list(queries), {name: ([found(q, at(q)) for q in queries], [1 / at(q) for q in queries]) for name, at in places.items()}
