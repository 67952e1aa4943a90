"""From a loss on the class to a loss on the tree: what it gains and costs, and the mistakes that the model makes on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from rankbook.checks import check_count, check_number
from rankbook.live.figure import LiveFigure
from rankbook.live.traits import BadTrait, Checked, whole

SHOWN = 6  # mistakes of each query
COLUMNS = 4  # weight, H-AP, hit@1, share of strangers
_SHARED = ("a stranger", "of the group", "of the subgroup")

_STEPS = 9


def _example() -> dict[str, Any]:
    """A made-up trade: three lists of mistakes of a dog and of a rose, the same for three steps each."""
    of_dog, of_rose = (
        ((6, 7, 1, 5, 2, 3), (1, 6, 2, 5, 3, 7), (1, 2, 3, 4, 6, 5)),
        ((6, 7, 0, 4, 2, 3), (4, 7, 0, 6, 2, 1), (4, 0, 2, 1, 3, 7)),
    )
    kinds = (2, 2, 2, 2, 1, 1, 0, 0), (1, 1, 1, 1, 1, 2, 0, 0)  # what each line of the catalog shares with dog, and with rose
    lists = [(rows[3 * step // _STEPS], kind) for rows, kind in zip((of_dog, of_rose), kinds, strict=True) for step in range(_STEPS)]
    return {
        "curve": [
            part for s in range(_STEPS) for part in (s / 8, round(0.34 + 0.003 * s, 3), round(0.48 - 0.0004 * s**2, 4), (40 - 2 * s) / 100)
        ],
        "catalog": "\n".join(
            (
                "\U0001f436 dog",
                "\U0001f415 hound",
                "\U0001f431 cat",
                "\U0001f981 lion",
                "\U0001f438 frog",
                "\U0001f339 rose",
                "\U0001f697 car",
                "\u2615 cup",
            )
        ),
        "queries": [0, 5],
        "wrong": [item for row, _ in lists for item in row],
        "shared": [kind[item] for row, kind in lists for item in row],
    }


_EXAMPLE = _example()


def _shares(name: str, values: Any) -> list[float]:
    if not isinstance(values, (list, tuple)) or len(values) % COLUMNS or not 2 <= len(values) // COLUMNS <= 16:
        raise ValueError(f"{name} must be a list of 2 to 16 times weight, H-AP, hit@1 and strangers, in one row, got {values!r:.60}")
    return [check_number(f"{name}[{i}]", value, at_least=0, at_most=1) for i, value in enumerate(values)]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or any(len(one.split(" ", 1)) < 2 for one in value.split("\n")):
        raise ValueError(f"{name} must be a text with a picture, a space and a name in each line, got {value!r:.40}")
    return value


def _numbers(highest: int) -> Any:
    def check(name: str, values: Any) -> list[int]:
        if not isinstance(values, (list, tuple)):
            raise TypeError(f"{name} must be a list of whole numbers, got {type(values).__name__}; try .tolist()")
        return [check_count(f"{name}[{i}]", value, at_least=0, at_most=highest) for i, value in enumerate(values)]

    return check


class MilderMistakes(LiveFigure, module="milder_mistakes"):
    """Drag the weight of the tree: what H-AP and hit@1 win or lose, and the wrong answers to a few queries.

    Traits:
        step: where on the curves, from 0.
        curve: for each step the weight of the tree, H-AP, hit@1, and the share of strangers among all mistakes, in one row.
        catalog: a picture as a character, a space and a name, a line each.
        queries: lines of the catalog, from 0.
        wrong: for each query and step, in this order, the lines of its first six mistakes.
        shared: as many: what each mistake shares with the query, 2 (the subgroup), 1 (the group) or 0.

    Change them together, if their lengths change, inside ``with figure.hold_trait_notifications():``.
    """

    step = whole(2, 0, 15)
    curve = Checked(_EXAMPLE["curve"], _shares)
    catalog = Checked(_EXAMPLE["catalog"], _text)
    queries = Checked(_EXAMPLE["queries"], _numbers(10**4))
    wrong = Checked(_EXAMPLE["wrong"], _numbers(10**4))
    shared = Checked(_EXAMPLE["shared"], _numbers(2))

    @traitlets.validate("step", "curve", "catalog", "queries", "wrong", "shared")
    def _check(self, proposal: Any) -> Any:
        name = proposal["trait"].name
        now = {one: getattr(self, one) for one in ("step", "curve", "catalog", "queries", "wrong", "shared")} | {name: proposal["value"]}
        steps, items = len(now["curve"]) // COLUMNS, now["catalog"].count("\n") + 1
        wanted = len(now["queries"]) * steps * SHOWN
        if len(now["wrong"]) != wanted or len(now["shared"]) != wanted:
            raise BadTrait(
                f"wrong and shared must hold {SHOWN} mistakes for each of {steps} steps and {len(now['queries'])} queries, {wanted}, "
                f"got {len(now['wrong'])} and {len(now['shared'])}"
            )
        if now["step"] >= steps:
            raise BadTrait(f"step must be a whole number from 0 to {steps - 1} (there are {steps} steps), got {now['step']}")
        if max([*now["queries"], *now["wrong"]], default=0) >= items:
            raise BadTrait(f"queries and wrong must be lines of the catalog, from 0 to {items - 1}, got {name} up to {max(now[name])}")
        return proposal["value"]

    def _shown(self) -> tuple[np.ndarray, np.ndarray]:
        """The mistakes at this step ``[queries, 6]``, and what they share."""
        shape = (len(self.queries), len(self.curve) // COLUMNS, SHOWN)
        return tuple(np.reshape(values, shape)[:, self.step] for values in (self.wrong, self.shared))

    def readout(self) -> dict[str, Any]:
        weight, hap, first, strangers = self.curve[COLUMNS * self.step : COLUMNS * (self.step + 1)]
        _, shared = self._shown()
        return self.figure_state() | {
            "weight": weight,
            "hierarchical_ap": hap,
            "hit": first,
            "strangers": strangers,
            "strangers_shown": int((shared == 0).sum()),
        }

    def describe(self) -> str:
        now, names, (wrong, shared) = self.readout(), self.catalog.split("\n"), self._shown()
        rows = [
            f"{names[query]}: " + ", ".join(f"{names[i]} ({_SHARED[level]})" for i, level in zip(items, levels, strict=True))
            for query, items, levels in zip(self.queries, wrong, shared, strict=True)
        ]
        return (
            f"At a weight of {now['weight']:g} on the tree H-AP is {now['hierarchical_ap']:.3f} and hit@1 {now['hit']:.3f}; "
            f"{100 * now['strangers']:.0f} % of the first mistakes are strangers. First mistakes of {'; '.join(rows)}."
        )
