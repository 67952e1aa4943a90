"""A question before the answer: the reader chooses, types or drags, and then sees what the notebook computed."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any

import traitlets

from rankbook.checks import check_number, check_positive
from rankbook.live.element import LiveElement

#: The little markup that a text of a question knows: `code`, **strong**, *emphasis*.
_MARKUP = ((r"`([^`]+)`", r"<code>\1</code>"), (r"\*\*([^*]+)\*\*", r"<strong>\1</strong>"), (r"\*([^*]+)\*", r"<em>\1</em>"))


def inline(text: str) -> str:
    """``text`` as HTML, escaped, with `code`, **strong** and *emphasis*."""
    text = html.escape(text, quote=False)
    for pattern, replacement in _MARKUP:
        text = re.sub(pattern, replacement, text)
    return text


def plain(markup: str) -> str:
    """What `inline` made, without its tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


class Predict(LiveElement, module="predict"):
    """A gate: ``answer`` is a value that the notebook computed, and no text can disagree with it.

    Args:
        question: what is asked. All texts know code, bold and italic, marked as in Markdown, and no equations.
        answer: the value that decides.
        choices: what stands on each button -> its value. The right button is the one whose value equals the answer; a notebook
            in which none or two are right does not run.
        span: (low, high), the axis on which the reader drags a mark; without ``choices`` and ``span`` the reader types a number.
        tolerance: how far from ``answer`` a number may be.
        unit: stands behind a number; with "%" the answer is in percent.
        shown: the answer in words; by default the number and its unit.
        reveal: stands after the try, and says why.
        label: the small word above: "Predict", "1 of 3" in a quiz, "Exercise".
        again: an exercise lets the reader try until it is right, or ask for the answer; a prediction is made once.

    >>> from rankbook.live import Predict
    >>> gate = Predict("How many of 8 ranks change?", answer=2, reveal="Two items change places.")
    >>> gate.shown
    '2'
    """

    question = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode("Predict").tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    right = traitlets.Int(-1).tag(sync=True)
    answer = traitlets.Float(0.0).tag(sync=True)
    span = traitlets.List(traitlets.Float()).tag(sync=True)
    tolerance = traitlets.Float(0.0).tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    shown = traitlets.Unicode().tag(sync=True)
    reveal = traitlets.Unicode().tag(sync=True)
    again = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        question: str,
        *,
        answer: Any,
        choices: Mapping[str, Any] | None = None,
        span: tuple[float, float] | None = None,
        tolerance: float = 0.0,
        unit: str = "",
        shown: str | None = None,
        reveal: str = "",
        label: str = "Predict",
        again: bool = False,
    ) -> None:
        check_number("tolerance", tolerance, at_least=0)
        if choices is not None:
            if span is not None:
                raise ValueError("choices and span: expected one of them, got both")
            kind = {"options": [inline(option) for option in choices], "right": _only(choices, answer, tolerance)}
            shown = kind["options"][kind["right"]] if shown is None else inline(shown)
        else:
            value = float(f"{check_number('answer', float(answer)):.6g}")
            kind = {"answer": value, "span": [] if span is None else _checked(span, value, tolerance)}
            shown = f"{value:g}{' ' * bool(unit)}{unit}" if shown is None else inline(shown)
        texts = {"question": inline(question), "reveal": inline(reveal), "label": html.escape(label), "unit": html.escape(unit)}
        super().__init__(**texts, **kind, tolerance=float(tolerance), shown=shown, again=again)

    def describe(self) -> str:
        options = f" ({' / '.join(map(plain, self.options))})" if self.options else ""
        return plain(self.question) + options

    def fallback(self) -> str:
        options = f"<p>{' &nbsp;·&nbsp; '.join(self.options)}</p>" if self.options else ""
        return (
            f'<div class="rb-ask-fallback"><p><strong>{self.label}.</strong> {self.question}</p>{options}'
            f"<details><summary>Answer</summary><p><strong>{self.shown}.</strong> {self.reveal}</p></details></div>"
        )


def _same(value: Any, answer: Any, tolerance: float) -> bool:
    if isinstance(value, (int, float)) and isinstance(answer, (int, float)):
        return math.isclose(value, answer, rel_tol=1e-9, abs_tol=max(tolerance, 1e-9))
    return value == answer


def _only(choices: Mapping[str, Any], answer: Any, tolerance: float) -> int:
    right = [i for i, value in enumerate(choices.values()) if _same(value, answer, tolerance)]
    if len(right) != 1:
        raise ValueError(f"choices: expected exactly one that equals the answer {answer!r}, got {dict(choices)}; see tolerance")
    return right[0]


def _checked(span: tuple[float, float], answer: float, tolerance: float) -> list[float]:
    low, high = map(float, span)
    if not low <= answer <= high:
        raise ValueError(f"span: expected (low, high) around the answer {answer:g}, got {span}")
    check_positive("tolerance", tolerance)  # nobody drags to a point
    return [low, high]
