"""Data sets: the bundled emoji, each drawn by several designers."""

from rankbook.datasets.emoji import Emoji, emoji

__all__ = ["Emoji", "emoji"]
