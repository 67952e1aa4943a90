"""The benchmark compares like with like: the peers compute our losses, and its measure of memory sees what is there."""

import os
from functools import partial

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.scenes import gradients
from rankbook.experiments.benchmarks import __main__ as command
from rankbook.experiments.benchmarks import matchings, parts, peers, rank_peers, soft_ranks
from rankbook.experiments.benchmarks.measures import fresh_peak, fresh_ratios, milliseconds, ratios
from rankbook.experiments.benchmarks.rows import batch, row
from rankbook.experiments.tables import read_table, stored_table

PEERS = {
    peers.cubic_smooth_ap: rb.SmoothAPLoss(),
    peers.cubic_sup_ap: rb.SupAPLoss(),
    peers.looped_recall_at_k: rb.RecallAtKLoss(),
    peers.dense_soft_bin_ap: rb.SoftBinAPLoss(),
}


@pytest.mark.parametrize(("size", "per_class"), [(32, 4), (30, 3), (24, 2), (20, 10)])
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)
def test_a_peer_computes_our_loss(peer, size, per_class):
    embeddings, labels = batch(size, 16, per_class)
    theirs, ours = (gradients(lambda x, loss=loss: loss(x, labels), embeddings.double()) for loss in (peer, PEERS[peer]))
    assert_close(theirs, ours, rtol=0, atol=1e-12)
    assert ours[1].norm() > 0.01


def test_the_blackbox_peer_holds_the_ranks_among_the_positives():
    """Its value is ours; its gradient that of AP whose numerator is constant."""
    embeddings, labels = batch(32, 16)
    embeddings, strength = embeddings.double(), 1000.0  # so that some ranks change
    positive, where = rb.same_label(labels), rb.leave_query_out(len(labels))

    def half_constant(scores, relevance, *, where):
        rank_fn = rb.exact_ranks if where is relevance else partial(rb.blackbox_ranks, strength=strength)
        return rank_fn(scores, where=where)

    def composed(x):
        scores = x @ x.T - 0.02 * (positive.double() - 0.5)
        return rb.as_loss(rb.average_precision, half_constant)(scores, positive, where=where)

    theirs = gradients(lambda x: peers.plain_blackbox_ap(x, labels, strength), embeddings)
    assert_close(theirs[0], rb.BlackBoxAPLoss(strength)(embeddings, labels), rtol=0, atol=1e-12)
    assert_close(theirs, gradients(composed, embeddings), rtol=0, atol=1e-12)
    assert theirs[1].norm() > 0.01


@pytest.mark.parametrize(("k", "n"), [(2, 7), (3, 6), (4, 4)])
@pytest.mark.parametrize("epsilon", [0.05, 0.2])
def test_the_peer_of_all_tuples_computes_our_matching_gap(k, n, epsilon):
    ours = rb.MultiMarginalMatchingGap(epsilon, tolerance=1e-10)
    views = matchings.some_views(k, n, 5).double()
    theirs, ours = gradients(lambda x: peers.full_matching_gap(x, epsilon, 1e-10), views), gradients(ours, views)
    assert_close(theirs, ours, rtol=0, atol=1e-9)
    assert ours[0] > 0.001 and ours[1].norm() > 0.01


RANK_PEERS = {
    "neuralsort": (rank_peers.plain_neuralsort, partial(rb.neuralsort_ranks, tau=0.1)),
    "softsort": (rank_peers.plain_softsort, partial(rb.softsort_ranks, tau=0.1)),
    "blackbox": (rank_peers.plain_blackbox, rb.blackbox_ranks),
    "l2": (partial(rank_peers.plain_projection, strength=0.05), partial(rb.projection_ranks, tau=0.05 * 30)),
    "kl": (partial(rank_peers.plain_projection, strength=0.5, kl=True), partial(rb.projection_ranks, tau=0.5, regularization="kl")),
}


@pytest.mark.parametrize("name", RANK_PEERS)
def test_a_peer_computes_our_ranks(name):
    scores, weight = torch.randn(4, 30, dtype=torch.float64), torch.randn(4, 30, dtype=torch.float64)
    theirs, ours = (gradients(lambda x, ranker=ranker: (ranker(x) * weight).sum(), scores) for ranker in RANK_PEERS[name])
    assert_close(theirs, ours, rtol=1e-9, atol=1e-8)
    assert ours[1].norm() > 0.01


def test_the_perturbed_peer_estimates_the_same():
    """Both estimates have the mean that is known in closed form: within five standard errors of each other."""
    scores = torch.tensor([0.3, 0.1, 0.0, 0.05, -0.4]).expand(4000, -1).clone().requires_grad_()
    found = []
    for ranker in (partial(rank_peers.plain_perturbed, sigma=0.2, samples=8), partial(rb.perturbed_ranks, sigma=0.2, samples=8)):
        ranks = ranker(scores)
        found.append((ranks.detach(), *torch.autograd.grad(ranks, scores, torch.arange(5.0).expand_as(ranks))))
    for theirs, ours in zip(*found, strict=True):
        error = (theirs.mean(0) - ours.mean(0)).abs()
        assert (error < 5 * ((theirs.var(0) + ours.var(0)) / len(scores)).sqrt() + 1e-6).all()


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="elsewhere an earlier peak may hide the allocation")
def test_the_measure_of_memory_sees_an_allocation():
    """16 MB that are freed again, and nothing else, though this process and the preparation held far more."""
    held = torch.ones(1 << 25)
    megabytes = fresh_peak("import torch\nx = torch.ones(1 << 24)\ndel x", "x = torch.ones(1 << 22)\ndel x")
    assert held.sum() > 0
    assert megabytes == pytest.approx(16, abs=1)


