"""Where does the time of a batch loss on a GPU go? Stages, sizes of tiles, other ways, and the profiler's tables.

python -m rankbook.experiments.benchmarks.gpu --profile
"""

from __future__ import annotations

import os
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from rankbook import checks
from rankbook.experiments.benchmarks.gpu import LOSSES, floor, milliseconds, rank_step, step
from rankbook.ranks import fused, sigmoid_ranks
from rankbook.ranks.pairs import BLOCK, blocks_at_once, count, leads
from rankbook.ranks.smooth import SigmoidStep
from rankbook.ranks.steps import Step
from rankbook.ranks.suprank import SupStep

STEPS: dict[str, Step] = {"sigmoid": SigmoidStep(0.01), "sup": SupStep(0.01, 100.0, 0.05)}
MOST = 85  # seconds
_started = time.monotonic()


def say(*words: object) -> None:
    print(f"[{time.monotonic() - _started:5.1f}]", *words, flush=True)


@contextmanager
def eager() -> Iterator[None]:
    before = os.environ.get("RANKBOOK_FUSED")
    os.environ["RANKBOOK_FUSED"] = "0"
    try:
        yield
    finally:
        del os.environ["RANKBOOK_FUSED"]
        if before is not None:
            os.environ["RANKBOOK_FUSED"] = before


