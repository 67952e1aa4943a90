"""Adapters for loops of others: only where the call differs. The rest takes our losses and samplers as they are.

Each is imported, with the library that it needs, at its first use.
"""

import importlib
from typing import Any

_FROM = {"RetrievalMetrics": "retrieval_metrics", "SentenceLoss": "sentence_loss"}

__all__ = list(_FROM)


def __getattr__(name: str) -> Any:
    if name in _FROM:
        return getattr(importlib.import_module(f"rankbook.integrations.{_FROM[name]}"), name)
    raise AttributeError(f"module 'rankbook.integrations' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
