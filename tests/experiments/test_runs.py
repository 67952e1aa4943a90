"""A table of runs is filled in any order, by any number of processes, through kills and failures, and nothing in it is ever lost."""

import json
import multiprocessing
import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from experiments import tiny
from rankbook.experiments.runs import fill, found, key, one_thread
from rankbook.experiments.tables import read_lines, read_table


def square(config):
    return {"AP": config["x"] ** 2, "word": f"x{config['x']}"}


def failing(config):
    if config["x"] in (1, 2):
        raise ZeroDivisionError("bad luck")
    return square(config)


def lasting(config):
    if config["x"]:
        time.sleep(60)
    return square(config)


def signed(config, by):
    return square(config) | {"by": by}


def configs(*values):
    return [{"x": x, "knob": (1, None)} for x in values]


# ------------------------------------------------------------------ keys


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 15}, {"a": 15.0}),
        ({"a": 0.1}, {"a": np.float64(0.1)}),
        ({"a": 3}, {"a": np.int64(3)}),
        ({"a": (1, 2)}, {"a": [1, 2]}),
    ],
)
def test_equal_configurations_share_a_key(one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 0.1}, {"a": 0.1 + 1e-17 + 2e-17}),
        ({"a": 0.3}, {"a": 0.1 + 0.2}),  # one unit in the last place
        ({"a": None}, {}),
        ({"a": None}, {"a": "None"}),
        ({"a": (1, 2)}, {"a": (2, 1)}),
        ({"a": "1"}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}),
    ],
)
def test_other_configurations_have_other_keys(one, other):
    assert (key(one) == key(other)) == (one == other)


@pytest.mark.parametrize("x", [1e-4, 6e-4, 1 / 3, 1e-300, 1e300, 2**53 + 1, -0.0, True])
def test_a_key_is_exact(x):
    assert json.loads(key({"a": x}))["a"] == x


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor(1.0), {1: 2}, {1, 2}, print])
def test_a_key_refuses_what_has_no_exact_form(value):
    with pytest.raises((TypeError, ValueError), match=r"config\['a'\]\[0\] must be"):
        key({"a": (value,)})


# ------------------------------------------------------------------ filling


def test_only_what_is_missing_runs_and_nothing_is_deleted(tmp_path):
    path, calls = tmp_path / "new" / "t.csv", []

    def run(config):
        calls.append(config["x"])
        return square(config)

    first = fill(path, configs(3, 1), run)
    assert list(first["x"]) == [3, 1]
    assert list(first["AP"]) == [9, 1]
    both = fill(path, configs(1, 2, 3), run)
    assert calls == [3, 1, 2]
    assert list(both["AP"]) == [1, 4, 9]
    before = path.read_bytes()
    assert fill(path, configs(2), run).to_dict("records") == both.iloc[[1]].to_dict("records")
    assert path.read_bytes() == before, "asking for less deletes nothing"
    assert len(read_table(path)) == 3
    pd.testing.assert_frame_equal(found(path, configs(1, 2, 3)), both)


def test_a_line_of_others_stays_to_the_last_digit(tmp_path):
    """Digits that no float would give back, a column that our runs do not have, and no seal."""
    path = tmp_path / "t.csv"
    path.write_text('config,AP,note\n"{""knob"":[1,null],""x"":1}",0.30000000000000000001,by hand\n')
    fill(path, configs(0, 1, 2), square)
    (line,) = (line for line in read_lines(path) if line["note"])
    assert (line["AP"], line["note"]) == ("0.30000000000000000001", "by hand")
    assert list(read_table(path)["x"]) == [0, 1, 2]


def test_who_comes_second_leaves_the_line_of_the_first(tmp_path):
    """Another process stores the same configuration while we compute it."""
    path = tmp_path / "t.csv"

    def slow(config):
        fill(path, configs(1), lambda config: {"AP": 0.5})
        return {"AP": 0.7}

    table = fill(path, configs(1), slow)
    assert list(table["AP"]) == [0.5]
    assert len(read_table(path)) == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_keeps_what_was_done_and_is_named(tmp_path, jobs):
    path = tmp_path / "t.csv"
    with pytest.raises(ZeroDivisionError, match="bad luck") as caught:
        fill(path, configs(0, 1, 2), failing, jobs=jobs)
    assert caught.value.__notes__[0].startswith('in the run of {"knob":[1,null],"x":')
    assert list(read_table(path)["x"]) == [0]
    assert list(fill(path, configs(0, 1, 2), square)["AP"]) == [0, 1, 4]


