"""Warnings that point at the line of the caller."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

_OURS = (str(Path(__file__).parents[1]), str(Path(torch.__file__).parent))


def warn(message: str) -> None:
    """Warn, with the line of the caller: the first that is neither rankbook's nor torch's."""
    level, frame = 1, sys._getframe(0)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
