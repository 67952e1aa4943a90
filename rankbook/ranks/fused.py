"""Sums over pairs on a GPU without the pairs in memory: which steps have kernels, when they are used, how they are called.

The kernels (`tiles.py`) are for float32 on a GPU and need Triton, which torch brings along for CUDA and ROCm on Linux. Elsewhere,
under ``RANKBOOK_FUSED=0``, and if the compiler fails, `pairs.py` computes the same in blocks.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.checks import warn
from rankbook.ranks.steps import Step


class Formula(NamedTuple):
    """A step as the kernels know it: its knobs, for scaled leads. ``upper`` False is the sigmoid."""

    scale: float
    far: float
    upper: bool = False
    delta: float = 0.0
    rho: float = 0.0

    def knobs(self) -> tuple[float, ...]:
        return self.scale, self.delta, self.rho, self.far


class Tiles(NamedTuple):
    """Sizes of the tiles that one program computes, and how many warps share it."""

    rows: int = 16  # thresholds, at most
    pairs: int = 2048  # thresholds x columns
    warps: int = 4
    columns: int = 1024  # for `pull`
    pull_warps: int = 4


TILES = Tiles()
_FEW = 4096  # programs that fill the largest GPU: with fewer, the columns are split into parts


def usable(scores: Tensor, step: Step) -> Formula | None:
    """The formula of a step if the kernels can compute it for these scores; None: do it in blocks."""
    if not scores.is_cuda or scores.dtype != torch.float32 or _failed or os.environ.get("RANKBOOK_FUSED") == "0":
        return None
    # not inherited: a subclass may count in its own way
    formula = vars(type(step)).get("formula")
    return formula(step) if formula is not None and _kernels() is not None else None


_failed: list[Exception] = []


@cache
def _kernels() -> ModuleType | None:
    if importlib.util.find_spec("triton") is None:
        return None
    from rankbook.ranks import tiles

    return tiles


def failed(error: Exception) -> None:
    """Remember that the kernels do not run here, and say so once."""
    _failed.append(error)
    warn(f"the fused kernels do not run here and are not used any more, the slower way is: {type(error).__name__}: {error}")


def sums(scores: Tensor, thresholds: Tensor, formula: Formula, *, slopes: bool, tiles: Tiles | None = None) -> tuple[Tensor, Tensor]:
    """Sums of the step over the scores ``[q, m]`` at each of the thresholds ``[q, R]``, and of its slope, if asked for: two [q, R]."""
    tiles = tiles or TILES
    scores, thresholds = _dense(scores), thresholds.contiguous()
    (q, m), R = scores.shape, thresholds.shape[1]
    rows = min(next(power for power in (1, 4, 16, R) if power >= R), tiles.rows)  # few sizes: each is compiled once
    columns = tiles.pairs // rows
    programs = q * -(-R // rows)
    share = columns * max(1, -(-m // (columns * max(1, _FEW // max(programs, 1)))))
    parts = -(-m // share)
    values = scores.new_empty(parts, q, R)
    slope_sums = torch.empty_like(values) if slopes else values
    if programs:
        with torch.cuda.device_of(scores):
            _kernels().sums[programs, parts](
                scores, thresholds, values, slope_sums, scores.stride(0), m, R, share, q * R, *formula.knobs(),
                UPPER=formula.upper, SLOPES=slopes, ROWS=rows, COLUMNS=columns, num_warps=tiles.warps,
            )  # fmt: skip
    return (values[0], slope_sums[0]) if parts == 1 else (values.sum(0), slope_sums.sum(0))


def pull(scores: Tensor, thresholds: Tensor, weights: Tensor, formula: Formula, *, out: Tensor | None = None, tiles: Tiles | None = None) -> Tensor:
    """For each score s_j the sum over the thresholds t_k of weight_k times the slope at s_j - t_k: [q, m], into ``out`` if given."""
    tiles = tiles or TILES
    (q, m), R = scores.shape, thresholds.shape[1]
    scores = _dense(scores)
    out = torch.empty_like(scores) if out is None else out
    columns = tiles.columns
    if scores.numel():
        with torch.cuda.device_of(scores):
            _kernels().pull[(q * -(-m // columns),)](
                scores, thresholds.contiguous(), weights.contiguous(), out, scores.stride(0), out.stride(0), m, R, *formula.knobs(),
                UPPER=formula.upper, COLUMNS=columns, num_warps=tiles.pull_warps,
            )  # fmt: skip
    return out


def _dense(scores: Tensor) -> Tensor:
    """Rows may stand apart; the items of a row stand together."""
    return scores if scores.stride(-1) == 1 or scores.shape[-1] == 1 else scores.contiguous()

