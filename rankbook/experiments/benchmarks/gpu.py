"""Do the losses hold on a GPU, how fast and how lean are they there, and how often does the host wait?

    python -m rankbook.experiments.benchmarks.gpu                       # all of it (`make gpu`), on a CUDA device
    python -m rankbook.experiments.benchmarks.gpu bench                 # the table alone
    python -m rankbook.experiments.benchmarks.gpu --device cpu --quick --folder FOLDER   # tries the script, at tiny sizes

It runs from the root of a clone and needs torch, numpy, pandas, scipy, safetensors, tqdm, pytest and hypothesis, but no installation.
``bench`` writes ``bench_cuda.csv``, line by line; ``tests`` runs those tests of rankers, metrics and losses that want a GPU.

Time is that of the device for a forward and a backward pass, the median of several; memory the peak that torch's allocator hands
out above what embeddings and labels take. The floor of a loss is what plain operations take at least: three matrix products, and
one `torch.sigmoid` of all scores for each positive of a query. Kernels that keep their pairs in registers can come below it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from rankbook.archive import REPOSITORY
from rankbook.experiments.benchmarks.gpu_rows import QUICK, Line, Sizes, jobs
from rankbook.experiments.tables import data_folder, write_table
from rankbook.files import probe

COMMAND = "python -m rankbook.experiments.benchmarks.gpu"
PARTS = ("bench", "tests")
_SECONDS = 480  # for all; what does not fit is left out, and said
_TESTS = ("tests/test_devices.py", "tests/ranks", "tests/losses", "tests/metrics", "tests/sorters/test_losses.py")
# torch 2.11 warns in its own code of what it uses itself
_NOT_OURS = "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="bench, tests; none: both")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and a few tests: tries the script, measures nothing")
    parser.add_argument("--folder", type=Path, help="where bench_cuda.csv goes (default: data/results of the clone)")
    parser.add_argument("--profile", action="store_true", help="print where the time goes, and write nothing")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; --device cpu --quick --folder FOLDER tries the script without one")
    if options.profile:
        from rankbook.experiments.benchmarks.gpu_profile import profile

        profile(options.device)
        return 0
    if options.folder is None and (options.quick or options.device == "cpu"):
        parser.error("--folder: say where to write; the stored table is for a GPU and whole sizes")
    try:
        path = data_folder("results", options.folder) / "bench_cuda.csv"
    except ValueError as error:
        parser.error(str(error))
    parts, end, code = options.parts or PARTS, time.monotonic() + _SECONDS, 0
    if "bench" in parts:
        code = bench(QUICK if options.quick else Sizes(), options.device, path, end)
    if "tests" in parts:
        code = run_tests(options.device, end, quick=options.quick) or code
    return code


def bench(sizes: Sizes, device: str, path: Path, end: float) -> int:
    """Measure line by line; what is measured stays. 0 if no line failed."""
    probe(path)
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    found, code = [], 0
    print(f"{name}, torch {torch.__version__}", flush=True)
    for title, job in jobs(sizes, device):
        if time.monotonic() > end:
            print(f"{title}: left out, the time is up", flush=True)
            continue
        try:
            line = job()
        except torch.cuda.OutOfMemoryError:
            print(f"{title}: left out, it does not fit the memory", flush=True)
            continue
        except Exception:  # one line that fails must not cost the others: minutes on a GPU are dear
            print(f"{title}: failed", flush=True)
            traceback.print_exc()
            code = 1
            continue
        finally:
            if device == "cuda":
                torch.cuda.empty_cache()
        found.append(line)
        print(told(line), flush=True)
        write_table(pd.DataFrame(found).assign(device=name, torch=torch.__version__.partition("+")[0]), path)
    return code


def told(line: Line) -> str:
    plain = "" if line.plain_milliseconds != line.plain_milliseconds else f", plain {line.plain_milliseconds:.1f} ms"
    return (
        f"{line.what:18} {line.size:16} {line.milliseconds:9.3f} ms {line.over_floor:7.2f} x floor {line.megabytes:8.1f} MB; waits "
        f"{line.waits:g}, checks off {line.waits_unchecked:g}, labels on the CPU {line.waits_cpu_labels:g}{plain}"
    )


def run_tests(device: str, end: float, *, quick: bool) -> int:
    """The tests whose name says the device, in this tree; 0 if they pass."""
    if not (REPOSITORY / "tests").is_dir():
        print("this rankbook is installed, not a clone with a folder tests/")
        return 2
    chosen = f"{device} and exact" if quick else device
    command = [
        sys.executable,
        "-m",
        "pytest",
        *(_TESTS[:1] if quick else _TESTS),
        "-k",
        chosen,
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:benchmark",  # it warns beside xdist, which is an error here
        "-W",
        _NOT_OURS,
    ]
    if importlib.util.find_spec("xdist") and not quick:
        command += ["-n", str(min(8, os.cpu_count() or 1)), "--dist", "load"]
    try:
        return subprocess.run(command, cwd=REPOSITORY, timeout=max(30.0, end - time.monotonic()), check=False).returncode
    except subprocess.TimeoutExpired:
        print("the tests did not end in time")
        return 1


if __name__ == "__main__":
    sys.exit(main())
