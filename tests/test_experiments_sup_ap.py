"""SupAP under the protocol of chapter 4: a tiny run from end to end, and the tables that are stored."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from rankbook.datasets import Samples
from rankbook.experiments import smooth_ap, sup_ap

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"


@pytest.fixture(scope="module")
def small():
    """Classes are directions in noise; 40 to train on, 12 and 12 others."""
    g = torch.Generator().manual_seed(0)

    def split(classes, first):
        y = torch.arange(classes).repeat_interleave(5)
        x = torch.randn(classes, 16, generator=g)[y] + torch.randn(len(y), 16, generator=g)
        return Samples(torch.nn.functional.normalize(x, dim=1), y + first, (y + first)[:, None])

    return {"train": split(40, 0), "validation": split(12, 40), "test": split(12, 52)}


def check_protocol(tuning, steps, test, peers):
    """The grid is as large as that of each peer; tuned on validation classes; the test classes read with the choice, once a seed."""
    per_loss = peers.drop_duplicates(["loss", "value", "lr", "seed"]).groupby("loss").size()
    assert set(per_loss) == {len(tuning)}
    assert not tuning.duplicated(["value", "lr", "seed"]).any()
    assert not test.duplicated(["seed"]).any()
    assert set(tuning["seed"]).isdisjoint(test["seed"])
    (knobs,) = smooth_ap.choose(tuning).values()
    for runs, split in ((tuning, "validation"), (steps, "validation"), (test, "test")):
        assert set(runs["loss"]) == {"SupAP"}
        assert set(runs["split"]) == {split}
        assert set(runs["command"]) == {sup_ap.COMMAND}
        values = runs[list(smooth_ap.METRICS)]
        assert ((values > 0) & (values <= 1)).all(axis=None)
    for runs in (steps, test):
        assert (runs[["value", "lr"]] == list(knobs.values())).all(axis=None)


def test_the_experiment_from_end_to_end(tmp_path, small):
    options = {"steps": 8, "tuning_seeds": (100,), "test_seeds": (0, 1), "data": small}
    peers = {"Smooth-AP": smooth_ap.LOSSES["Smooth-AP"]}
    smooth_ap.main(tmp_path, losses=peers, **options)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    test = sup_ap.main(tmp_path, **options)
    assert all((tmp_path / name).read_bytes() == content for name, content in before.items())
    tables = [pd.read_csv(tmp_path / f"sup_ap_{name}.csv") for name in ("tuning", "steps")]
    check_protocol(*tables, test, pd.read_csv(tmp_path / "smooth_ap_tuning.csv"))
    both = sup_ap.against_the_others(tmp_path)
    assert (both.groupby("loss").size() == 2).all()
    assert set(both["loss"]) == {*peers, "SupAP"}
    line = sup_ap.stored("SupAP", 1, tmp_path)
    again = sup_ap.run(**{key: line[key] for key in ("loss", "value", "lr", "seed", "steps", "split")}, data=small)
    for metric in smooth_ap.METRICS:
        assert again[metric] == pytest.approx(line[metric], rel=1e-5)


def test_pairs_with_the_others(small):
    """First weights and batches of a seed are those of Smooth-AP, so that the difference can be paired."""
    options = {"value": 0.1, "lr": 0.0, "seed": 3, "steps": 2, "data": small["train"]}
    ours = smooth_ap.fit("SupAP", losses=sup_ap.LOSSES, **options)
    assert torch.equal(ours.linear.weight, smooth_ap.fit("Smooth-AP", **options).linear.weight)


def test_tables_that_do_not_pair_are_named(tmp_path):
    for name, seeds in (("sup_ap", [0, 1]), ("smooth_ap", [0, 2])):
        pd.DataFrame({"loss": name, "seed": seeds, "steps": 8, "split": "test"}).to_csv(tmp_path / f"{name}_test.csv")
    with pytest.raises(ValueError, match=r"must agree in 'seed', got \[0, 1\] and \[0, 2\]"):
        sup_ap.against_the_others(tmp_path)


def test_the_knob_scales_the_published_setting():
    loss = sup_ap.scaled(0.01)
    assert (loss.tau, loss.rho, loss.delta) == pytest.approx((0.01, 100, 0.05))
    assert 0.01 in sup_ap.LOSSES["SupAP"].values
    assert len(sup_ap.LOSSES["SupAP"].values) == len(smooth_ap.LOSSES["Smooth-AP"].values)


def test_the_stored_tables_keep_the_protocol():
    tuning, steps, test = (pd.read_csv(RESULTS / f"sup_ap_{name}.csv") for name in ("tuning", "steps", "test"))
    check_protocol(tuning, steps, test, pd.read_csv(RESULTS / "smooth_ap_tuning.csv"))
    assert set(test["steps"]) == set(tuning["steps"]) == {smooth_ap.STEPS}
    assert set(test["seed"]) == set(smooth_ap.TEST_SEEDS)
    assert set(sup_ap.against_the_others()["loss"]) == {*smooth_ap.LOSSES, "SupAP"}
