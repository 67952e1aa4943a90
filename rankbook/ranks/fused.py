"""Sums over pairs on a GPU without the pairs in memory: which steps have kernels, when they are used, how they are called.

The kernels (`tiles.py`) are for float32 on a GPU and need Triton, which torch brings along for CUDA and ROCm on Linux. Elsewhere,
under ``RANKBOOK_FUSED=0``, and once the compiler has failed, blocks of pairs (`pairs.py`) give the same.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from rankbook.checks import warn
from rankbook.ranks.steps import Step

T = TypeVar("T")

_SWITCH = "RANKBOOK_FUSED"
_FEW = 4096  # programs that fill the largest GPU: with fewer, each gets less to do


class Formula(NamedTuple):
    """A step as the kernels know it, its knobs for scaled leads. ``upper`` False: the sigmoid."""

    scale: float
    far: float  # beyond it nothing changes
    upper: bool = False
    delta: float = 0.0
    rho: float = 0.0

    @property
    def knobs(self) -> tuple[float, ...]:
        return self.scale, self.delta, self.rho, self.far


class Tiles(NamedTuple):
    """What one program computes at a time, and how many warps share it."""

    rows: int = 16  # thresholds, at most; a power of two
    pairs: int = 2048  # thresholds x columns
    warps: int = 4
    columns: int = 1024  # of `pull`, and where these give too few programs, as with one long list, fewer
    few_columns: int = 128
    pull_warps: int = 4


TILES = Tiles()
_failed = False


def by_kernels(step: Step, scores: Tensor, compute: Callable[[Formula], T]) -> T | None:
    """What is computed from the formula of the step; None: no kernel can do it for these scores, take blocks.

    If the kernels fail they are left alone from then on, with one warning: a slower loss is better than none.
    """
    global _failed
    formula = _formula(step, scores)
    if formula is None:
        return None
    try:
        return compute(formula)
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # whatever Triton and its compiler raise on this machine
        _failed = True
        said = f"rankbook's kernels fail on this GPU; slower operations take their place ({_SWITCH}=0: silently)"
        warn(f"{said}. {type(error).__name__}: {error}")
        return None


def _formula(step: Step, scores: Tensor) -> Formula | None:
    if _failed or os.environ.get(_SWITCH) == "0" or not _suits(scores):
        return None
    # not inherited: a subclass may count in its own way
    formula = vars(type(step)).get("formula")
    return formula(step) if formula is not None and _kernels() is not None else None


def _suits(scores: Tensor) -> bool:
    return scores.is_cuda and scores.dtype == torch.float32 and not torch._C._functorch.is_functorch_wrapped_tensor(scores)


@cache
def _kernels() -> ModuleType | None:
    if importlib.util.find_spec("triton") is None:
        return None
    from rankbook.ranks import tiles

    return tiles


def sums(scores: Tensor, thresholds: Tensor, formula: Formula, *, slopes: bool, tiles: Tiles | None = None) -> tuple[Tensor, Tensor]:
    """Sums over the scores ``[q, m]``, at each of the thresholds ``[q, R]``, of the step and (if asked for) of its slope: two [q, R]."""
    tiles = tiles or TILES
    scores, thresholds = _dense(scores), thresholds.contiguous()
    (q, m), R = scores.shape, thresholds.shape[1]
    rows = min(next((some for some in (1, 4, 16) if some >= R), tiles.rows), tiles.rows)  # few sizes: each is compiled once
    columns = tiles.pairs // rows
    programs = q * -(-R // rows)
    if not programs or not m:
        return torch.zeros_like(thresholds), torch.zeros_like(thresholds)
    wanted_parts = max(1, _FEW // programs)
    share = columns * -(-m // (columns * wanted_parts))
    parts = -(-m // share)
    values = scores.new_empty(parts, q, R)
    slope_sums = torch.empty_like(values) if slopes else values
    with torch.cuda.device_of(scores):
        _kernels().sums[programs, parts](
            scores, thresholds, values, slope_sums, scores.stride(0), m, R, share, q * R, *formula.knobs,
            UPPER=formula.upper, SLOPES=slopes, ROWS=rows, COLUMNS=columns, num_warps=tiles.warps,
        )  # fmt: skip
    return (values[0], slope_sums[0]) if parts == 1 else (values.sum(0), slope_sums.sum(0))


def pull(
    scores: Tensor,
    thresholds: Tensor,
    weights: Tensor,
    formula: Formula,
    *,
    own: Tensor | None = None,
    out: Tensor | None = None,
    tiles: Tiles | None = None,
) -> Tensor:
    """For each score s_j the sum over the thresholds t_k of weight_k times the slope at s_j - t_k: [q, m].

    ``own`` ``[q, m]``: the weight is weight_k - own_j. ``out`` may be the scores themselves.
    """
    tiles = tiles or TILES
    scores, weights = _dense(scores), weights.contiguous()
    (q, m), R = scores.shape, thresholds.shape[1]
    out = torch.empty_like(scores, memory_format=torch.contiguous_format) if out is None else out
    own = None if own is None else own.contiguous()
    columns = tiles.columns if scores.numel() >= _FEW * tiles.columns else tiles.few_columns
    if scores.numel():
        with torch.cuda.device_of(scores):
            _kernels().pull[(q * -(-m // columns),)](
                scores, thresholds.contiguous(), weights, weights if own is None else own, out, scores.stride(0), out.stride(0), m, R,
                *formula.knobs, UPPER=formula.upper, OWN=own is not None, COLUMNS=columns, num_warps=tiles.pull_warps,
            )  # fmt: skip
    return out


def _dense(scores: Tensor) -> Tensor:
    """Rows may stand apart; the items of a row stand together."""
    return scores if scores.stride(-1) == 1 or scores.shape[-1] == 1 else scores.contiguous()
