"""The command line of the studies says what it would do, runs one, and reports it."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from experiments.test_study import COUNTED
from experiments.tiny import TINY, Counted
from rankbook.experiments import __main__ as command
from rankbook.experiments.parts import Contender
from rankbook.experiments.studies import studies
from rankbook.experiments.tables import read_table


@pytest.fixture
def known(monkeypatch):
    third = replace(COUNTED, name="third", contenders={"third": Contender(torch.nn.Identity)}, beside=COUNTED)
    monkeypatch.setattr(command, "studies", lambda: {"counted": COUNTED, "third": third})


def test_the_list_names_every_study_and_its_cost(capsys):
    command.main([])
    said = capsys.readouterr().out
    for name, study in studies().items():
        there, total, _ = study.progress()
        assert f"{name}: {study.question}" in said
        assert all(f"    {one.data}: " in said for one in study.everywhere())
        assert f"{there} of {total} runs are stored (" in said


def test_the_list_starts_nothing(known, tmp_path, capsys):
    command.main(["--folder", str(tmp_path)])
    assert "0 of 22 runs are stored; none is timed yet" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_study_is_run_told_and_compared(known, tmp_path, capsys):
    """Without the study that it stands beside it says so; with it the differences are those of both."""
    command.main(["third", "--folder", str(tmp_path)])
    said = capsys.readouterr().out
    assert str(tmp_path / "third.csv") in said
    assert "no comparison: counted.csv" in said
    command.main(["counted", "--folder", str(tmp_path)])
    assert "other   one" in capsys.readouterr().out
    command.main(["third", "--folder", str(tmp_path)])
    said = capsys.readouterr().out
    assert "11 of 11 runs are stored (" in said
    assert "third   one" in said
    assert len(read_table(tmp_path / "third.csv")) == 11


def test_what_is_left_is_estimated_from_what_is_stored(known, tmp_path):
    COUNTED.complete(tmp_path)
    path = tmp_path / "counted.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if '""seed"":2' not in line) + "\n")
    assert "20 of 22 runs are stored; the other 2 take about 0 CPU minutes (0 CPU minutes)" in command.cost(COUNTED, tmp_path)


def test_an_installed_package_must_be_told_where_to_write(known, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("rankbook.experiments.tables.REPOSITORY", tmp_path)
    with pytest.raises(SystemExit):
        command.main(["counted"])
    assert "say where to write: --folder FOLDER" in capsys.readouterr().err


def test_a_study_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["smooth_aq"])
    assert "smooth_ap" in capsys.readouterr().err


def test_a_set_of_the_reader_needs_its_folder(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "studies", lambda: {"tiny": TINY})
    with pytest.raises(SystemExit):
        command.main(["tiny", "--data", "noisy", "--folder", str(tmp_path)])
    assert "noisy does not come with the package; say where it is: --root DIR" in capsys.readouterr().err
    (tmp_path / "noise.txt").write_text("0.3")
    command.main(["tiny", "--data", "noisy", "--root", str(tmp_path), "--seeds", "3", "--folder", str(tmp_path)])
    said = capsys.readouterr().out
    assert "tiny, noisy: Does it run?" in said
    assert len(read_table(tmp_path / "tiny.csv").query("split == 'test'")) == 6


def test_a_set_that_is_drawn_needs_no_folder(monkeypatch, tmp_path):
    drawn = replace(COUNTED, sets={"drawn": Counted(fails=99)})
    monkeypatch.setattr(command, "studies", lambda: {"counted": drawn})
    command.main(["counted", "--data", "drawn", "--folder", str(tmp_path)])
    assert len(read_table(tmp_path / "counted.csv")) == drawn.on("drawn").progress(tmp_path)[1]
    assert drawn.on("drawn").command == "python -m rankbook.experiments counted --data drawn"
    assert drawn.on("drawn").at_hand and not TINY.on("noisy").at_hand


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--root", "."], r"the task on emoji takes no root, got \.; leave it out, or say --data noisy"),
        (["--data", "noisy", "--root", "{empty}"], r"noise\.txt'\nin the run of {\"loss\":\"Smooth-AP\""),
        (["--jobs", "0"], "jobs must be a whole number of at least 1, got 0"),
        (["--folder", "{file}"], "cannot write .*; choose another path"),
    ],
)
def test_a_mistake_of_the_reader_is_a_line_and_no_traceback(arguments, said, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "studies", lambda: {"tiny": TINY})
    (tmp_path / "empty").mkdir(), (tmp_path / "file").write_text("")
    places = {"empty": str(tmp_path / "empty"), "file": str(tmp_path / "file")}
    given = [one.format(**places) for one in arguments]
    with pytest.raises(SystemExit, match="2"):
        command.main(["tiny", *([] if "--folder" in given else ["--folder", str(tmp_path)]), *given])
    assert re.search("error: .*" + said, capsys.readouterr().err, re.DOTALL)


def test_one_seed_is_told_without_an_interval(known, tmp_path, capsys):
    """The first thing that one tries on a set of one's own."""
    command.main(["counted", "--seeds", "1", "--folder", str(tmp_path)])
    said = capsys.readouterr().out
    assert "one test seed has no interval" in said and re.search(r"one +\d\.\d+", said)
    assert len(read_table(tmp_path / "counted.csv").query("split == 'test'")) == 2


def test_an_interruption_says_how_to_go_on_and_the_command_does(known, tmp_path, monkeypatch, capsys):
    fit, runs = Counted.fit, []

    def stopped(self, loss, *, lr, steps, seed):
        runs.append(seed)
        if len(runs) == 5:
            raise KeyboardInterrupt
        return fit(self, loss, lr=lr, steps=steps, seed=seed)

    monkeypatch.setattr(Counted, "fit", stopped)
    with pytest.raises(SystemExit, match="130"):
        command.main(["counted", "--folder", str(tmp_path)])
    assert "interrupted; what was done is stored, and the same command goes on" in capsys.readouterr().err
    assert len(read_table(tmp_path / "counted.csv")) == 4
    command.main(["counted", "--folder", str(tmp_path)])
    assert len(runs) == 5 + 18 and "4 of 22 runs are stored" in capsys.readouterr().out


def test_who_reads_no_further_sees_no_error():
    """As in `... | head -1`."""
    code = (
        "import argparse\nfrom rankbook.experiments.command import told\n"
        "with told(argparse.ArgumentParser()):\n    while True:\n        print('a line', flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == f"a line{os.linesep}".encode()
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait(60) == 1
