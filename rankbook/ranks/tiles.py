"""Step functions in tiles of pairs, for GPUs: kernels in Triton, which torch brings along there. `fused.py` calls them.

A list of m scores meets R thresholds. The eager way writes all m R leads to memory, and reads and writes them again in each of
some ten operations; here a lead lives in a register only, and each score is read once.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def step(lead, delta, rho, far, UPPER: tl.constexpr):
    """Value and slope at the scaled leads: the sigmoid, or SupRank's upper bound of the step, as in smooth.py and suprank.py.

    Beyond ``far`` nothing changes, as there. NaN stays NaN, which a plain minimum would drop.
    """
    near = tl.minimum(lead, delta, propagate_nan=tl.PropagateNan.ALL) if UPPER else lead
    odds = tl.exp(-tl.minimum(tl.abs(near), far, propagate_nan=tl.PropagateNan.ALL))
    behind = tl.minimum(odds / (1 + odds), 0.5, propagate_nan=tl.PropagateNan.ALL)  # sigmoid(-|x|), not above 1/2 by rounding
    value = tl.where(lead >= 0, 1 - behind, behind)
    slope = behind - behind * behind
    if UPPER:
        value += tl.where(lead >= 0, 0.5, 0.0) + rho * tl.maximum(lead - delta, 0.0)
        slope = tl.where(lead > delta, rho, slope)
    return value, slope


@triton.jit(do_not_specialize=["R", "share", "many"])
def sums(
    scores,  # [q, m]
    thresholds,  # [q, R]
    values_out,  # [parts, q, R]
    slopes_out,  # [parts, q, R], not touched unless SLOPES
    stride,
    m,
    R,
    share,  # columns that a part takes, whole tiles
    many,  # q R
    scale,
    delta,
    rho,
    far,
    UPPER: tl.constexpr,
    SLOPES: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """For each threshold the sum of values (and slopes) over one part of the columns. No atomics: the same bits each time."""
    blocks = tl.cdiv(R, ROWS)
    q = (tl.program_id(0) // blocks).to(tl.int64)
    k = (tl.program_id(0) % blocks) * ROWS + tl.arange(0, ROWS)
    part = tl.program_id(1).to(tl.int64)
    threshold = tl.load(thresholds + q * R + k, mask=k < R, other=0.0)
    values = tl.zeros([ROWS, COLUMNS], tl.float32)
    slopes = tl.zeros([ROWS, COLUMNS], tl.float32)
    first = tl.program_id(1) * share
    for start in range(first, tl.minimum(first + share, m), COLUMNS):
        j = start + tl.arange(0, COLUMNS)
        score = tl.load(scores + q * stride + j, mask=j < m, other=float("-inf"))
        value, slope = step((score[None, :] - threshold[:, None]) * scale, delta, rho, far, UPPER)
        values += value
        if SLOPES:
            slopes += slope
    out = part * many + q * R + k
    tl.store(values_out + out, tl.sum(values, 1), mask=k < R)
    if SLOPES:
        tl.store(slopes_out + out, tl.sum(slopes, 1), mask=k < R)


@triton.jit(do_not_specialize=["R"])
def pull(
    scores,  # [q, m]
    thresholds,  # [q, R]
    weights,  # [q, R]
    own,  # [q, m], not read unless OWN
    out,  # [q, m], the scores themselves if they may go
    stride,
    out_stride,
    m,
    R,
    scale,
    delta,
    rho,
    far,
    UPPER: tl.constexpr,
    OWN: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """out_j = sum_k weight_k slope(scale (s_j - t_k)); with OWN the weight is weight_k - own_j."""
    blocks = tl.cdiv(m, COLUMNS)
    q = (tl.program_id(0) // blocks).to(tl.int64)
    j = (tl.program_id(0) % blocks) * COLUMNS + tl.arange(0, COLUMNS)
    score = tl.load(scores + q * stride + j, mask=j < m, other=float("-inf"))
    total = tl.zeros([COLUMNS], tl.float32)
    if OWN:
        mine = tl.load(own + q * m + j, mask=j < m, other=0.0)
    for k in range(R):
        threshold = tl.load(thresholds + q * R + k)
        weight = tl.load(weights + q * R + k)
        if OWN:
            weight = weight - mine
        total += weight * step((score - threshold) * scale, delta, rho, far, UPPER)[1]
    tl.store(out + q * out_stride + j, total, mask=j < m)
