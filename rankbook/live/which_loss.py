"""Which loss? What a reader reports and trains goes in; a loss to copy, the stored evidence and its cost come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets

from rankbook.advice import QUESTIONS, START, advise
from rankbook.live.element import LiveElement
from rankbook.live.traits import choice

_OPTIONS = {question["name"]: [value for value, _ in question["options"]] for question in QUESTIONS}


class WhichLoss(LiveElement, module="which_loss"):
    """The rules of ``rankbook.advice`` as a form: answers go in, a loss comes out, with what was measured of it.

    Args:
        book: of ``rankbook.advice.pack``: the rules, with the lines of the stored tables that they name.
        answers: to begin with; a question -> one of its options.

    >>> from rankbook.advice import pack
    >>> from rankbook.experiments.tables import stored_table
    >>> from rankbook.live import WhichLoss
    >>> figure = WhichLoss(pack(*map(stored_table, ("evidence", "bench_cuda", "leaderboard"))), metric="NDCG", train="scores")
    >>> figure.readout()["loss"]
    'as_loss'
    """

    book = traitlets.Dict().tag(sync=True)
    metric = choice(START["metric"], _OPTIONS["metric"])
    train = choice(START["train"], _OPTIONS["train"])
    graded = choice(START["graded"], _OPTIONS["graded"])
    classes = choice(START["classes"], _OPTIONS["classes"])
    per_class = choice(START["per_class"], _OPTIONS["per_class"])
    fits = choice(START["fits"], _OPTIONS["fits"])
    machines = choice(START["machines"], _OPTIONS["machines"])

    def __init__(self, book: Mapping[str, Any], **answers: str) -> None:
        super().__init__(book=dict(book), **answers)

    def readout(self) -> dict[str, Any]:
        """The answers and the advice, as the figure shows them."""
        answers = {name: getattr(self, name) for name in _OPTIONS}
        return answers | advise(self.book, answers)

    def describe(self) -> str:
        said = self.readout()
        lines = [self.book["evidence"][i] for i in said["evidence"]]
        told = [
            f"{one['loss']} minus {one['rival']}, {one['metric']}: {one['mean']:.4f} [{one['low']:.4f}, {one['high']:.4f}]" for one in lines
        ]
        measured = f" Measured on {lines[0]['data']}, {lines[0]['seeds']} seeds: {'; '.join(told)}." if told else ""
        everywhere = f" {said['standing']}" if said["standing"] else "" if told else " Not measured by us."
        return f"For {said['metric']} of {said['train']}: {said['loss']}. {said['why']}{measured}{everywhere}"
