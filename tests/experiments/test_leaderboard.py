"""The leaderboard is what the tables of the studies say."""

import pandas as pd
import pytest
from scipy import stats

from rankbook.experiments import leaderboard
from rankbook.experiments.__main__ import main
from rankbook.experiments.evidence import complete
from rankbook.experiments.parts import signature
from rankbook.experiments.tables import read_lines, stored_path, stored_table

BOARD = stored_table("leaderboard")
#: (network, set) -> its study, of those whose runs are all there.
STUDIES = {
    (network, one.data): one
    for network, study in leaderboard.protocols().items()
    for one in study.everywhere()
    if complete(one, stored_path(one.name).parent)
}
ids = pytest.mark.parametrize("place", STUDIES, ids=" ".join)


@pytest.fixture
def board(place):
    return BOARD[(BOARD["network"] == place[0]) & (BOARD["data"] == place[1])]


def test_the_stored_table_is_what_the_command_writes(tmp_path, capsys):
    for study in leaderboard.protocols().values():
        if stored_path(study.name).exists():
            (tmp_path / f"{study.name}.csv").write_bytes(stored_path(study.name).read_bytes())
    main(["leaderboard", "--folder", str(tmp_path)])
    path = tmp_path / "leaderboard.csv"
    assert capsys.readouterr().out.strip() == str(path)
    assert read_lines(path) == read_lines(stored_path("leaderboard")), f"run `{leaderboard.COMMAND}`"


def test_it_has_the_sets_whose_runs_are_there():
    assert set(zip(BOARD["network"], BOARD["data"], strict=True)) == set(STUDIES) and STUDIES


@ids
def test_every_loss_stands_once_by_each_metric(place, board):
    assert set(board["metric"]) == set(STUDIES[place].task.metrics)
    for _, lines in board.groupby("metric"):
        assert sorted(lines["loss"]) == sorted(STUDIES[place].contenders)
        assert (lines["standing"] == "best").sum() == 1 and lines["standing"].isin(["best", "tied", "behind"]).all()
        assert lines["mean"].is_monotonic_decreasing and lines["loss"].iloc[0] == lines["best"].iloc[0]


@ids
def test_a_line_is_what_its_runs_say(place, board):
    """Student's intervals of scipy, of the means and of the differences seed by seed."""
    study = STUDIES[place]
    runs = stored_table(study.name).query("split == 'test'")
    runs = runs[runs["task"] == signature(study.task)]
    for metric, here in board.groupby("metric"):
        wide = runs.pivot(index="seed", columns="loss", values=metric)
        best = wide.mean().idxmax()
        for loss, line in here.set_index("loss").iterrows():
            found = stats.ttest_1samp(wide[loss], 0).confidence_interval()
            assert [line["mean"], line["low"], line["high"]] == pytest.approx([wide[loss].mean(), found.low, found.high], rel=1e-4)
            assert line["best"] == best and line["seeds"] == len(wide)
            if loss == best:
                assert pd.isna(line["behind"]) and line["standing"] == "best"
                continue
            found = stats.ttest_1samp(wide[loss] - wide[best], 0).confidence_interval()
            assert [line["behind_low"], line["behind_high"]] == pytest.approx([found.low, found.high], rel=1e-3, abs=1e-6)
            assert line["standing"] == ("behind" if found.high < 0 else "tied")


@ids
def test_a_line_tells_the_setting_that_the_validation_items_chose(place, board):
    study = STUDIES[place]
    tuning = stored_table(study.name).query("split == 'validation'")
    tuning = tuning[(tuning["task"] == signature(study.task)) & (tuning["steps"] == study.steps)]
    for loss, setting in board.drop_duplicates("loss").set_index("loss")["setting"].items():
        line = tuning[tuning["loss"] == loss].sort_values(study.choose_by, ascending=False).iloc[0]
        assert f"lr {line['lr']:g}" in setting
        knob = next(iter(study.contenders[loss].grid))
        value = line[knob]
        assert (f"{knob} {value:g}" if isinstance(value, float) else knob) in setting
