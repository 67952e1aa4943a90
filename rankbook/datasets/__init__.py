"""Data sets as `Samples`: the bundled emoji, each drawn by several designers."""

from rankbook.datasets.emoji import emoji
from rankbook.datasets.samples import Samples

__all__ = ["Samples", "emoji"]
