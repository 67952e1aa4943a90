"""The contract of every study, found by being there: fair, complete, and one stored line of each made again."""

from functools import cache

import pandas as pd
import pytest

from daily import dice
from rankbook.experiments.runs import key
from rankbook.experiments.studies import studies
from rankbook.experiments.tables import read_lines, stored_path

STUDIES = {f"{study.name}, {study.data}": study for one in studies().values() for study in one.everywhere()}

pytestmark = pytest.mark.parametrize("name", STUDIES)


@pytest.fixture
def study(name):
    return STUDIES[name]


@pytest.fixture
def found(name):
    return results(name)


@cache
def results(name):
    """Read once for all tests of a study; none of them changes it."""
    return STUDIES[name].results()


@cache
def progress(name):
    return STUDIES[name].progress()


def test_it_is_fair(study, name):
    assert name.startswith(studies()[study.name].name)
    assert study.question.endswith("?")
    everyone = [study] if study.beside is None else [study, study.beside]
    assert len({len(one.settings(loss)) for one in everyone for loss in one.contenders}) == 1, "grids of one size"
    assert set(study.tuning_seeds).isdisjoint(study.test_seeds)
    assert len(set(study.test_seeds)) == len(study.test_seeds) >= 5
    for contender in study.contenders.values():
        for knob, values in {**contender.grid, **study.grid}.items():
            assert len(set(values)) == len(values), f"a value of {knob} comes twice"


def test_its_lines_are_all_stored(study, found, name):
    """Complete, each once, and nothing in the table that the study did not ask for."""
    there, total, seconds = progress(name)
    assert there == total
    same_table = [other for other, one in STUDIES.items() if one.name == study.name]
    assert sum(progress(other)[1] for other in same_table) == len(read_lines(stored_path(study.name)))
    assert seconds > 0
    for runs, split in ((found.tuning, "validation"), (found.lengths, "validation"), (found.test, "test")):
        assert set(runs.get("split", ())) <= {split}
        values = runs.reindex(columns=[*study.task.metrics])
        assert ((values >= -1) & (values <= 1) & (values != 0)).all(axis=None)
    assert set(found.test["loss"]) == set(study.contenders)
    assert set(study.compared()["loss"]) >= {study.reference}


def test_its_table_is_written_as_we_would_write_it(study, found):
    """Canonical keys, in order, once each."""
    lines = read_lines(stored_path(study.name))
    configs = [line["config"] for line in lines]
    assert configs == sorted(set(configs))
    wanted = pd.concat([found.tuning, found.lengths, found.test])
    for line in wanted.to_dict("records"):
        knobs = [*study.contenders[line["loss"]].grid, *study.grid]
        assert key({name: line[name] for name in ("loss", *knobs, "seed", "steps", "split", "task")}) in configs


def test_what_all_contenders_tune_is_best_inside_of_its_grid(study, found):
    """The best value at an edge would say that the grid is too short there; the study names the losses of which it is true."""
    chosen = found.chosen.items()
    at_edge = {loss for loss, one in chosen if any(not min(values) < one[knob] < max(values) for knob, values in study.grid.items())}
    assert at_edge == set(study.open_ended.get(study.data, ()))


def test_neither_half_nor_twice_the_steps_would_have_served_better(study, found):
    """For studies that tried: the training is long enough, and not too long, for every contender, unless the study says otherwise."""
    lengths = found.lengths
    assert len(lengths) == len(study.contenders) * len(study.tuning_seeds) * (len(study.budgets) + 1) * bool(study.budgets)
    if study.budgets:
        means = lengths.groupby(["loss", "steps"])[study.choose_by].mean().unstack()
        assert set(means.columns) == {study.steps, *(round(study.steps * budget) for budget in study.budgets)}
        assert (means.idxmax(axis=1) == study.steps).all() == (study.data not in study.unsettled)


def test_a_stored_line_can_be_made_again(study, found):
    """Another one every day, of those that trained within ten seconds.

    On another processor the rounding may differ, and training amplifies it: to two digits here, to all on the same machine.
    """
    if not study.at_hand:
        pytest.skip(f"{study.data} does not come with the package")
    lines = pd.concat([found.tuning, found.lengths, found.test])
    lines = lines[lines["cpu_seconds"] <= 10].to_dict("records")
    line = dice(study.name).choice(lines)
    try:
        again = study.run(line)
    except ImportError as missing:
        if "pip install" not in str(missing):
            raise
        pytest.skip(str(missing))
    for metric in study.task.metrics:
        assert again[metric] == pytest.approx(line[metric], abs=0.01), line
