"""What "Which loss?" asks, in its order; the second half is asked of a batch of embeddings alone."""

from __future__ import annotations

from typing import Any

EMBEDDINGS = {"train": ["embeddings"]}

#: ``options``: pairs of a value and what the reader sees; ``when``: the answers to earlier questions under which this one is asked.
QUESTIONS: list[dict[str, Any]] = [
    {
        "name": "metric",
        "ask": "You report",
        "options": [
            ["AP", "AP or mAP@R"],
            ["hit", "hit@1 (R@1)"],
            ["recall", "recall@k"],
            ["NDCG", "NDCG"],
            ["H-AP", "H-AP"],
            ["Spearman", "Spearman"],
        ],
        "start": "AP",
    },
    {
        "name": "train",
        "ask": "You train",
        "options": [["embeddings", "embeddings, with labels"], ["scores", "scores of lists"]],
        "start": "embeddings",
    },
    {
        "name": "graded",
        "ask": "Your labels are",
        "options": [["no", "classes"], ["yes", "a tree (class, group, ...)"]],
        "start": "no",
        "when": EMBEDDINGS,
    },
    {
        "name": "classes",
        "ask": "Classes a batch",
        "options": [["8", "8"], ["32", "32"], ["128", "128"], ["1024", "1,024"]],
        "start": "32",
        "when": EMBEDDINGS,
    },
    {
        "name": "per_class",
        "ask": "Images a class",
        "options": [["2", "2"], ["4", "4"], ["8", "8"], ["16", "16"]],
        "start": "4",
        "when": EMBEDDINGS,
    },
    {
        "name": "fits",
        "ask": "Images that fit in memory",
        "options": [["64", "64"], ["256", "256"], ["1024", "1,024"], ["16384", "16,384"]],
        "start": "256",
        "when": EMBEDDINGS,
    },
    {
        "name": "machines",
        "ask": "Processes",
        "options": [["one", "one"], ["many", "many"]],
        "start": "one",
        "when": EMBEDDINGS,
    },
]
START: dict[str, str] = {question["name"]: question["start"] for question in QUESTIONS}
