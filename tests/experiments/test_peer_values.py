"""The stored table of peer values: our column is what the package computes now, and the peers' errors have their stated causes."""

import numpy as np
import pytest
import torch

from rankbook.experiments.benchmarks import peer_values
from rankbook.experiments.benchmarks.peer_values import PAIRS, seeded_batch
from rankbook.experiments.tables import read_lines, stored_path


@pytest.fixture(scope="module")
def table():
    return peer_values.stored()


def test_the_table_is_complete(table):
    assert len(table) == len(read_lines(stored_path("peer_values"))) == len(PAIRS) * len(peer_values.BATCHES) * len(peer_values.SEEDS)
    assert dict(zip(table["package"], table["version"], strict=True)) == {"pytorch-metric-learning": "2.9.0", "torchmetrics": "1.9.0"}


def test_our_column_is_what_we_compute_now(table):
    for row in table.itertuples():
        ours = PAIRS[row.package, row.quantity][1](*seeded_batch(row.classes, row.per_class, row.shuffled, row.seed))
        assert ours == pytest.approx(row.ours, abs=1e-5)


def test_batches_repeat_and_shuffle():
    (x, y), (again, _) = seeded_batch(8, 8, False, 0), seeded_batch(8, 8, False, 0)
    assert torch.equal(x, again)
    shuffled, labels = seeded_batch(8, 8, True, 0)
    assert not torch.equal(labels, y)
    assert torch.equal(shuffled.sort(0).values, x.sort(0).values)


@pytest.mark.parametrize(("package", "quantity"), PAIRS)
def test_their_column_is_what_they_compute(table, package, quantity):
    pytest.importorskip({"torchmetrics": "torchmetrics"}.get(package, "pytorch_metric_learning"))
    rows = table[table["package"] == package]
    theirs = [
        PAIRS[package, quantity][0](*seeded_batch(*row))
        for row in rows[["classes", "per_class", "shuffled", "seed"]].itertuples(index=False)
    ]
    np.testing.assert_allclose(theirs, rows["theirs"], atol=1e-5)
