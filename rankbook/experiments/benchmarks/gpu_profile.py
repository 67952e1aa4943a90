"""Where does the time of a batch loss on a GPU go? Sizes of tiles, other ways, stages, waits, and the profiler's tables.

python -m rankbook.experiments.benchmarks.gpu --profile
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor, nn

from rankbook import checks
from rankbook.experiments.benchmarks.gpu_measures import Work, milliseconds, synchronize
from rankbook.experiments.benchmarks.gpu_rows import MAIN, PER_CLASS, floor, rank_step, step
from rankbook.losses import RecallAtKLoss, SmoothAPLoss, SupAPLoss
from rankbook.ranks import fused, sigmoid_ranks
from rankbook.ranks.crossed import Crossed
from rankbook.ranks.pairs import BLOCK, blocks_at_once
from rankbook.ranks.smooth import SigmoidStep
from rankbook.ranks.steps import Step
from rankbook.ranks.suprank import SupStep

STEPS: dict[str, Step] = {"sigmoid": SigmoidStep(0.01), "sup": SupStep(0.01, 100.0, 0.05)}
POSITIVES = PER_CLASS - 1
_MOST = 90  # seconds, after which no part begins
_BLOCK = 50_000_000  # scores


def profile(device: str, sizes: tuple[int, ...] = (4096, 16384), dimensions: tuple[int, ...] = (512, 128), n: int = 100_000) -> None:
    parts: list[tuple[str, Work]] = []
    for size in sizes:
        parts += [(f"tiles, B={size}", partial(tiles, size, device)), (f"other ways, B={size}", partial(other_ways, size, device))]
    parts += [(f"losses, B={size}, d={d}", partial(losses, size, d, device)) for d in dimensions for size in (*sizes, sizes[0] // 4)]
    parts += [(f"stages, B={size}, d={dimensions[0]}", partial(stages, size, dimensions[0], device)) for size in sizes]
    parts += [("where the host waits", partial(where_the_host_waits, sizes[0], dimensions[-1], device))]
    parts += [
        (f"profiler: {make.__name__} B={size}, d={d}", partial(table, make(), size, d, device))
        for d in dimensions
        for size in sizes
        for make in MAIN
    ]
    parts += [(f"lists of {n}", partial(long_lists, n, device))]
    started = time.monotonic()
    for title, work in parts:
        late = time.monotonic() - started > _MOST
        print(f"== {title}" + (": left out, the time is up" if late else ""), flush=True)
        try:
            late or work()
        except Exception:  # the other parts still come
            traceback.print_exc()


def pairs_of(size: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """A block of scores, those of the positives, and weights."""
    queries = min(size, max(192, _BLOCK // size))
    scores = torch.randn(queries, size, device=device) / 11
    return scores, scores[:, :POSITIVES].contiguous(), torch.randn(queries, POSITIVES, device=device)


def quickest(found: list[tuple[float, str]]) -> str:
    return "; ".join(f"{took:.3f} ms {what}" for took, what in sorted(found))


def tiles(size: int, device: str) -> None:
    scores, at, weight = pairs_of(size, device)
    out = torch.empty_like(scores)
    print(f"  one pass over [{len(scores)}, {size}] takes {milliseconds(partial(torch.neg, scores, out=out)):.3f} ms")
    for name, one in STEPS.items():
        sums = [fused.Tiles(rows=4, pairs=pairs, warps=warps) for pairs, warps in ((1024, 4), (2048, 4), (2048, 8))]
        pulls = [fused.Tiles(columns=columns, few_columns=columns, pull_warps=warps) for columns, warps in ((512, 4), (1024, 4), (2048, 4))]
        take_sums, take_pull = (
            partial(work, scores, at, formula=one.formula()) for work in (fused.sums, partial(fused.pull, weights=weight))
        )
        found = [(milliseconds(partial(take_sums, slopes=True, tiles=t), repeat=3), f"{t.pairs} pairs {t.warps} warps") for t in sums]
        print(f"  {name}: sums {quickest(found)}")
        found = [(milliseconds(partial(take_pull, out=out, tiles=t), repeat=3), f"{t.columns} columns {t.pull_warps} warps") for t in pulls]
        print(f"  {name}: pull {quickest(found)}")


def other_ways(size: int, device: str) -> None:
    """The same sums and pulls: by kernels; in blocks; in blocks with one sigmoid, kept for the slopes."""
    scores, at, weight = pairs_of(size, device)
    for name, one in STEPS.items():
        by_kernels = milliseconds(partial(count_and_pull, scores.clone(), at, weight, one), repeat=3)
        with blocks():
            in_blocks = milliseconds(partial(count_and_pull, scores.clone(), at, weight, one), repeat=3)
        print(f"  {name}: kernels {by_kernels:.3f} ms, blocks {in_blocks:.3f} ms")
    print(f"  sigmoid: one, kept {milliseconds(partial(one_sigmoid, scores, at, weight, STEPS['sigmoid'].scale), repeat=3):.3f} ms")


def count_and_pull(scores: Tensor, at: Tensor, weight: Tensor, one: Step) -> None:
    pairs = Crossed(scores, at, one)
    pairs.count(slopes=True)
    pairs.pull_(weight)


def one_sigmoid(scores: Tensor, at: Tensor, weight: Tensor, scale: float) -> None:
    rows = max(1, BLOCK * blocks_at_once(scores.device) // (at.shape[1] * scores.shape[1]))
    for some in map(slice, range(0, len(scores), rows), range(rows, len(scores) + rows, rows)):
        lead = (scores[some].unsqueeze(1) - at[some].unsqueeze(2)).mul_(scale).sigmoid_()
        lead.sum(-1)
        lead.addcmul_(lead, lead, value=-1).sum(-1)
        torch.bmm(weight[some].unsqueeze(1), lead)


@contextmanager
def blocks() -> Iterator[None]:
    """Without the kernels."""
    with patch.dict("os.environ", RANKBOOK_FUSED="0"):
        yield


def losses(size: int, d: int, device: str) -> None:
    least = milliseconds(floor(size, d, device))
    print(f"  floor {least:.3f} ms")
    for make in MAIN:
        work, told = step(make(), size, d, device), []
        for way, around in (("kernels", nullcontext), ("blocks", blocks)):
            with around():
                took = milliseconds(work, repeat=5)
                with checks.off():
                    told.append(
                        f"{way} {took:.3f} ms, {took / least:.2f} x; checks off {milliseconds(work, repeat=5):.3f}, host {host(work):.3f}"
                    )
        print(f"  {make.__name__:14}", "; ".join(told), flush=True)


def host(work: Work) -> float:
    """Milliseconds until a call returns."""
    synchronize()
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def stages(size: int, d: int, device: str) -> None:
    """What a batch loss does to a block of queries, piece by piece."""
    scores, at, weight = pairs_of(size, device)
    x = torch.nn.functional.normalize(torch.randn(size, d, device=device), dim=1)
    rows, places = torch.arange(len(scores), device=device), torch.arange(POSITIVES, device=device).repeat(len(scores), 1)
    queries, grad = x[: len(scores)], torch.zeros_like(x)
    above, relevance = torch.rand_like(at) * 5, torch.ones_like(at)
    pieces: dict[str, Callable[[], object]] = {
        "rows.index_select": lambda: x.index_select(0, rows),
        "scores = q @ x.T": lambda: queries @ x.T,
        "gather positives": lambda: scores.gather(1, places),
        "scatter -inf": lambda: scores.scatter_(1, places, -torch.inf),
        **{f"count, pull: {name}": partial(count_and_pull, scores, at, weight, one) for name, one in STEPS.items()},
        **{f"head of {loss}": partial(loss.head, at, relevance, above, True) for loss in (SmoothAPLoss(), SupAPLoss(), RecallAtKLoss())},
        "scores *= scale": lambda: scores.mul_(1.0),
        "scores @ x, index_add_": lambda: grad.index_add_(0, rows, scores @ x),
        "grad.addmm_(scores.T, q)": lambda: grad.addmm_(scores.T, queries),
    }
    for name, work in pieces.items():
        print(f"  {name[:40]:40} {milliseconds(work, repeat=5):8.3f} ms, {host(work):.3f} on the host", flush=True)


def where_the_host_waits(size: int, d: int, device: str) -> None:
    if device != "cuda":
        return
    for make in MAIN:
        for around in (nullcontext, checks.off):
            work = step(make(), size, d, device)
            with warnings.catch_warnings(record=True) as heard, around():
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                work()
                torch.cuda.set_sync_debug_mode("default")
            places = Counter(f"{one.filename.rpartition('/')[2]}:{one.lineno}" for one in heard if "synchroniz" in str(one.message))
            print(f"  {make.__name__}, checks {'on' if around is nullcontext else 'off'}:", dict(places))


def table(loss: nn.Module, size: int, d: int, device: str) -> None:
    work = step(loss, size, d, device)
    work()
    synchronize()
    kinds = [torch.profiler.ProfilerActivity.CPU, *([torch.profiler.ProfilerActivity.CUDA] if device == "cuda" else [])]
    with torch.profiler.profile(activities=kinds) as seen:
        work()
        synchronize()
    events = seen.key_averages()
    kernels = sorted((e for e in events if str(e.device_type).endswith("CUDA")), key=lambda e: -e.self_device_time_total)
    print(f"  {sum(e.self_device_time_total for e in kernels) / 1000:.3f} ms in {sum(e.count for e in kernels)} kernels")
    for event in kernels[:15]:
        print(f"    {event.self_device_time_total / 1000:8.3f} ms {event.count:5} x {event.key[:110]}")
    on_host = sorted((e for e in events if not str(e.device_type).endswith("CUDA")), key=lambda e: -e.self_cpu_time_total)
    print("    host:", ", ".join(f"{e.key[:40]} {e.self_cpu_time_total / 1000:.2f} ms x{e.count}" for e in on_host[:12]), flush=True)


def long_lists(n: int, device: str) -> None:
    work = rank_step(partial(sigmoid_ranks, tau=0.1), 1, n, device)
    print(f"  sigmoid_ranks: kernels {milliseconds(work, repeat=3):.2f} ms")
    with blocks():
        print(f"  sigmoid_ranks: blocks {milliseconds(work, repeat=3):.2f} ms")
