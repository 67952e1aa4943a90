"""The measurements of the learned sorters: a tiny training from end to end, the goals, and the tables that are stored."""

import json
from functools import partial

import pandas as pd
import pytest
import torch

import rankbook as rb
from rankbook.experiments.sorters import __main__ as command
from rankbook.experiments.sorters import recipes
from rankbook.experiments.sorters.counting import STEPS, TAUS, counting
from rankbook.experiments.sorters.measurements import DESCENT_SEEDS, TABLES, conditions, goals, order_effect
from rankbook.experiments.sorters.recipes import RECIPES, TEST_SEED, N, Recipe, error_by_kind
from rankbook.experiments.tables import read_table
from rankbook.experiments.tables import stored_table as table


def stored(name):
    return table(f"sorters_{name}")


def shipped_goals():
    return goals(stored("front"), {name: rb.sorter_card(name)["cpu_seconds"] for name in RECIPES})


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """Recipes of seconds, and every file in a folder of its own."""
    recipe = Recipe(rb.KnotSorter, {"knots": 20}, {"steps": 2, "batch": 8, "lr": 0.01})
    few = {"one": recipe, "two": recipe}
    for module in (recipes, command):
        monkeypatch.setattr(module, "RECIPES", few)
    monkeypatch.setattr(recipes, "TEST_LISTS", 50)
    monkeypatch.setattr(command, "write_checksums", lambda: pytest.fail("the registry is that of the clone"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    return tmp_path


def run(*arguments):
    command.main([*map(str, arguments)])


def test_training_writes_weights_card_and_history(workshop):
    run("train", "two", "--folder", workshop)
    before = (workshop / "sorters" / "two" / "card.json").read_bytes()
    run("train", "--folder", workshop)  # what is missing: one
    assert (workshop / "sorters" / "two" / "card.json").read_bytes() == before
    card, sorter = rb.sorter_card(workshop / "sorters" / "one"), rb.load_sorter(workshop / "sorters" / "one")
    assert card["error"] == pytest.approx(error_by_kind(sorter)["all"], abs=1e-6)
    assert card["training"]["steps"] == 2
    assert card["command"].endswith("train one")
    # the same recipe and seed: the same weights, so the same hash
    assert card["sha256"] == rb.sorter_card(workshop / "sorters" / "two")["sha256"]
    run("train", "one", "--folder", workshop)
    history = read_table(workshop / "results" / "sorters_training.csv")
    assert history.groupby("sorter")["step"].max().to_dict() == {"one": 2, "two": 2}
    assert not history.duplicated(["sorter", "step"]).any()
    assert history["sorter"].is_monotonic_increasing


def test_a_sorter_that_was_asked_for_is_trained_anew(workshop, monkeypatch):
    """Not read from the checkpoint of the last time."""
    run("train", "one", "--folder", workshop)
    first = rb.sorter_card(workshop / "sorters" / "one")["sha256"]
    monkeypatch.setattr(recipes, "SEED", 1)
    run("train", "one", "--folder", workshop)
    assert rb.sorter_card(workshop / "sorters" / "one")["sha256"] != first


def test_a_sorter_half_written_counts_as_missing(workshop, capsys):
    """A kill between weights and card, or a card of other weights: the next training makes it."""
    run("train", "--folder", workshop)
    (workshop / "sorters" / "one" / "weights.safetensors").unlink()
    card = json.loads((workshop / "sorters" / "two" / "card.json").read_text())
    (workshop / "sorters" / "two" / "card.json").write_text(json.dumps(card | {"sha256": "0" * 64}))
    with pytest.raises(SystemExit):
        run("measure", "--folder", workshop)
    assert "lacks one, two; train them first" in capsys.readouterr().err
    run("train", "--folder", workshop)
    for name in ("one", "two"):
        rb.load_sorter(workshop / "sorters" / name)


def test_without_a_verb_nothing_starts(workshop, monkeypatch, capsys):
    monkeypatch.setattr(command, "train_recipe", lambda *_, **__: pytest.fail("it trains"))
    monkeypatch.setattr(command, "RECIPES", {name: RECIPES[name] for name in ("kernel", "knots")})
    run("--folder", workshop)
    said = capsys.readouterr().out
    assert said.count("missing") == 3
    assert "trains the 2 that are missing; these took 5 CPU minutes" in said
    assert str(workshop / "results") in said
    assert not list(workshop.iterdir())


def test_an_installed_package_must_be_told_where_to_write(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("rankbook.experiments.tables.REPOSITORY", tmp_path)
    for arguments in ((), ("train", "kernel"), ("measure",)):
        with pytest.raises(SystemExit):
            run(*arguments)
        assert "installed, not a clone with a folder data/; say where to write: --folder" in capsys.readouterr().err


def test_a_name_that_is_none_is_refused(workshop, capsys):
    for arguments, message in (
        (("train", "three"), "no recipe of three; there are one, two"),
        (("measure", "one"), "names are for `train`"),
    ):
        with pytest.raises(SystemExit):
            run(*arguments, "--folder", workshop)
        assert message in capsys.readouterr().err


def test_measuring_writes_the_stored_columns(workshop, monkeypatch):
    """Every table from end to end on small sorters, with the columns of those that are stored."""
    few = {"normal": torch.randn(5, N), "n = 10": torch.randn(5, 10)}
    monkeypatch.setattr("rankbook.experiments.sorters.measurements.conditions", lambda: few)
    monkeypatch.setattr("rankbook.experiments.sorters.measurements.DESCENT_SEEDS", 2)
    monkeypatch.setattr("rankbook.experiments.sorters.measurements.rank_descent", lambda ranker, *, n, seed: 0.9 + seed / 1e5)
    monkeypatch.setattr("rankbook.experiments.sorters.measurements.TAUS", {"logistic": (0.1,)})
    run("train", "--folder", workshop)
    run("measure", "--folder", workshop)
    for name in TABLES:
        new, old = read_table(workshop / "results" / f"sorters_{name}.csv"), stored(name)
        assert set(old.columns) - set(new.columns) <= {"descent_2", "descent_3", "descent_4"}
        assert set(new["command"]) == {"python -m rankbook.experiments.sorters measure"} == set(old["command"])
        column = "name" if name == "front" else "sorter"
        assert {"one", "two"} <= set(new[column])
    front = read_table(workshop / "results" / "sorters_front.csv")
    assert (front["descent_low"] < front["descent_mean"]).all()


def test_a_step_of_the_front_is_the_ranker_of_the_package():
    scores = torch.randn(4, 30, generator=torch.Generator().manual_seed(0))
    z = (scores - scores.mean(-1, keepdim=True)) / scores.std(-1, keepdim=True, correction=0)
    for through_spread in (False, True):
        ranks = counting(3 * scores + 7, step=torch.sigmoid, tau=0.1, through_spread=through_spread)
        torch.testing.assert_close(ranks, rb.sigmoid_ranks(z, tau=0.1), rtol=1e-4, atol=1e-4)
    assert STEPS.keys() == TAUS.keys()
    for step in STEPS.values():
        assert step(torch.tensor([-1e6, 0.0, 1e6])).tolist() == pytest.approx([0, 0.5, 1], abs=1e-5)


def test_conditions_are_what_they_say():
    lists = conditions()
    assert all(scores.shape[0] == 500 and scores.isfinite().all() for scores in lists.values())
    assert {name: lists[name].shape[1] for name in lists if name.startswith("n = ")} == {
        "n = 10": 10,
        "n = 30": 30,
        "n = 300": 300,
        "n = 1000": 1000,
    }
    assert all(len(row.unique()) < 50 for row in lists["ties"])
    assert (lists["one outlier"].argmax(1) == 99).all()


def test_order_effect():
    assert order_effect(rb.KernelSorter()) < 1e-5
    first_come = lambda scores, **_: torch.arange(1.0, 101).expand(scores.shape)  # noqa: E731
    assert order_effect(first_come) == pytest.approx(1 / 3, abs=0.02)  # two random places are a third of the list apart


def test_goals_can_be_missed():
    row = {"family": "learned", "name": "kernel"}
    assert not goals(pd.DataFrame([row | {"error": 0.02, "descent_mean": 0.99}]), {"kernel": 10})["met"].any()
    assert goals(pd.DataFrame([row | {"error": 0.001, "descent_mean": 0.94}]), {"kernel": 10}).empty
    assert len(goals(pd.DataFrame([row | {"error": 0.001, "descent_mean": 0.96}]), {"kernel": 200})) == 1, "too slow for the second goal"


def test_stored_goals_are_met():
    found = shipped_goals()
    assert found["goal"].tolist() == ["best shipped", "within 180 CPU s"]
    assert found["met"].all()


def test_stored_tables_agree_with_the_cards():
    front, kinds = stored("front"), stored("kinds").set_index("sorter")
    learned = front[front["family"] == "learned"].set_index("name")
    assert set(learned.index) == set(RECIPES) == set(rb.list_sorters().index)
    for name in RECIPES:
        card = rb.sorter_card(name)
        assert learned["error"][name] == pytest.approx(card["error"], abs=2e-6)
        assert kinds.loc[name, list(card["error_by_kind"])].to_dict() == pytest.approx(card["error_by_kind"], abs=2e-6)
        assert card["training"] == {"n": N, "batch": 64, "guidance": 0.0, "mixture": "code", "seed": 0} | {
            key: list(value) if isinstance(value, tuple) else value for key, value in RECIPES[name].training.items()
        }
    assert (front["descent_runs"] == DESCENT_SEEDS).all()
    assert set(stored("training")["sorter"]) == set(RECIPES)


def test_stored_rows_are_found_again():
    """One cheap row of each table, computed anew."""
    kernel, scores = rb.load_sorter("kernel"), conditions()
    general = stored("generalization").set_index(["sorter", "condition"])["error"]
    for condition in ("n = 10", "ties", "spread x 0.001", "one outlier"):
        assert rb.rank_error(kernel, scores[condition]).mean().item() == pytest.approx(general["kernel", condition], rel=1e-3)
    lists = torch.randn(200, N, generator=torch.Generator().manual_seed(TEST_SEED))
    cosine = rb.gradient_cosine(kernel, partial(rb.sigmoid_ranks, tau=0.1), lists).mean().item()
    assert cosine == pytest.approx(stored("gradients").set_index("sorter")["mean"]["kernel"], rel=1e-3)
    front = stored("front").set_index(["family", "name"])
    # 150 steps of Adam magnify rounding: another processor ends nearby
    descent = rb.rank_descent(kernel, n=N, seed=TEST_SEED)
    assert descent == pytest.approx(front.loc[("learned", "kernel"), "descent_0"], abs=2e-3)
    assert rb.sorter_card("kernel")["descent"] == pytest.approx(descent, abs=2e-3)
