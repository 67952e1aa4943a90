"""The traits of live figures: synced, and within bounds, so that an absurd value is refused at once and by its name."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from rankbook.checks import check_choice, check_count, check_number


class BadTrait(traitlets.TraitError, ValueError):
    """A value that a trait does not take. traitlets rolls a held block back for its own error only."""


class Checked(traitlets.TraitType):
    """A synced trait: ``check(name, value)`` returns the value to keep, or raises ValueError or TypeError."""

    def __init__(self, default: Any, check: Callable[[str, Any], Any]):
        super().__init__(default)
        self.check = check
        self.tag(sync=True)

    def validate(self, obj: traitlets.HasTraits, value: Any) -> Any:
        try:
            return self.check(self.name, value)
        except (TypeError, ValueError) as error:
            raise BadTrait(str(error)) from None


def number(default: float, low: float, high: float) -> Checked:
    """A number in [low, high]."""
    return Checked(default, lambda name, value: check_number(name, value, at_least=low, at_most=high))


def whole(default: int, low: int, high: int) -> Checked:
    """A whole number from low to high."""
    return Checked(default, lambda name, value: check_count(name, value, at_least=low, at_most=high))


def choice(default: str, names: Sequence[str]) -> Checked:
    """One of the names."""
    return Checked(default, lambda name, value: check_choice(name, value, list(names)))


def items(default: Sequence[float], least: int, most: int) -> Checked:
    """``least`` to ``most`` scores in [0, 1]."""
    return numbers(default, least, most, 0, 1)


def numbers(default: Sequence[float], least: int, most: int, low: float, high: float) -> Checked:
    """``least`` to ``most`` numbers in [low, high]."""

    def check(name: str, values: Any) -> list[float]:
        _check_sequence(name, values, least, most)
        return [check_number(f"{name}[{i}]", value, at_least=low, at_most=high) for i, value in enumerate(values)]

    return Checked(default, check)


def labels(default: Sequence[int], most: int, highest: int = 1) -> Checked:
    """Up to ``most`` labels of items, whole numbers from 0 to ``highest``; see `as_many`."""

    def check(name: str, values: Any) -> list[int]:
        _check_sequence(name, values, 0, most)
        plain = [int(value) if isinstance(value, bool) else value for value in values]
        return [check_count(f"{name}[{i}]", value, at_least=0, at_most=highest) for i, value in enumerate(plain)]

    return Checked(default, check)


def angles(default: Sequence[int]) -> Checked:
    """2 to 8 whole degrees from 0 to 359."""

    def check(name: str, values: Any) -> list[int]:
        if not isinstance(values, (list, tuple)) or not 2 <= len(values) <= 8:
            raise ValueError(f"{name} must be a list of 2 to 8 whole degrees, got {values!r:.60}")
        return [check_count(f"{name}[{i}]", value, at_least=0, at_most=359) for i, value in enumerate(values)]

    return Checked(default, check)


def coded(default: str, shape: tuple[int, ...], order: str) -> Checked:
    """Base64 of as many bytes, in an order such as "row by row"."""

    def check(name: str, value: Any) -> str:
        try:
            size = len(base64.b64decode(value, validate=True))
        except (TypeError, ValueError, binascii.Error):
            size = None
        if size != math.prod(shape):
            raise ValueError(f"{name} must be base64 of {' x '.join(map(str, shape))} bytes, {order}, got {value!r:.40}")
        return value

    return Checked(default, check)


def as_many(proposal: Any, scores: str, labels: str) -> Any:
    """The proposed value, if there are as many labels as scores; for ``@traitlets.validate(scores, labels)``."""
    counts = {name: len(getattr(proposal["owner"], name)) for name in (scores, labels)} | {proposal["trait"].name: len(proposal["value"])}
    if counts[scores] != counts[labels]:
        raise BadTrait(
            f"{labels} must hold one value for each of the {counts[scores]} {scores}, got {counts[labels]}; "
            "to change the number of items set both inside `with figure.hold_trait_notifications():`"
        )
    return proposal["value"]


def at_most_items(proposal: Any, scores: str, limited: str, first: int) -> Any:
    """The proposed value, if ``limited``, which counts items from ``first`` on, points at one of the scores."""
    owner, name = proposal["owner"], proposal["trait"].name
    count = len(proposal["value"] if name == scores else getattr(owner, scores))
    value = proposal["value"] if name == limited else getattr(owner, limited)
    if not first <= value < count + first:
        raise BadTrait(f"{limited} must be a whole number from {first} to {count + first - 1} (there are {count} {scores}), got {value}")
    return proposal["value"]


def labeled_items(proposal: Any, limited: str, first: int) -> Any:
    """The proposed value of ``scores``, ``relevance`` or ``limited``, if the three fit together: `as_many` and `at_most_items`."""
    if proposal["trait"].name != limited:
        as_many(proposal, "scores", "relevance")
    return at_most_items(proposal, "scores", limited, first)


def _check_sequence(name: str, values: Any, least: int, most: int) -> None:
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{name} must be a list of {least} to {most} numbers, got {type(values).__name__}; try .tolist()")
    if not least <= len(values) <= most:
        raise ValueError(f"{name} must hold {least} to {most} numbers, got {len(values)}")
