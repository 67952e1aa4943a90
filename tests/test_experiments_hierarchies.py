"""The experiment on the label tree: a tiny run from end to end, its metrics, and the tables that are stored."""

from pathlib import Path

import pandas as pd
import pytest
import torch

import rankbook as rb
from rankbook.datasets import Samples
from rankbook.experiments import hierarchies, smooth_ap

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"


@pytest.fixture(scope="module")
def small():
    """Classes are directions in noise, in pairs of one subgroup and fours of one group; 40 to train on, 12 and 12 others."""
    g = torch.Generator().manual_seed(0)

    def split(classes, first):
        y = torch.arange(classes).repeat_interleave(5)
        x = torch.randn(classes, 16, generator=g)[y] + torch.randn(len(y), 16, generator=g)
        levels = torch.stack([y + first, y // 2, y // 4], dim=1)
        return Samples(torch.nn.functional.normalize(x, dim=1), levels[:, 0].clone(), levels)

    return {"train": split(40, 0), "validation": split(12, 40), "test": split(12, 52)}


def check_protocol(tuning, test):
    """The same grid for each loss; tuned on validation classes by H-AP; the test classes read with the choice, once a seed."""
    grids = [
        len(contender.values) * len(hierarchies.LEARNING_RATES) * tuning["seed"].nunique() for contender in hierarchies.LOSSES.values()
    ]
    assert tuning.groupby("loss").size().to_dict() == dict(zip(hierarchies.LOSSES, grids, strict=True))
    assert len(set(grids)) == 1
    assert not tuning.duplicated(["loss", "value", "lr", "seed"]).any()
    assert not test.duplicated(["loss", "seed"]).any()
    assert set(tuning["seed"]).isdisjoint(test["seed"])
    for runs, split in ((tuning, "validation"), (test, "test")):
        assert set(runs["loss"]) == set(hierarchies.LOSSES)
        assert set(runs["split"]) == {split}
        assert set(runs["command"]) == {hierarchies.COMMAND}
        values = runs[list(hierarchies.METRICS)]
        assert ((values > 0) & (values <= 1)).all(axis=None)
    means = tuning.groupby(["loss", "value", "lr"])["H-AP"].mean()
    for loss, knobs in hierarchies.choose(tuning).items():
        assert means[loss].idxmax() == (knobs["value"], knobs["lr"])
        assert (test.loc[test["loss"] == loss, ["value", "lr"]] == list(knobs.values())).all(axis=None)


def test_the_experiment_from_end_to_end(tmp_path, small):
    test = hierarchies.main(tmp_path, steps=4, tuning_seeds=(100,), test_seeds=(0, 1), data=small)
    check_protocol(pd.read_csv(tmp_path / "hierarchies_tuning.csv"), test)
    line = hierarchies.stored("SupH-AP", 1, tmp_path)
    again = hierarchies.run(**{key: line[key] for key in ("loss", "value", "lr", "seed", "steps", "split")}, data=small)
    for metric in hierarchies.METRICS:
        assert again[metric] == pytest.approx(line[metric], rel=1e-5)


def test_the_metrics_are_those_of_the_score_matrix(small):
    """H-AP and NDCG of the whole gallery, from the definitions, with the query left out."""
    data = small["test"]
    scores, where = data.inputs.double() @ data.inputs.double().T, rb.leave_query_out(len(data))
    levels = rb.shared_levels(data.levels)
    relevance = rb.hierarchical_relevance(levels, where=where, dtype=torch.float64)
    found = hierarchies.evaluate(torch.nn.Identity(), data)
    assert found["H-AP"] == pytest.approx(rb.hierarchical_ap(scores, relevance, where=where).item(), rel=1e-6)
    assert found["NDCG"] == pytest.approx(rb.ndcg(scores, levels, where=where).item(), rel=1e-6)
    assert found["AP"] == pytest.approx(rb.average_precision(scores, levels == 3, where=where).item(), rel=1e-6)


def test_a_loss_on_the_class_does_not_see_the_tree(small):
    """Smooth-AP ends in the same weights as without the coarse levels; SupH-AP does not."""
    options = {"value": 0.1, "lr": 0.01, "seed": 3, "steps": 3}
    data = small["train"]
    blind = smooth_ap.fit("Smooth-AP", data=data, **options).linear.weight
    assert torch.equal(hierarchies.fit("Smooth-AP", data=data, **options).linear.weight, blind)
    flat = Samples(data.inputs, data.labels, data.levels[:, [0, 0, 0]], data.table)
    assert not torch.equal(*(hierarchies.fit("SupH-AP", data=d, **options).linear.weight for d in (data, flat)))


def test_the_stored_tables_keep_the_protocol():
    tuning, test = (pd.read_csv(RESULTS / f"hierarchies_{name}.csv") for name in ("tuning", "test"))
    check_protocol(tuning, test)
    assert set(test["steps"]) == set(tuning["steps"]) == {hierarchies.STEPS}
    assert set(test["seed"]) == set(hierarchies.TEST_SEEDS)
    best = tuning.loc[tuning.groupby("loss")["H-AP"].idxmax()]
    assert (best["lr"] > min(hierarchies.LEARNING_RATES)).all()
    assert (best["lr"] < max(hierarchies.LEARNING_RATES)).all()
