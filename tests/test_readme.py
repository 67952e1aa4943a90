"""The lines of the README run as they are printed, and print what it says."""

import re

import pandas as pd
import pytest
import torch

import rankbook as rb
from pages_of_book import ROOT
from pictures import write_pictures
from rankbook.archive import asset

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python)?\n(.*?)```", README, re.DOTALL)
(FIRST, PHOTOGRAPHS) = [code for language, code in BLOCKS if language == "python"]
(PRINTED,) = [text for language, text in BLOCKS if not language and "R@1" in text]


def run(code):
    names = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_the_first_lines_run(capsys):
    names = run(FIRST)
    assert names["embeddings"].grad.abs().sum() > 0
    assert 0 < float(re.search(r"tensor\(([\d.]+)\)", capsys.readouterr().out)[1]) < 1


def numbers(printed):
    """A table of pandas: name of a row, which may have blanks -> its numbers."""
    rows = [re.fullmatch(r"(\S.*?)((?:\s+\d\.\d+)+)\s*", line) for line in printed.splitlines()]
    return {row[1]: [float(value) for value in row[2].split()] for row in rows if row}


def test_photographs_become_a_table_of_losses(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "photos", classes=40)
    names = run(PHOTOGRAPHS)
    found = capsys.readouterr().out
    assert len(names["photos"]) == int(re.search(r"Of (\d+) pictures of 80 emoji", README)[1])
    assert not set(names["train"].labels.tolist()) & set(names["test"].labels.tolist())
    printed = numbers(PRINTED)
    assert set(printed) == set(names["table"]) and len(printed) == 4
    for name, row in numbers(found).items():  # another Pillow writes the pictures a little differently
        assert row == pytest.approx(printed[name], abs=0.03), found
    table = pd.DataFrame(names["table"])
    assert (table.drop(columns="no training").loc["AP"] > table["no training"]["AP"]).all()
    (cache,) = (tmp_path / "features").glob("*.safetensors")
    before = cache.stat().st_mtime_ns
    again = rb.datasets.features(names["encoder"], names["photos"], cache="features")
    assert torch.equal(again.inputs, names["data"].inputs) and cache.stat().st_mtime_ns == before


def test_fifteen_lines():
    lines = [line for line in PHOTOGRAPHS.splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 15


def test_the_times_are_those_of_the_stored_table():
    table = pd.read_csv(asset("results/bench_cuda.csv")).set_index(["what", "size"])
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| (too large|[\d.]+ ms) \| ([\d.]+) ms \| (\d+) MB \|$", README, re.MULTILINE)
    assert len(rows) == 5
    for name, size, plain, ours, memory in rows:
        line = table.loc[(name, "B={}, d=512".format(size.replace(",", "")))]
        assert line.device in README
        digits = len(ours.partition(".")[2])
        assert f"{line.milliseconds:.{digits}f}" == ours and f"{line.megabytes:.0f}" == memory
        assert plain == ("too large" if pd.isna(line.plain_milliseconds) else f"{line.plain_milliseconds:.0f} ms")
    (size, ratio) = re.search(r"At B = ([\d,]+) that is ([\d.]+) times", README).groups()
    for name in ("SmoothAPLoss", "SupAPLoss", "RecallAtKLoss"):
        key = (name, "B={}, d=512".format(size.replace(",", "")))
        assert f"{table.loc[key].over_floor:.1f}" == ratio