def part(title: str, work: Callable[[], None]) -> None:
    """One part of the report; if it fails the others still come."""
    if time.monotonic() - _started > MOST:
        return say(f"== {title}: left out, the time is up")
    say(f"== {title}")
    try:
        work()
    except Exception:
        traceback.print_exc()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def profile(device: str = "cuda", sizes: tuple[int, ...] = (4096, 16384), dimensions: tuple[int, ...] = (512, 128)) -> None:
    say(
        torch.__version__,
        device,
        torch.cuda.get_device_name() if device == "cuda" else "",
        "RANKBOOK_FUSED",
        os.environ.get("RANKBOOK_FUSED"),
    )
    part("kernels against float64", lambda: exactness(device))
    for size in sizes:
        part(f"tiles, B={size}", lambda size=size: tiles(size, device))
        part(f"other ways, B={size}", lambda size=size: other_ways(size, device))
    for d in dimensions:
        for size in (*sizes, sizes[0] // 4):
            part(f"losses, B={size}, d={d}", lambda size=size, d=d: losses(size, d, device))
    for size in sizes:
        part(f"stages, B={size}, d={dimensions[0]}", lambda size=size: stages(size, dimensions[0], device))
    part("where the host waits", lambda: where_the_host_waits(sizes[0], device))
    for d in dimensions:
        for size in sizes:
            for name in ("SmoothAPLoss", "SupAPLoss", "RecallAtKLoss"):
                part(f"profiler: {name} B={size} d={d}", lambda name=name, size=size, d=d: table(name, size, d, device))
    part("long lists", lambda: long_lists(device))
    part("torch.compile", lambda: compiled(sizes[0], device))
    say("end")


def pairs_of(size: int, device: str, positives: int = 3, queries: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(size)
    queries = queries or min(size, max(192, 50_000_000 // size))
    scores = (torch.randn(queries, size, generator=generator) / 11).to(device)
    return scores, scores[:, :positives].contiguous(), torch.randn(queries, positives, generator=generator).to(device)


def exactness(device: str) -> None:
    for name, one in STEPS.items():
        for q, m, positives in ((64, 4096, 3), (8, 999, 40), (3, 70_000, 1)):
            scores, at, weight = pairs_of(m, device, positives, q)
            scores[:, 5] = -torch.inf
            start = time.perf_counter()
            formula = one.formula()
            value, slope = fused.sums(scores, at, formula, slopes=True)
            pulled = fused.pull(scores, at, weight, formula)
            if device == "cuda":
                torch.cuda.synchronize()
            took = time.perf_counter() - start
            wide, at64 = scores.double(), at.double()
            expected = count(wide, at64, one.scale, one.sums)
            slopes = one.slopes_((wide.unsqueeze(1) - at64.unsqueeze(2)) * one.scale)
            pull = (weight.double().unsqueeze(2) * slopes).sum(1)
            say(
                f"{name:8} [{q}, {m}] R={positives}: values {float(((value - expected) / expected).abs().max()):.1e} relative, slopes "
                f"{float((slope - slopes.sum(2)).abs().max() / slopes.sum(2).abs().max()):.1e} and pull {float((pulled - pull).abs().max() / pull.abs().max()):.1e} of the largest; "
                f"{took * 1000:.0f} ms with compiling"
            )


def tiles(size: int, device: str) -> None:
    scores, at, weight = pairs_of(size, device)
    out = torch.empty_like(scores)
    passes = milliseconds(lambda: torch.neg(scores, out=out))
    sigmoid = milliseconds(lambda: torch.sigmoid(scores, out=out))
    say(f"[{len(scores)}, {size}] R=3: one pass over the scores {passes:.3f} ms, one torch.sigmoid {sigmoid:.3f} ms")
    for name, one in STEPS.items():
        formula = one.formula()
        found = []
        for pairs, warps in ((512, 4), (1024, 4), (2048, 4), (2048, 8), (1024, 2), (512, 1), (4096, 8))[: None if name == "sigmoid" else 4]:
            t = fused.Tiles(rows=4, pairs=pairs, warps=warps)
            found.append((milliseconds(lambda t=t: fused.sums(scores, at, formula, slopes=True, tiles=t), repeat=3), pairs, warps))
        say(name, "sums (ms, pairs, warps):", *(f"{ms:.3f} {rest}" for ms, *rest in sorted(found)))
        found = []
        for columns, warps in ((1024, 4), (512, 4), (2048, 4), (2048, 8), (1024, 8), (512, 2), (256, 2))[
            : None if name == "sigmoid" else 4
        ]:
            t = fused.Tiles(columns=columns, pull_warps=warps)
            found.append((milliseconds(lambda t=t: fused.pull(scores, at, weight, formula, out=out, tiles=t), repeat=3), columns, warps))
        say(name, "pull (ms, columns, warps):", *(f"{ms:.3f} {rest}" for ms, *rest in sorted(found)))


def other_ways(size: int, device: str) -> None:
    """The same work: kernels; blocks as before; blocks with one sigmoid that is kept for the slopes."""
    scores, at, weight = pairs_of(size, device)
    for name, one in STEPS.items():
        formula, out = one.formula(), torch.empty_like(scores)

        def by_kernels() -> None:
            fused.sums(scores, at, formula, slopes=True)
            fused.pull(scores, at, weight, formula, out=out)

        def in_blocks() -> None:
            count(scores, at, one.scale, one.sums)
            for block, rows, lead in leads(scores, at, one.scale):
                slopes = one.slopes_(lead)
                slopes.sum(-1)
                out[block] = torch.bmm(weight[block, rows].unsqueeze(1), slopes).squeeze(1)

        def one_sigmoid() -> None:
            rows = max(1, BLOCK * blocks_at_once(scores.device) // (3 * size))
            for first in range(0, len(scores), rows):
                some = slice(first, first + rows)
                lead = (scores[some].unsqueeze(1) - at[some].unsqueeze(2)).mul_(one.scale).sigmoid_()
                lead.sum(-1)
                lead.addcmul_(lead, lead, value=-1)
                lead.sum(-1)
                out[some] = torch.bmm(weight[some].unsqueeze(1), lead).squeeze(1)

        ways = {"kernels": by_kernels, "blocks": in_blocks} | ({"one sigmoid": one_sigmoid} if name == "sigmoid" else {})
        say(name, *(f"{way} {milliseconds(work, repeat=3):.3f} ms" for way, work in ways.items()))


def losses(size: int, d: int, device: str) -> None:
    least = milliseconds(floor(size, d=d, device=device))
    say(f"floor {least:.3f} ms")
    for name in ("SmoothAPLoss", "SupAPLoss", "RecallAtKLoss"):
        work = step(LOSSES[name](), size, d, device)
        told = []
        for way in ("kernels", "blocks"):
            with eager() if way == "blocks" else checks_on():
                time_checked = milliseconds(work, repeat=5)
                with checks.off():
                    told.append(
                        f"{way} {time_checked:.3f} ms ({time_checked / least:.2f} x), checks off {milliseconds(work, repeat=5):.3f}, host {host(work):.3f}"
                    )
        say(f"{name:14}", "; ".join(told))


@contextmanager
def checks_on() -> Iterator[None]:
    yield


def host(work: Callable[[], object]) -> float:
    """Milliseconds until the call returns, checks off."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def stages(size: int, d: int, device: str) -> None:
    """What `mean_loss` and `RankLoss` do to a block, piece by piece."""
    from rankbook.losses.smooth_ap import SmoothAPHead
    from rankbook.losses.sup_ap import SupAPHead
    from rankbook.losses.recall import RecallAtKLoss

    scores, at, weight = pairs_of(size, device)
    x = torch.nn.functional.normalize(torch.randn(size, d, device=device), dim=1)
    rows, places = torch.arange(len(scores), device=device), torch.arange(3, device=device).expand(len(scores), 3).contiguous()
    queries, grad = x[: len(scores)], torch.zeros_like(x)
    sigmoid, sup, above = STEPS["sigmoid"], STEPS["sup"], torch.rand_like(at) * 5
    relevance = torch.ones_like(at)
    pieces: dict[str, Callable[[], object]] = {
        "rows.index_select": lambda: x.index_select(0, rows),
        "scores = q @ x.T": lambda: queries @ x.T,
        "gather positives": lambda: scores.gather(1, places),
        "scatter -inf": lambda: scores.scatter_(1, places, -torch.inf),
        "kernel sums, sigmoid": lambda: fused.sums(scores, at, sigmoid.formula(), slopes=True),
        "kernel sums, sup": lambda: fused.sums(scores, at, sup.formula(), slopes=True),
        "kernel pull, sigmoid": lambda: fused.pull(scores, at, weight, sigmoid.formula(), out=scores),
        "kernel pull, sup": lambda: fused.pull(scores, at, weight, sup.formula(), out=scores),
        "head Smooth-AP": lambda: SmoothAPHead(sigmoid)(at, relevance, above, True),
        "head SupAP": lambda: SupAPHead()(at, relevance, above, True),
        "head RS@k": lambda: RecallAtKLoss().head(at, relevance, above, True),
        "scores *= scale": lambda: scores.mul_(1.0),
        "scores @ x, index_add": lambda: grad.index_add_(0, rows, scores @ x),
        "grad.addmm_(scores.T, q)": lambda: grad.addmm_(scores.T, queries),
    }
    for name, work in pieces.items():
        say(f"{name:26} {milliseconds(work, repeat=5):8.3f} ms on the device, {host(work):.3f} on the host")


def where_the_host_waits(size: int, device: str) -> None:
    if device != "cuda":
        return
    for name in ("SmoothAPLoss", "SupAPLoss", "RecallAtKLoss"):
        for unchecked in (False, True):
            work = step(LOSSES[name](), size, 128, device)
            torch.cuda.synchronize()
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                try:
                    if unchecked:
                        with checks.off():
                            work()
                    else:
                        work()
                finally:
                    torch.cuda.set_sync_debug_mode("default")
            at = Counter(f"{one.filename.rpartition('/')[2]}:{one.lineno}" for one in heard if "synchroniz" in str(one.message))
            say(name, "checks off" if unchecked else "checks on", dict(at))


def table(name: str, size: int, d: int, device: str) -> None:
    work = step(LOSSES[name](), size, d, device)
    work()
    kinds = [torch.profiler.ProfilerActivity.CPU] + ([torch.profiler.ProfilerActivity.CUDA] if device == "cuda" else [])
    with torch.profiler.profile(activities=kinds) as seen:
        work()
        if device == "cuda":
            torch.cuda.synchronize()
    events = seen.key_averages()
    on_device = lambda event: getattr(event, "self_device_time_total", 0.0)  # noqa: E731
    if device == "cuda":
        kernels = sorted((e for e in events if str(e.device_type).endswith("CUDA")), key=on_device, reverse=True)
        say(f"{sum(map(on_device, kernels)) / 1000:.3f} ms in {sum(e.count for e in kernels)} kernels")
        for event in kernels[:15]:
            print(f"    {on_device(event) / 1000:8.3f} ms {event.count:5} x {event.key[:110]}")
    ops = sorted((e for e in events if not str(e.device_type).endswith("CUDA")), key=lambda e: e.self_cpu_time_total, reverse=True)
    print("  host:", ", ".join(f"{e.key[:40]} {e.self_cpu_time_total / 1000:.2f} ms x{e.count}" for e in ops[:12]), flush=True)


def long_lists(device: str) -> None:
    n = 100_000 if device == "cuda" else 500
    generator = torch.Generator().manual_seed(n)
    scores = torch.randn(1, n, generator=generator).to(device)
    formula = SigmoidStep(0.1).formula()
    for rows, pairs, warps in ((16, 2048, 4), (16, 1024, 4), (32, 2048, 4), (8, 1024, 2), (64, 4096, 8)):
        t = fused.Tiles(rows=rows, pairs=pairs, warps=warps)
        say(
            f"sums of [{n}, {n}]: {t} {milliseconds(lambda t=t: fused.sums(scores, scores, formula, slopes=False, tiles=t), repeat=2):.2f} ms"
        )
    for columns, warps in ((128, 1), (128, 4), (512, 4), (1024, 4)):
        t = fused.Tiles(columns=columns, pull_warps=warps)
        say(
            f"pull of [{n}, {n}]: {columns} {warps} {milliseconds(lambda t=t: fused.pull(scores, scores, scores, formula, tiles=t), repeat=2):.2f} ms"
        )
    say(f"sigmoid_ranks [1, {n}], blocks: {milliseconds(rank_step(lambda s: sigmoid_ranks(s, tau=0.1), 1, n, device), repeat=2):.2f} ms")


def compiled(size: int, device: str) -> None:
    scores, at, weight = pairs_of(size, device)

    @torch.compile(dynamic=False)
    def both(scores: Tensor, at: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = torch.sigmoid(((scores.unsqueeze(1) - at.unsqueeze(2)) * 100).clamp(-43, 43))
        slope = torch.sigmoid(-((scores.unsqueeze(1) - at.unsqueeze(2)) * 100).abs().clamp(max=43))
        slope = slope - slope * slope
        return value.sum(2), slope.sum(2), (slope * weight.unsqueeze(2)).sum(1)

    start = time.perf_counter()
    both(scores, at, weight)
    say(f"cold start {time.perf_counter() - start:.1f} s, then {milliseconds(lambda: both(scores, at, weight)):.3f} ms")
