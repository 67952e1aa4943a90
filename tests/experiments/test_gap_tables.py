"""The tables of the gap: read at equal quality, made by the command, complete, and a line of each made again."""

import math

import pandas as pd
import pytest

from daily import dice
from rankbook.experiments.gap import __main__ as command
from rankbook.experiments.gap import gradients
from rankbook.experiments.gap.draws import SETS
from rankbook.experiments.gap.gradients import measure_gradients
from rankbook.experiments.gap.reading import at_equal_ap, named
from rankbook.experiments.gap.tables import MEASURED, TEST_SEEDS, Tables, chosen, run_shape, run_training
from rankbook.experiments.runs import key
from rankbook.experiments.tables import read_lines, stored_path, stored_table


def test_values_at_equal_quality_are_interpolated_for_each_training():
    lines = [
        {"data": "cub", "loss": loss, "batch": batch, "seed": 0, "share": share, "whole": whole, "gap@128": gap}
        for loss, batch, stages in (
            ("a", 128.0, ((0.25, 0.5, 0.3), (0.5, 0.7, 0.2), (1.0, 0.9, 0.1))),
            ("a", math.nan, ((0.25, 0.6, 0.2), (1.0, 0.8, 0.1))),
        )
        for share, whole, gap in stages
    ]
    table = pd.DataFrame(lines)
    found, level = at_equal_ap(table, "gap@128")
    assert level == pytest.approx(0.7) and found["value"].tolist() == pytest.approx([0.2, 0.15])
    assert named(found).tolist() == ["a, 128", "a, whole"]
    with pytest.raises(ValueError, match=r"between 0\.600 and 0\.800, got 0\.850"):
        at_equal_ap(table, "gap@128", 0.85)
    with pytest.raises(ValueError, match="one data set, got cub, emoji"):
        at_equal_ap(pd.concat([table, table.assign(data="emoji")]), "gap@128")


# --- the command ---


def test_one_seed_from_end_to_end(shelf, short, tmp_path, monkeypatch, capsys):
    """On a set whose three tables are small: resumed, complete, and what the list says."""
    tables = Tables("grocery", shelf, tmp_path)
    monkeypatch.setattr("rankbook.experiments.gap.tables.SHAPES", {"grocery": ((4, 2), (4, 3))})
    monkeypatch.setattr("rankbook.experiments.gap.tables.GRADIENTS", {"grocery": ("Smooth-AP",)})
    monkeypatch.setattr("rankbook.experiments.gap.tables.MEASURED", (16,))
    monkeypatch.setattr("rankbook.experiments.gap.tables.DRAWN", {16: 3})
    monkeypatch.setattr(gradients, "DRAWN", {16: 3, 128: 2})
    command.main(["grocery", "--root", str(shelf), "--seeds", "1", "--folder", str(tmp_path)])
    assert "seed 0 of grocery" in capsys.readouterr().out
    wanted = tables.wanted((0,))
    for name, lines in wanted.items():
        assert {line["config"] for line in read_lines(tmp_path / f"{name}.csv")} == {key(line) for line in lines}
    assert {line["way"] for line in wanted["gap_gradients"]} == {"batch", "memory", "stale memory"}
    tuning = pd.DataFrame([{"loss": "a", "batch": None, "lr": lr, "mAP@R": value} for lr, value in ((0.1, 0.5), (0.03, 0.6), (0.01, 0.6))])
    assert chosen(tuning) == {("a", None): 0.01}
    before = (tmp_path / "gap_training.csv").read_bytes()
    monkeypatch.setattr("rankbook.experiments.gap.tables.trained", lambda *args: pytest.fail("all is there"))
    tables.complete(0)
    assert (tmp_path / "gap_training.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cub"], "every other set needs it"),
        (["emoji", "--root", "x"], "takes no --root"),
        (["cub", "--root", "x"], "error: root must be a folder, such as 'CUB_200_2011', got x, which is missing"),
        (["emoji", "--jobs", "0"], "jobs must be a whole number of at least 1"),
    ],
)
def test_the_command_says_what_it_needs(arguments, said, capsys, tmp_path):
    with pytest.raises(SystemExit):
        command.main([*arguments, "--folder", str(tmp_path)])
    assert said in capsys.readouterr().err


def test_without_a_set_nothing_runs(capsys, tmp_path):
    command.main(["--folder", str(tmp_path)])
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [*SETS]


# --- what is stored ---


@pytest.mark.parametrize("data", SETS)
def test_stored_tables_are_complete(data):
    """Every line of every seed, and no other; values in their ranges."""
    for name, lines in Tables(data).wanted(TEST_SEEDS).items():
        held = [line for line in read_lines(stored_path(name)) if f'"data":"{data}"' in line["config"]]
        assert {line["config"] for line in held} == {key(line) for line in lines}
    assert len(TEST_SEEDS) >= 5
    test = stored_table("gap_training").query("data == @data and split == 'test'")
    for size in MEASURED:
        assert test[f"gap@{size}"].between(-0.2, 1).all() and test[f"perfect@{size}"].between(0, 1).all()
    assert test[["whole", "bad_positives", "bad_negatives", "mAP@R", "R@1"]].stack().between(0, 1).all()
    assert not set(stored_table("gap_training").query("split == 'validation'")["seed"]) & set(TEST_SEEDS)


@pytest.mark.parametrize(("name", "run"), [("gap_training", run_training), ("gap_shapes", run_shape), ("gap_gradients", measure_gradients)])
def test_a_stored_line_can_be_made_again(name, run):
    """Another one every day, of the bundled set and of batches of 128, which train within a second."""
    table = stored_table(name).query("data == 'emoji'")
    if name == "gap_training":
        table = table[(table["batch"] == 128) | (table["loss"] == "first weights")]
    names = list(Tables("emoji").wanted((0,))[name][0])
    line = dice(name).choice(table.to_dict("records"))
    config = {one: _as_configured(line[one]) for one in names}
    again = run(config, None)
    for measured in set(again) - {"cpu_seconds"}:
        wide = 0.02 if name != "gap_gradients" else max(0.02, 0.05 * abs(line[measured]))
        assert again[measured] == pytest.approx(line[measured], abs=wide), (config, measured)


def _as_configured(value):
    """A blank is None, and a whole number that stood in a column with blanks is one again."""
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    return value
