"""Who ranks what: the numbers are counts of pairs, and what the figure calls exact was measured to be."""

import pytest

from rankbook.experiments.tables import stored_table
from rankbook.live import ScoreShares

#: Mode -> its name in the table of measurements.
MEASURED = {"queries": "gathered", "passes": "two passes", "memory": "memory"}


@pytest.mark.parametrize("mode", ["own", "copies", "queries", "passes", "memory"])
def test_the_numbers_are_counts_of_pairs(mode):
    world, rows = 3, 4
    owner = [i // rows for i in range(world * rows)]

    def scores(process, query, item):
        if mode == "own":
            return owner[query] == owner[item] == process
        if mode in ("queries", "memory"):
            return owner[query] == process
        return True

    processes = range(1 if mode in ("passes", "memory") else world)
    all_pairs = [(q, i) for q in range(world * rows) for i in range(world * rows)]
    ranked = {(q, i) for q, i in all_pairs if q != i and any(scores(p, q, i) for p in processes)}
    now = ScoreShares(mode=mode, processes=world, rows=rows).readout()
    assert now["pairs"] == pytest.approx(len(ranked) / (len(all_pairs) - world * rows))
    assert now["scores"] == sum(scores(0, q, i) for q, i in all_pairs)
    assert now["all_scores"] == sum(scores(p, q, i) for p in processes for q, i in all_pairs)


@pytest.mark.parametrize("mode", MEASURED)
def test_what_is_called_exact_was_measured_to_be(mode):
    table = stored_table("scale")
    errors = table.loc[table["way"] == MEASURED[mode], "error"]
    assert len(errors) == 8
    assert ((errors < 1e-4) == ScoreShares(mode=mode).readout()["exact"]).all()


def test_own_batches_and_copies_too():
    """What the mistakes of two processes were measured by; a loss of all rows on every process, times W, is W times the exact one."""
    traps = stored_table("scale_traps").set_index("step")
    assert traps["cosine"]["own_batches"] < 0.99 and not ScoreShares(mode="own").readout()["exact"]
    assert abs(traps["length"]["times_world"] - 2) < 1e-5 < traps["cosine"]["times_world"] - 0.9999
    assert ScoreShares(mode="copies").readout()["exact"]


def test_the_reader_chooses_by_keys_and_radio(open_page):
    page = open_page(ScoreShares())
    assert page.get_by_text("empty: 88 % that nobody ranks").count() == 1
    page.get_by_role("radio", name="gather, own queries").check()
    assert page.get_by_text("every pair is ranked").count() == 1
    assert page.locator(".rb-number").last.inner_text() == "exact"
    page.locator("[data-drag]").press("Home")
    assert page.locator(".rb-number").nth(2).inner_text() == "0"
    page.get_by_label("rows a process").press("End")
    assert page.get_by_text("of a batch of 1,000").count() == 1


def test_describe_says_who_ranks_what():
    assert "8 processes of 128. Each process ranks its own rows, and no others: 12 % of the pairs are ranked" in ScoreShares().describe()
    assert "1 process of 128" in ScoreShares(processes=1).describe()
