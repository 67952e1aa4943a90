"""A study tunes on validation classes, chooses by the mean over seeds, is judged once a seed; and refuses to be unfair."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

import rankbook as rb
from experiments.tiny import TINY, Counted, clusters
from rankbook.experiments.parts import Contender, signature
from rankbook.experiments.tables import read_table
from rankbook.experiments.tasks.hierarchical import HierarchicalRetrieval
from rankbook.experiments.tasks.retrieval import Retrieval

COUNTED = replace(
    TINY,
    name="counted",
    task=Counted(),
    sets={},
    contenders={"one": Contender(torch.nn.Identity), "other": Contender(torch.nn.Identity)},
    choose_by="AP",
    reference="one",
    tuning_seeds=(100, 101),
    test_seeds=(0, 1, 2),
)


def test_a_study_from_end_to_end(tmp_path):
    """Every part of the table; then one line again, and nothing left to do."""
    found = TINY.complete(tmp_path)
    assert found.tuning.groupby("loss").size().to_dict() == {"Smooth-AP": 4, "two knobs": 4}
    assert set(found.lengths["steps"]) == {2, 4, 8}
    assert found.test.groupby("loss")["seed"].apply(list).to_dict() == {"Smooth-AP": [0, 1], "two knobs": [0, 1]}
    for runs, split in ((found.tuning, "validation"), (found.lengths, "validation"), (found.test, "test")):
        assert set(runs["split"]) == {split}
        assert set(runs["task"]) == {"Retrieval(load=clusters, classes=8, outputs=8)"}
        assert ((runs[[*TINY.task.metrics]] > 0) & (runs[[*TINY.task.metrics]] <= 1)).all(axis=None)
    for loss, setting in found.chosen.items():
        for runs in (found.lengths, found.test):
            for knob in ("tau", "lr"):
                assert set(runs.loc[runs["loss"] == loss, knob]) == {setting[knob]}
    line = found.line("two knobs", 1)
    again = TINY.run(line)
    for metric in TINY.task.metrics:
        assert again[metric] == pytest.approx(line[metric], rel=1e-5)
    before = (tmp_path / "tiny.csv").read_bytes()
    for one, other in zip(TINY.complete(tmp_path)[:3], found[:3], strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert TINY.results(tmp_path).chosen == found.chosen
    assert (tmp_path / "tiny.csv").read_bytes() == before


class Knob(torch.nn.Identity):
    def __init__(self, k):
        super().__init__()
        self.k = k


class Judged(Counted):
    """The metric is the knob of the loss: AP 0.2 for None, 0.5 for a tuple of two, 0.1 for the rest."""

    def fit(self, loss, *, lr, steps, seed):
        return torch.nn.Linear(1, 1), {None: 0.2, (1, 2): 0.5}.get(loss.k, 0.1)


@pytest.mark.parametrize(("values", "best"), [((None, (1,)), None), (((1, 2), None, 3), (1, 2)), ((3, None), None)])
def test_knobs_that_are_tuples_and_none_are_chosen_and_found_again(tmp_path, values, best):
    """A table gives lists for tuples and may give NaN for None; the study gives back what the grid says."""
    contenders = {"one": Contender(Knob, {"k": values}), "other": Contender(Knob, {"k": values[::-1]})}
    study = replace(COUNTED, task=Judged(), contenders=contenders, grid={"lr": (0.1,)})
    for found in (study.complete(tmp_path), study.results(tmp_path)):
        for loss in contenders:
            assert found.chosen[loss] == {"k": best, "lr": 0.1}
            line = found.line(loss, 0)
            assert study.loss(line).k == best
            assert type(study.loss(line).k) is type(best)
            assert study.run(line)["AP"] == line["AP"]
        losses = [study.loss(line) for line in found.tuning.to_dict("records")]
        assert [loss.k for loss in losses[::2]] == [*values, *values[::-1]]


def test_a_setting_outside_of_the_grid_may_be_tried():
    line = {"loss": "Smooth-AP", "tau": 0.07, "lr": 0.01, "seed": 0, "steps": 2, "split": "test"}
    assert TINY.loss(line).tau == 0.07
    assert TINY.run(line)["AP"] > 0


def test_other_budgets_and_seeds_add_lines_and_delete_none(tmp_path):
    COUNTED.complete(tmp_path)
    lines = len(read_table(tmp_path / "counted.csv"))
    fewer = replace(COUNTED, test_seeds=(1, 7), budgets=())
    found = fewer.complete(tmp_path)
    assert set(found.test["seed"]) == {1, 7}
    assert found.lengths.empty
    assert len(read_table(tmp_path / "counted.csv")) == lines + 2


def test_lines_of_another_task_are_not_taken_for_ours(tmp_path):
    """A study whose task changes runs anew, beside the old lines."""
    COUNTED.complete(tmp_path)
    changed = replace(COUNTED, task=Counted(fails=99))
    with pytest.raises(ValueError, match=r"has no line of .*Counted\(fails=99\)"):
        changed.results(tmp_path)
    assert signature(Retrieval()) != signature(HierarchicalRetrieval())
    assert signature(Retrieval(load=clusters)) == "Retrieval(load=clusters)"
    assert signature(Retrieval(classes=32)) == "Retrieval()"


def test_the_choice_is_the_best_mean_over_the_tuning_seeds():
    """One lucky seed does not win; lines of others do not count."""
    lines = [
        ("one", 0.01, 100, 0.9),
        ("one", 0.01, 101, 0.1),
        ("one", 0.001, 100, 0.6),
        ("one", 0.001, 101, 0.6),
        ("other", 0.01, 100, 0.3),
        ("other", 0.01, 101, 0.3),
        ("other", 0.001, 100, 0.2),
        ("other", 0.001, 101, 0.2),
    ]
    tuning = pd.DataFrame(lines, columns=["loss", "lr", "seed", "AP"])
    assert COUNTED.choose(tuning) == {"one": {"lr": 0.001}, "other": {"lr": 0.01}}


def test_a_killed_study_goes_on(tmp_path):
    """A run of the test part fails: what was tuned stays, and only the rest runs."""
    with pytest.raises(RuntimeError, match="seed 1 fails") as caught:
        replace(COUNTED, task=Counted(fails=1)).complete(tmp_path)
    assert '"seed":1' in caught.value.__notes__[0]
    # 8 of tuning, 8 of the budgets, and the first seed of the first contender
    assert replace(COUNTED, task=Counted(fails=1)).progress(tmp_path)[:2] == (17, 22)


def test_progress_tells_what_is_there(tmp_path):
    assert COUNTED.progress(tmp_path) == (0, 22, 0)
    COUNTED.complete(tmp_path)
    there, total, seconds = COUNTED.progress(tmp_path)
    assert there == total == 22
    assert 0 < seconds < 10


def test_a_profile_is_the_best_over_the_other_knobs(tmp_path):
    """By hand from the lines; the lengths hold the chosen setting at the study's own steps, which the tuning ran."""
    found = TINY.complete(tmp_path)
    ours = found.tuning[found.tuning["loss"] == "Smooth-AP"]
    profile = TINY.profile(found.tuning, "Smooth-AP", "tau")
    assert profile.to_dict() == {tau: ours.loc[ours["tau"] == tau, "mAP@R"].max() for tau in (0.03, 0.1)}
    assert profile.idxmax() == found.chosen["Smooth-AP"]["tau"]
    full = found.lengths[(found.lengths["loss"] == "Smooth-AP") & (found.lengths["steps"] == TINY.steps)]
    assert full["mAP@R"].tolist() == [profile.max()]


