"""The script for a GPU runs here too, whole and at tiny sizes, and measures what it says."""

import subprocess

import pandas as pd
import pytest
import torch

import rankbook as rb
from rankbook.advice import pack
from rankbook.experiments.benchmarks import gpu, gpu_measures, gpu_rows
from rankbook.experiments.tables import read_table, stored_table


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """One run of the whole script; the tests that it starts are written down, not run."""
    folder, started = tmp_path_factory.mktemp("gpu"), []
    with pytest.MonkeyPatch.context() as patch:
        run = lambda command, **more: started.append(command) or subprocess.CompletedProcess(command, 5)  # noqa: E731
        patch.setattr(gpu.subprocess, "run", run)
        assert gpu.main(["--device", "cpu", "--quick", "--folder", str(folder)]) == 5
    (command,) = started
    assert command[3] == "tests/test_devices.py" and "cpu and exact" in command
    return read_table(folder / "bench_cuda.csv")


def test_a_line_for_each_loss_ranker_and_size(table):
    sizes = gpu_rows.QUICK
    names = [make.__name__ for make in gpu_rows.MAIN]
    batches = table[table["what"].isin(names)]
    assert len(batches) == len(names) * len(sizes.batches) * len(sizes.dimensions)
    assert set(table["what"]) == {*names, *(make.__name__ for make in gpu_rows.OTHERS), *gpu_rows.RANKERS, "evaluate_retrieval"}
    assert (table["milliseconds"] > 0).all() and (table["floor_milliseconds"] > 0).all()
    assert table["over_floor"].to_numpy() == pytest.approx((table["milliseconds"] / table["floor_milliseconds"]).to_numpy(), rel=1e-4)
    assert set(table.loc[table["plain_milliseconds"].notna(), "size"]) == {"B=16, d=8"}
    assert set(table["device"]) == {"cpu"}


def test_the_page_reads_either_table(table):
    """Costs at the largest dimension, by size, of a table with one dimension as of the stored one, which has two."""
    evidence, board = stored_table("evidence"), stored_table("leaderboard")
    table = table.assign(megabytes=1.0)  # the CPU's memory is not measured
    two = pd.concat([table, table.assign(size=table["size"].str.replace("d=8", "d=4"), milliseconds=-1.0)], ignore_index=True)
    assert pack(evidence, two, board)["costs"] == pack(evidence, table, board)["costs"]
    stored = pack(evidence, stored_table("bench_cuda"), board)
    assert stored["dimension"] == 512 and [line[0] for line in stored["costs"]["SmoothAPLoss"]] == [1024, 4096, 16384, 65536]


def test_the_work_is_that_of_the_loss():
    loss, seen = rb.SmoothAPLoss(), []
    work = gpu_rows.step(lambda x, y: seen.append((x, y)) or loss(x, y), 16, 8, "cpu")
    work(), work()
    (x, labels), _ = seen
    assert x.shape == (16, 8) and labels.bincount().tolist() == [4] * 4 and not torch.equal(labels, labels.sort().values)
    assert torch.equal(x.grad, torch.autograd.grad(loss(x, labels), x)[0])  # of one pass, not of the sum of two


def test_time_is_the_median_of_calls_after_one_that_warms_up(monkeypatch):
    """Three calls of 3, 1 and 2 ms; a call of a second is repeated less often."""
    monkeypatch.setattr(gpu_measures.torch.cuda, "is_available", lambda: False)
    for first, times, expected in ((0.1, (3, 1, 2), 2), (1.0, (3, 1, 2), 2), (9.0, (5,), 5)):
        ticks = iter([0.0, first, *(tick for time in times for tick in (0.0, time / 1000))])
        calls = []
        monkeypatch.setattr(gpu_measures.time, "perf_counter", lambda ticks=ticks: next(ticks))
        assert gpu_measures.milliseconds(lambda calls=calls: calls.append(1), repeat=3) == pytest.approx(expected)
        assert len(calls) == 1 + len(times)


def test_checks_are_off_in_unchecked_work():
    seen = []
    work = lambda: seen.append(rb.checks.reads_values(torch.zeros(1)))  # noqa: E731
    gpu_measures.unchecked(work)(), work()
    assert seen == [False, True]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_script_asks_for_a_device_and_never_writes_tiny_sizes_over_the_table(capsys):
    for arguments, said in (
        ([], "torch sees no CUDA device"),
        (["--device", "cpu", "--quick"], "--folder"),
        (["--device", "cpu"], "--folder"),
        (["tables"], "no part tables; there are bench, tests"),
    ):
        with pytest.raises(SystemExit):
            gpu.main(arguments)
        assert said in capsys.readouterr().err


def test_what_is_measured_stays_when_the_memory_or_the_time_is_short(tmp_path, monkeypatch, capsys):
    line = gpu_rows.Line("a", "B=1, d=1", *[1.0] * 8)

    def short():
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(gpu, "jobs", lambda sizes, device: iter([("one", lambda: line), ("two", short), ("three", lambda: line)]))
    gpu.bench(gpu_rows.QUICK, "cpu", tmp_path / "bench_cuda.csv", end=float("inf"))
    assert len(read_table(tmp_path / "bench_cuda.csv")) == 2
    assert "two: left out, it does not fit the memory" in capsys.readouterr().out
    gpu.bench(gpu_rows.QUICK, "cpu", tmp_path / "late.csv", end=0)
    assert not (tmp_path / "late.csv").exists() and "three: left out, the time is up" in capsys.readouterr().out
