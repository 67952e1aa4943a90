"""Stored lines of the learned sorters are made again, one of each table, drawn anew every day. Those of the studies: test_studies.

What this leaves out is sealed, line by line (test_tables), and not made again: `bench.csv` and `bench_cuda.csv`, which are times; the lines
of `sorters_training.csv` but the last of each sorter, minutes to a quarter of an hour of training; two lines of
`sorters_generalization.csv` that take 20 s each. Of `peer_values.csv` every line is made again, in test_peer_values.
"""

from functools import partial

import pandas as pd
import pytest
import torch

import rankbook as rb
from daily import dice
from rankbook.experiments.sorters.measurements import DESCENT_SEEDS, compared, conditions, in_front, order_effect
from rankbook.experiments.sorters.recipes import RECIPES, TEST_LISTS, TEST_SEED, N
from rankbook.experiments.tables import stored_table
from rankbook.sorters.synthetic import KINDS, synthetic_kinds, synthetic_scores
from rankbook.statistics import interval

# Their histories were written before ranks were clamped to [1/2, n + 1/2], which mends what these two say beyond.
BEFORE_THE_CLAMP = {"mlp", "lstm"}
SLOW = {("own widths", "n = 1000"), ("kernel", "n = 1000")}


@pytest.fixture(scope="module")
def sorters():
    return {name: rb.load_sorter(name) for name in RECIPES}


@pytest.fixture(scope="module")
def test_lists():
    """The lists of the tables, and the kind of each."""
    scores, kinds = synthetic_kinds(N, TEST_LISTS, generator=torch.Generator().manual_seed(TEST_SEED))
    return scores, [KINDS[kind] for kind in kinds]


def test_a_kind_of_lists(sorters, test_lists):
    table = stored_table("sorters_kinds").set_index("sorter")
    rankers = {"handcrafted, slope 10": partial(rb.sigmoid_ranks, tau=0.1)} | compared(sorters)
    assert set(table.index) == set(rankers)
    draw = dice("kinds")
    name, kind = draw.choice([*rankers]), draw.choice(sorted(set(KINDS)))
    scores = test_lists[0][torch.tensor([one == kind for one in test_lists[1]])]
    assert rb.rank_error(rankers[name], scores).double().mean().item() == pytest.approx(table.loc[name, kind], rel=1e-3), (name, kind)


def test_the_kinds_add_up(test_lists):
    """The mean over all lists is that of the kinds: of every line, and of the front."""
    table = stored_table("sorters_kinds").set_index("sorter")
    shares = {kind: test_lists[1].count(kind) / TEST_LISTS for kind in dict.fromkeys(KINDS)}
    whole = sum(share * table[kind] for kind, share in shares.items())
    assert whole.to_dict() == pytest.approx(table["all"].to_dict(), rel=1e-5)
    front = stored_table("sorters_front")
    learned = front[front["family"] == "learned"].set_index("name")["error"]
    assert learned.to_dict() == pytest.approx(table["all"][learned.index].to_dict(), rel=1e-5)


def test_a_line_of_the_front(sorters, test_lists):
    table = stored_table("sorters_front")
    rankers = {(family, name, None if knob != knob else knob): ranker for (family, name, knob), ranker in in_front(sorters).items()}
    assert len(table) == len(rankers)
    draw = dice("front")
    line, seed = table.loc[draw.randrange(len(table))], draw.randrange(DESCENT_SEEDS)
    which = line["family"], line["name"], None if line["knob"] != line["knob"] else line["knob"]
    ranker = rankers[which]
    # 150 steps of Adam magnify rounding: another processor ends nearby
    descent = rb.rank_descent(ranker, n=N, seed=TEST_SEED + seed)
    assert descent == pytest.approx(line[f"descent_{seed}"], abs=2e-3), (which, seed)
    if line["family"] != "learned":
        assert rb.rank_error(ranker, test_lists[0]).double().mean().item() == pytest.approx(line["error"], rel=1e-3), (
            line["name"],
            line["knob"],
        )


def test_the_mean_of_the_front_is_that_of_its_seeds():
    table = stored_table("sorters_front")
    seeds = table[[f"descent_{seed}" for seed in range(DESCENT_SEEDS)]]
    again = pd.DataFrame([interval(row) for row in seeds.to_numpy().tolist()])
    for column in ("mean", "low", "high"):
        assert table[f"descent_{column}"].tolist() == pytest.approx(again[column].tolist(), abs=5e-6)


def test_a_condition(sorters):
    table = stored_table("sorters_generalization").set_index(["sorter", "condition"])["error"]
    name, condition = dice("generalization").choice([one for one in table.index if one not in SLOW])
    ranker = compared(sorters)[name]
    again = (
        order_effect(ranker) if condition == "order of the input" else rb.rank_error(ranker, conditions()[condition], chunk_size=50).mean()
    )
    assert float(again) == pytest.approx(table[name, condition], rel=1e-3, abs=1e-7), (name, condition)


def test_a_gradient(sorters):
    table = stored_table("sorters_gradients").set_index("sorter")["mean"]
    assert set(table.index) == set(compared(sorters))
    name = dice("gradients").choice([*table.index])
    lists = torch.randn(200, N, generator=torch.Generator().manual_seed(TEST_SEED))
    cosine = rb.gradient_cosine(compared(sorters)[name], partial(rb.sigmoid_ranks, tau=0.1), lists).mean().item()
    assert cosine == pytest.approx(table[name], rel=1e-3), name


def test_the_end_of_a_training(sorters):
    """The last line of a history is that of the weights that are shipped, in half precision: nearly the same error and descent."""
    name = dice("training").choice([*RECIPES])
    table = stored_table("sorters_training")
    end = table[table["sorter"] == name].iloc[-1]
    assert end["step"] == RECIPES[name].training["steps"]
    ranker = partial(sorters[name].rank_lists, present=None) if name in BEFORE_THE_CLAMP else sorters[name]
    others = synthetic_scores(N, 500, generator=torch.Generator().manual_seed(1))
    assert rb.rank_error(ranker, others).mean().item() == pytest.approx(end["error"], rel=0.01), name
    assert rb.rank_descent(sorters[name], n=N, seed=1) == pytest.approx(end["descent"], abs=0.05), name
