"""From answers to a loss: the rules evaluated in Python, as ``js/shared/advice.js`` does in a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from rankbook.advice.against import sentence, turned
from rankbook.advice.board import shown, told
from rankbook.advice.questions import QUESTIONS
from rankbook.advice.rules import NOTES, RULES, Rule

Book = dict[str, Any]
DATA = "emoji"  # the set that comes with the package, of which the rules speak
PIXELS = "retrieval_pixels"  # the study of another network than theirs, a linear head


def pack(evidence: pd.DataFrame, costs: pd.DataFrame, board: pd.DataFrame) -> Book:
    """Everything that a page needs to answer: the rules with the lines of the tables that they name, as JSON.

    Args:
        evidence: the table ``evidence``: study, data, loss, rival, metric, mean, low, high, seeds.
        costs: the table ``bench_cuda``: what, size, milliseconds, megabytes, device. Of several dimensions the largest is told.
        board: the table ``leaderboard``, for the standing of a rule's loss over all sets; a rule's ``against`` adds what the studies say.

    Raises:
        KeyError: a rule names a line that the table lacks.
    """
    names = sorted({name for rule in RULES for name in rule["evidence"]})
    batches = costs[costs["size"].str.startswith("B=")]
    dimensions = batches["size"].str.extract(r"d=(\d+)")[0].astype(int)
    batches = batches[dimensions == dimensions.max()]
    sizes = batches["size"].str.extract(r"B=(\d+)")[0].astype(int).sort_values()
    batches = batches.loc[sizes.index]
    return {
        "questions": [{**question, "when": question.get("when", {})} for question in QUESTIONS],
        "rules": [
            {**rule, "evidence": [names.index(one) for one in rule["evidence"]], "standing": _standing(evidence, board, rule)}
            for rule in RULES
        ],
        "notes": NOTES,
        "evidence": [find(evidence, *name) for name in names],
        "costs": {
            loss: [[size, *map(float, line)] for size, line in zip(sizes[part.index].tolist(), part.to_numpy().tolist(), strict=True)]
            for loss, part in batches.groupby("what", sort=True)[["milliseconds", "megabytes"]]
        },
        "device": str(batches["device"].iloc[0]),
        "dimension": int(dimensions.max()),
    }


def _standing(evidence: pd.DataFrame, board: pd.DataFrame, rule: Rule) -> str:
    """What was measured over all sets, in sentences."""
    asked = rule.get("against", ())
    return " ".join([*filter(None, [told(board, *rule.get("board", ("", "")))]), *(sentence(evidence, one) for one in asked)])


def spoken_of(evidence: pd.DataFrame) -> pd.DataFrame:
    """The lines of which the rules speak: the bundled set, and no network that learns from the pixels."""
    return evidence[(evidence["data"] == DATA) & (evidence["study"] != PIXELS)]


def find(evidence: pd.DataFrame, loss: str, rival: str, metric: str) -> dict[str, Any]:
    """Loss minus rival in the lines of `spoken_of`, whichever way around the table has them; of several studies that with most seeds."""
    here = spoken_of(evidence)
    found = turned(here[here["metric"] == metric], loss, rival)
    if len(found):
        line = found.sort_values("seeds", ascending=False, kind="stable").iloc[0]
        low, high = float(line["low"]), float(line["high"])
        return {
            "loss": loss,
            "rival": rival,
            "metric": shown(metric),
            "mean": float(line["mean"]),
            "low": low,
            "high": high,
            "seeds": int(line["seeds"]),
            "data": str(line["data"]),
            "verdict": "ahead" if low > 0 else "behind" if high < 0 else "no evidence of a difference",
        }
    raise KeyError(f"no evidence for {loss} against {rival} by {metric}; run `python -m rankbook.experiments evidence`")


def facts(inputs: Mapping[str, str]) -> dict[str, Any]:
    """The answers, and what follows from them: the batch, and what one query ranks in it."""
    classes, per_class = int(inputs["classes"]), int(inputs["per_class"])
    batch = classes * per_class
    over = "yes" if batch > int(inputs["fits"]) else "no"
    return {**inputs, "batch": batch, "others": batch - 1, "positives": per_class - 1, "over": over}


def holds(rule: Rule, known: Mapping[str, Any]) -> bool:
    """A list names the answers that may be; "from" and "below" bound a number."""

    def one(name: str, wanted: Any) -> bool:
        if isinstance(wanted, dict):
            return wanted.get("from", -math.inf) <= known[name] < wanted.get("below", math.inf)
        return known[name] in wanted

    return all(one(*condition) for condition in rule["when"].items())


def advise(book: Book, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The loss for these answers, why, the stored evidence, and what it costs.

    Args:
        book: of `pack`.
        inputs: an answer to every question of `QUESTIONS`; those that are not asked do not matter.

    Returns: ``loss``, ``code``, ``why``, ``instead``, ``standing`` (over all sets), ``notes`` (a line each), ``evidence`` (positions in
        the book's), and ``cost``: batch, milliseconds and megabytes at the nearest size that was measured; empty if none was.
    """
    known = facts(inputs)
    rule = next(rule for rule in book["rules"] if holds(rule, known))
    text = {name: f"{value:,}" if isinstance(value, int) else value for name, value in known.items()}
    measured = book["costs"].get(rule["loss"], []) if known["train"] == "embeddings" else []
    return {
        **{name: rule[name].format(**text) if name == "why" else rule[name] for name in ("loss", "code", "why", "instead", "standing")},
        "notes": "\n".join(note["text"].format(**text) for note in book["notes"] if holds(note, known)),
        "evidence": rule["evidence"],
        "cost": min(measured, key=lambda line: abs(math.log2(line[0] / known["batch"])), default=[]),
    }
