"""Stored tables are found, read as they were written, and changed by one writer at a time."""

import re
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from rankbook.archive import asset
from rankbook.experiments.studies import studies
from rankbook.experiments.tables import data_folder, read_lines, read_table, stored_table, write_table

STORED = sorted(path.stem for path in asset("results").glob("*.csv"))


@pytest.mark.parametrize("name", STORED)
def test_every_stored_table_is_read_and_explained(name):
    """Typed columns, no line twice; the table of a study, or one of which the README says what made it."""
    table = stored_table(name)
    assert len(table) > 3
    assert not table.astype(str).duplicated().any()
    assert "config" not in table
    assert table.select_dtypes("number").shape[1] >= 1
    assert name in studies() or f"`{name}.csv`" in asset("results/README.md").read_text("utf-8")


def test_the_readme_explains_no_table_that_is_not_there():
    named = re.findall(r"`(\w+)\.csv`", asset("results/README.md").read_text("utf-8"))
    assert set(named) <= {"NAME", *STORED}


def test_a_table_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv is missing; `python -m rankbook.experiments` lists"):
        stored_table("nothing")
    with pytest.raises(FileNotFoundError, match=r"t\.csv is missing"):
        read_table(tmp_path / "t.csv")


def test_a_part_replaces_its_own_lines_only(tmp_path):
    """Lines of others stay to the last digit, whatever wrote them."""
    path = tmp_path / "t.csv"
    path.write_text("step,error,sorter\n1,0.10000000000000001,a\n1,0.2,c\n2,0.30,c\n")
    write_table(pd.DataFrame({"step": [1], "error": [1 / 3], "sorter": "b"}), path, part="sorter")
    write_table(pd.DataFrame({"step": [5], "error": [0.5], "sorter": "c"}), path, part="sorter")
    lines = [line.rpartition(",")[0] for line in path.read_text().splitlines()]  # without the seal
    assert lines == ["step,error,sorter", "1,0.10000000000000001,a", "1,0.333333,b", "5,0.5,c"]
    write_table(pd.DataFrame({"step": [7]}), path)
    assert read_table(path).to_dict("list") == {"step": [7]}


@pytest.mark.parametrize("name", STORED)
def test_a_stored_number_that_someone_changes_is_noticed(name, tmp_path):
    """Any digit of any line: here the last one of the middle line, after the configuration."""
    lines = (asset("results") / f"{name}.csv").read_text("utf-8").splitlines(keepends=True)
    assert all(line["seal"] for line in read_lines(asset("results") / f"{name}.csv"))
    at = len(lines) // 2
    digit = re.search(r"\d(?=,[^,]*,)", lines[at][lines[at].rfind("}") + 1 :])
    place = lines[at].rfind("}") + 1 + digit.start()
    other = lines[at][:place] + str((int(lines[at][place]) + 1) % 10) + lines[at][place + 1 :]
    path = tmp_path / f"{name}.csv"
    path.write_text("".join(lines), "utf-8")
    read_table(path)
    path.write_text("".join([*lines[:at], other, *lines[at + 1 :]]), "utf-8")
    with pytest.raises(ValueError, match=f"line {at + 1} is not as it was made"):
        read_table(path)


def test_writers_of_parts_at_once_lose_nothing(tmp_path):
    path = tmp_path / "t.csv"
    tables = [pd.DataFrame({"step": [1, 2], "sorter": f"s{i:02}"}) for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda table: write_table(table, path, part="sorter"), tables))
    pd.testing.assert_frame_equal(read_table(path), pd.concat(tables, ignore_index=True))


def test_a_table_is_written_where_one_says_or_in_the_clone(tmp_path, monkeypatch):
    assert data_folder("results", tmp_path) == tmp_path
    assert data_folder("results") == asset("results")
    monkeypatch.setattr("rankbook.experiments.tables.REPOSITORY", tmp_path)
    with pytest.raises(ValueError, match="installed, not a clone"):
        data_folder("results")
