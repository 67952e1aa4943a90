"""Data sets as `Samples`: the bundled emoji, each drawn by several designers. And readers of files that hold lists."""

from rankbook.datasets.emoji import emoji
from rankbook.datasets.samples import Samples
from rankbook.datasets.svmlight import svmlight

__all__ = ["Samples", "emoji", "svmlight"]
