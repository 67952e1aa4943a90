"""The table of evidence is what the tables of the studies say, all of it."""

import pandas as pd
import pytest

from pages_of_book import documents
from rankbook.experiments import evidence
from rankbook.experiments.__main__ import main
from rankbook.experiments.studies import studies
from rankbook.experiments.tables import read_lines, stored_path, stored_table
from rankbook.statistics import interval


def test_the_stored_table_is_what_the_command_writes(tmp_path, capsys):
    for study in studies():
        (tmp_path / f"{study}.csv").write_bytes(stored_path(study).read_bytes())
    main(["evidence", "--folder", str(tmp_path)])
    path = tmp_path / "evidence.csv"
    assert capsys.readouterr().out.strip() == str(path)
    assert read_lines(path) == read_lines(stored_path("evidence")), f"run `{evidence.COMMAND}`"
    assert all(line["seal"] for line in read_lines(path))


def test_a_line_is_the_paired_difference_of_its_runs():
    table = stored_table("evidence")
    line = table.query("study == 'smooth_ap' and loss == 'multi-similarity' and rival == 'Smooth-AP' and metric == 'AP'").iloc[0]
    runs = stored_table("smooth_ap").query("split == 'test'").pivot(index="seed", columns="loss", values="AP")
    again = interval(runs["multi-similarity"] - runs["Smooth-AP"])
    assert [line[name] for name in ("mean", "low", "high")] == pytest.approx([again[name] for name in ("mean", "low", "high")], rel=1e-5)
    assert line["seeds"] == again["runs"] == 10


def test_splits_that_share_items_have_wider_intervals():
    study = studies()["memorability"]
    wanted = "study == 'memorability' and data == 'emoji' and rival == 'RankNet' and loss == 'L1' and metric == 'Spearman'"
    line = stored_table("evidence").query(wanted).iloc[0]
    runs = study.results().test.pivot(index="seed", columns="loss", values="Spearman")
    again = interval(runs["L1"] - runs["RankNet"], overlap=1 / 3)
    assert [line[name] for name in ("mean", "low", "high")] == pytest.approx([again[name] for name in ("mean", "low", "high")], rel=1e-5)


def test_every_pair_of_losses_that_shared_a_study_stands_there_once():
    table = stored_table("evidence")
    pairs = [frozenset(pair) for pair in table[["loss", "rival"]].to_numpy()]
    names = zip(table["study"], table["data"], pairs, table["metric"], strict=True)
    assert not pd.Series(list(names)).duplicated().any()
    for study in (one for named in studies().values() for one in named.everywhere()):
        own, beside = len(study.contenders), 0 if study.beside is None else len(study.beside.contenders)
        expected = (own * (own - 1) // 2 + own * beside) * len(study.task.metrics)
        assert ((table["study"] == study.name) & (table["data"] == study.data)).sum() == expected > 0


def test_every_study_names_its_chapter():
    assert {f"book/{study.chapter}" for study in studies().values()} <= set(documents())


def test_a_changed_digit_is_noticed(tmp_path):
    path = tmp_path / "evidence.csv"
    text = stored_path("evidence").read_text("utf-8")
    path.write_text(text.replace("0.0", "0.1", 1), "utf-8")
    with pytest.raises(ValueError, match="is damaged: line 2"):
        read_lines(path)