def test_an_interruption_ends_every_process_and_keeps_what_was_done(tmp_path):
    """Ctrl-C while a worker is in the middle of a long run: nobody waits for it."""
    path = tmp_path / "t.csv"

    def interrupt():
        while not path.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    start, before = time.monotonic(), set(multiprocessing.active_children())
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process that was started in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            fill(path, configs(0, 1, 2), lasting, jobs=2)
    finally:
        signal.signal(signal.SIGINT, usual)
    while set(multiprocessing.active_children()) - before:
        assert time.monotonic() - start < 55, "somebody waits"
        time.sleep(0.05)
    assert list(read_table(path)["x"]) == [0]


def test_processes_give_what_one_gives(tmp_path):
    """To the byte: the order of completion leaves no trace. Real trainings, whose sums depend on the number of threads."""
    wanted = [
        {"loss": "Smooth-AP", "tau": tau, "lr": 0.01, "seed": seed, "steps": 5, "split": "test"} for tau in (0.1, 0.03) for seed in (0, 1)
    ]
    frames = [fill(tmp_path / f"{jobs}.csv", wanted, tiny.TINY.run, jobs=jobs) for jobs in (1, 2)]
    one, two = (frame.drop(columns="cpu_seconds") for frame in frames)
    pd.testing.assert_frame_equal(one, two)
    assert one["AP"].nunique() == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the other process is forked, which this system cannot")
def test_two_writers_at_once_lose_nothing_and_a_kill_leaves_whole_lines(tmp_path):
    """Another process writes line after line until it is killed; meanwhile we write ours, some of which it wants too."""
    path = tmp_path / "t.csv"
    context = multiprocessing.get_context("fork")
    writer = context.Process(target=fill, args=(path, configs(*range(30, 10_000)), partial(signed, by="them")), daemon=True)
    writer.start()
    try:
        while not path.exists():
            assert writer.is_alive()
            time.sleep(0.01)
        ours = fill(path, configs(*range(20, 36), *range(9_000, 9_010)), partial(signed, by="us"))
        assert writer.is_alive(), "it was still at work"
        while (read_table(path)["by"] == "them").sum() <= 10:  # on a busy machine its turns come late
            assert writer.is_alive()
            time.sleep(0.05)
    finally:
        writer.kill()
        writer.join()
    table = read_table(path)
    assert set(ours["x"]) <= set(table["x"])
    assert (table["AP"] == table["x"] ** 2).all()
    assert not table["x"].duplicated().any()
    assert (table["by"].value_counts() > 10).all() and set(table["by"]) == {"us", "them"}
    assert len(fill(path, configs(*table["x"], -1), square)) == len(table) + 1


def test_a_result_may_not_hide_its_configuration(tmp_path):
    with pytest.raises(ValueError, match="got x in both"):
        fill(tmp_path / "t.csv", configs(1), lambda config: {"x": 2})


def test_a_table_of_something_else_is_not_overwritten(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="no table of runs: it has no column 'config'"):
        fill(path, configs(1), square)
    path.write_text("config,b\n1\n")
    with pytest.raises(ValueError, match="damaged: line 2"):
        fill(path, configs(1), square)
    assert path.read_text() == "config,b\n1\n"


def test_a_path_that_cannot_be_written_shows_before_the_first_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        fill(tmp_path / "file" / "t.csv", configs(1), lambda config: pytest.fail("it ran"))


def test_a_line_that_is_not_stored_is_named(tmp_path):
    fill(tmp_path / "t.csv", configs(1), square)
    with pytest.raises(ValueError, match=r'has no line of \{"knob":\[1,null\],"x":2\}'):
        found(tmp_path / "t.csv", configs(1, 2))


def test_one_thread_is_restored():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