def test_lines_stand_beside_those_of_another_study(tmp_path):
    """The other study's lines come first and are not run again; without them the error says what to do."""
    third = replace(COUNTED, name="third", contenders={"third": Contender(torch.nn.Identity)}, beside=COUNTED)
    third.complete(tmp_path)
    with pytest.raises(ValueError, match=r"counted\.csv has no line of .*run the study first"):
        third.compared(tmp_path)
    COUNTED.complete(tmp_path)
    assert third.compared(tmp_path)["loss"].unique().tolist() == ["one", "other", "third"]
    moved = replace(third, grid={"lr": tuple(10 * lr for lr in COUNTED.grid["lr"])})  # as many values, others
    assert len(moved.complete(tmp_path).tuning) == len(third.results(tmp_path).tuning)


def test_a_line_that_is_not_stored_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"of a test line \(one, other\), got 'one', 9"):
        COUNTED.complete(tmp_path).line("one", 9)


def test_a_metric_that_is_not_finite_is_no_result():
    line = {"loss": "one", "lr": 1.0, "steps": 1, "seed": 0, "split": "test"}
    assert COUNTED.run(line)["AP"] == 2
    with pytest.raises(FloatingPointError, match="AP is nan; every metric must be finite"):
        COUNTED.run(line | {"split": "broken"})