def test_a_ratio_is_the_slow_over_the_quick():
    def work(times):
        for _ in range(times):
            sum(range(20_000))

    found = ratios(partial(work, 12), partial(work, 4), pairs=5)
    assert sorted(found)[2] == pytest.approx(3, rel=0.3)
    found = ratios(partial(work, 6), partial(work, 2), pairs=5, repeat=1, calls=3)
    assert sorted(found)[2] == pytest.approx(3, rel=0.3)
    assert sorted(milliseconds(partial(work, 12), times=5))[2] > 2 * sorted(milliseconds(partial(work, 4), times=5))[2]


def test_a_line_says_whether_its_goal_is_met():
    assert row("a", "b", "c", [1.0, 2.0, 9.0], at_least=2)[3:] == (2.0, 1.0, 9.0, ">= 2", "met")
    assert row("a", "b", "c", [1.0, 2.0, 9.0], at_most=1.5)[-2:] == ("<= 1.5", "short")
    assert row("a", "b", "c", [3.0], at_most=1)[3:6] == (3.0, 3.0, 3.0)


def test_the_stored_table_keeps_its_verdicts():
    """A line is met exactly if its ratio is on the right side of its goal."""
    table = stored_table("bench")
    for line in table.itertuples():
        sign, goal = line.goal.split()
        assert line.verdict == ("met" if (line.ratio >= float(goal) if sign == ">=" else line.ratio <= float(goal)) else "short")
        assert line.low <= line.ratio <= line.high
    assert {"SmoothAPLoss", "SupAPLoss", "RecallAtKLoss", "SoftBinAPLoss", "BlackBoxAPLoss", "box_ranks", "mAP@R"} <= set(table["what"])


def test_the_programs_of_the_steps_run(monkeypatch):
    """Their text is run by another process, where no tool sees a name that moved. Here it is run by this one."""
    done = []
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    monkeypatch.setattr(parts, "fresh_peak", lambda prepare, work: exec(f"{prepare}\n{work}\ndone.append(loss)", {"done": done}))
    parts.peak_of_step("SmoothAPLoss()", 16)
    assert isinstance(done.pop(), rb.SmoothAPLoss)
    monkeypatch.setattr(parts, "fresh_ratios", lambda prepare, pairs: exec(f"{prepare}\ndone.extend([slow, quick])", {"done": done}))
    parts.ratios_of_steps("peers.cubic_sup_ap", "SupAPLoss()", 64, pairs=2)
    assert min(ratios(*done, pairs=2)) > 1.5  # the slow one above


def test_the_program_of_the_memory_of_views_runs(monkeypatch):
    done = []
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    monkeypatch.setattr(matchings, "fresh_peak", lambda prepare, work: exec(f"{prepare}\n{work}\ndone.append(loss)", {"done": done}))
    matchings.peak_of_views("peers.full_matching_gap", 3, 5)
    assert done == [peers.full_matching_gap]


def test_the_program_of_the_memory_of_ranks_runs(monkeypatch):
    monkeypatch.setattr(soft_ranks, "fresh_peak", lambda prepare, work: exec(f"{prepare}\n{work}", {}))
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    for ranker in ("partial(ranks.neuralsort_ranks, tau=0.1)", "rank_peers.plain_softsort"):
        soft_ranks.peak_of_ranks(ranker, 2, 16)


def test_the_program_of_a_ranker_alone_runs(monkeypatch):
    done = []
    monkeypatch.setattr(soft_ranks, "fresh_milliseconds", lambda prepare: exec(f"{prepare}\nwork()\ndone.append(1)", {"done": done}))
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    soft_ranks.milliseconds_alone("partial(ranks.projection_ranks, tau=1.0, regularization='kl')", 2, 16)
    assert done


def test_ratios_of_several_processes_come_together():
    found = fresh_ratios("slow, quick = lambda: sum(range(400_000)), lambda: sum(range(100_000))", processes=2, pairs=2)
    assert len(found) == 4 and min(found) > 1.5  # the slow one above


def test_the_command_says_what_it_would_do_and_stores_whole_runs_only(tmp_path, monkeypatch, capsys):
    one = row("a", "b", "c", [3.0], at_most=1)
    monkeypatch.setattr(command, "PARTS", {"first": lambda: iter([one]), "second": lambda: iter([one, one])})
    command.main(["--folder", str(tmp_path)])
    assert "first" in capsys.readouterr().out
    command.main(["second", "--folder", str(tmp_path)])
    assert capsys.readouterr().out.count("goal <= 1") == 2
    assert not list(tmp_path.iterdir())
    command.main(["all", "--folder", str(tmp_path)])
    table = read_table(tmp_path / "bench.csv")
    assert table["ratio"].tolist() == [3, 3, 3]
    assert {*stored_table("bench").columns} == {*table.columns}
    with pytest.raises(SystemExit):
        command.main(["third"])
    assert "no part third; there are all, first, second" in capsys.readouterr().err
