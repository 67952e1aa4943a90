"""The measurements of the learned sorters: a tiny training from end to end, the goals, and the tables that are stored."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

import rankbook as rb
from rankbook.experiments import sorters

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"


def stored(name):
    return pd.read_csv(RESULTS / f"sorters_{name}.csv")


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """Recipes of seconds, and every file in a folder of its own."""
    recipe = sorters.Recipe(rb.KnotSorter, {"knots": 20}, {"steps": 32, "batch": 8, "lr": 0.01})
    monkeypatch.setattr(sorters, "RECIPES", {"one": recipe, "two": recipe})
    monkeypatch.setattr(sorters, "TEST_LISTS", 50)
    for name in ("SHIPPED", "RESUME", "RESULTS"):
        monkeypatch.setattr(sorters, name, tmp_path / name.lower())
    monkeypatch.setattr(sorters, "write_checksums", partial(sorters.write_checksums, tmp_path / "shipped", tmp_path / "sums.txt"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    return tmp_path


def test_training_writes_weights_card_and_history(workshop):
    for name in ("one", "two", "one"):
        sorters.train_shipped(name)
    card, sorter = rb.sorter_card(workshop / "shipped" / "one"), rb.load_sorter(workshop / "shipped" / "one")
    assert card["error"] == pytest.approx(sorters.error_by_kind(sorter)["all"], abs=1e-6)
    assert card["training"]["steps"] == 32
    assert card["command"].endswith("train one")
    history = pd.read_csv(workshop / "results" / "sorters_training.csv")
    assert history.groupby("sorter")["step"].max().to_dict() == {"one": 32, "two": 32}
    assert not history.duplicated(["sorter", "step"]).any()
    # the same recipe and seed: the same weights, so the same hash
    assert card["sha256"] == rb.sorter_card(workshop / "shipped" / "two")["sha256"]
    assert len((workshop / "sums.txt").read_text().splitlines()) == 4


def test_a_step_of_the_front_is_the_ranker_of_the_package():
    scores = torch.randn(4, 30, generator=torch.Generator().manual_seed(0))
    z = (scores - scores.mean(-1, keepdim=True)) / scores.std(-1, keepdim=True, correction=0)
    for through_spread in (False, True):
        ranks = sorters.counting(3 * scores + 7, step=torch.sigmoid, tau=0.1, through_spread=through_spread)
        torch.testing.assert_close(ranks, rb.sigmoid_ranks(z, tau=0.1), rtol=1e-4, atol=1e-4)
    assert sorters.STEPS.keys() == sorters.TAUS.keys()
    for step in sorters.STEPS.values():
        assert step(torch.tensor([-1e6, 0.0, 1e6])).tolist() == pytest.approx([0, 0.5, 1], abs=1e-5)


def test_conditions_are_what_they_say():
    lists = sorters.conditions()
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
    assert sorters.order_effect(rb.KernelSorter()) < 1e-5
    first_come = lambda scores, **_: torch.arange(1.0, 101).expand(scores.shape)  # noqa: E731
    assert sorters.order_effect(first_come) == pytest.approx(1 / 3, abs=0.02)  # two random places are a third of the list apart


def test_goals_can_be_missed():
    row = {"family": "learned", "name": "kernel"}
    assert not sorters.bars(pd.DataFrame([row | {"error": 0.02, "descent_mean": 0.99}]))["met"].any()
    assert sorters.bars(pd.DataFrame([row | {"error": 0.001, "descent_mean": 0.94}])).empty


def test_stored_goals_are_met():
    goals = sorters.bars(stored("front"))
    assert goals["goal"].tolist() == ["best shipped", "within 180 CPU s"]
    assert goals["met"].all()


def test_stored_tables_agree_with_the_cards():
    front, kinds = stored("front"), stored("kinds").set_index("sorter")
    learned = front[front["family"] == "learned"].set_index("name")
    assert set(learned.index) == set(sorters.RECIPES) == set(rb.list_sorters().index)
    for name in sorters.RECIPES:
        card = rb.sorter_card(name)
        assert learned["error"][name] == pytest.approx(card["error"], abs=2e-6)
        assert kinds.loc[name, list(card["error_by_kind"])].to_dict() == pytest.approx(card["error_by_kind"], abs=2e-6)
        assert card["training"] == {"n": sorters.N, "batch": 64, "guidance": 0.0, "mixture": "code", "seed": 0} | {
            key: list(value) if isinstance(value, tuple) else value for key, value in sorters.RECIPES[name].training.items()
        }
    assert (front["descent_runs"] == sorters.DESCENT_SEEDS).all()
    assert set(stored("training")["sorter"]) == set(sorters.RECIPES)


def test_stored_rows_are_found_again():
    """One cheap row of each table, computed anew."""
    kernel, scores = rb.load_sorter("kernel"), sorters.conditions()
    general = stored("generalization").set_index(["sorter", "condition"])["error"]
    for condition in ("n = 10", "ties", "spread x 0.001", "one outlier"):
        assert rb.rank_error(kernel, scores[condition]).mean().item() == pytest.approx(general["kernel", condition], rel=1e-3)
    lists = torch.randn(200, sorters.N, generator=torch.Generator().manual_seed(sorters.TEST_SEED))
    cosine = rb.gradient_cosine(kernel, partial(rb.sigmoid_ranks, tau=0.1), lists).mean().item()
    assert cosine == pytest.approx(stored("gradients").set_index("sorter")["mean"]["kernel"], rel=1e-3)
    front = stored("front").set_index(["family", "name"])
    # 150 steps of Adam magnify rounding: another processor ends nearby
    descent = rb.rank_descent(kernel, n=sorters.N, seed=sorters.TEST_SEED)
    assert descent == pytest.approx(front.loc[("learned", "kernel"), "descent_0"], abs=2e-3)
    assert rb.sorter_card("kernel")["descent"] == pytest.approx(descent, abs=2e-3)