SMOOTH_AP = TINY.contenders["Smooth-AP"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"contenders": {"a": Contender(rb.SmoothAPLoss), "Smooth-AP": Contender(rb.SmoothAPLoss, {"tau": (1, 2)})}},
            "grids of one size, got",
        ),
        ({"contenders": {"Smooth-AP": Contender(rb.SmoothAPLoss, {"lr": (1, 2)})}}, "the knobs of 'Smooth-AP' must have other names"),
        ({"contenders": {"Smooth-AP": Contender(rb.SmoothAPLoss, {"seed": (1, 2)})}}, "other names than .*seed, .*got seed"),
        ({"tuning_seeds": (0, 100)}, r"must be disjoint, both have \[0\]"),
        ({"choose_by": "mAP"}, "choose_by must be one of R@1, R@10, mAP@R, AP, got 'mAP'"),
        ({"reference": "nobody"}, "reference must be one contender"),
        ({"beside": TINY, "name": "b", "contenders": {"c": SMOOTH_AP}, "steps": 5}, "agree in steps .*'tiny'"),
        ({"beside": TINY, "name": "b", "contenders": {"c": SMOOTH_AP}, "test_seeds": (0, 2)}, "agree in test_seeds"),
        (
            {"beside": TINY, "contenders": {"c": Contender(rb.SmoothAPLoss)}},
            r"grids of one size, got {'Smooth-AP': 2, 'two knobs': 2, 'c': 1}",
        ),
        ({"beside": TINY, "name": "b"}, "no name in both"),
        ({"beside": TINY, "name": "b", "contenders": {"c": SMOOTH_AP}, "grid": {"lr": (1e-3,)}}, "agree in grid"),
    ],
)
def test_an_unfair_study_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_a_study_runs_on_another_set_into_the_same_table(tmp_path):
    """The folder of the data is no part of a line, the set is; the command says how to make it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "noise.txt").write_text("0.3")
    ours = TINY.complete(tmp_path).test
    study = TINY.on("noisy", tmp_path / "data", test_seeds=(0, 1, 2))
    theirs = study.complete(tmp_path).test
    assert len(theirs) == 6
    assert study.command == "python -m rankbook.experiments tiny --data noisy --root DIR"
    assert set(theirs["task"]) == {"Retrieval(load=noisy, classes=8, outputs=8)"}
    assert (theirs["AP"].max() < ours["AP"]).all()
    pd.testing.assert_frame_equal(TINY.results(tmp_path).test, ours)
    there = TINY.on("noisy", test_seeds=(0, 1, 2))
    assert there.progress(tmp_path)[:2] == study.progress(tmp_path)[:2]
    pd.testing.assert_frame_equal(there.results(tmp_path).test, theirs)
    assert [one.data for one in TINY.everywhere()] == ["emoji", "noisy"]


def test_what_a_set_cannot_take_is_named(tmp_path):
    for data, root, device, words in (
        ("nosy", None, None, "data must be one of emoji, noisy"),
        ("noisy", None, "cuda", "takes no device"),
    ):
        with pytest.raises(ValueError, match=words):
            TINY.on(data, root, device=device)
    with pytest.raises(ValueError, match="takes no root"):
        COUNTED.on("emoji", tmp_path)
    with pytest.raises(ValueError, match="other names"):
        replace(TINY, sets={"emoji": TINY.task})
