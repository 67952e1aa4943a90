"""What a batch believes, against all of its draws counted; RS@k in the page, against autograd; and what they refuse."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch

import rankbook as rb
from live.test_figures import check
from live.test_math import CASES, equal, tensors
from rankbook.live import BatchRivals, SoftRecall

LIST = {"q query": ["a", "+b", "c", "d", "+e", "f"]}  # and four items behind them


def recall_of(negatives, k):
    """Recall at k of the list when only these negatives (0 to 3 shown) are there; positives stand behind 1 and 3 of them."""
    ranks = [1 + sum(n < 1 for n in negatives), 2 + sum(n < 3 for n in negatives)]
    return sum(rank <= k for rank in ranks) / min(k, 2)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [3, 4, 7, 10, 11])
def test_the_average_is_that_of_all_batches(k, size):
    figure = BatchRivals(LIST, gallery=11, size=size, k=k)
    batches = list(combinations(range(8), size - 3))
    now = figure.readout()
    assert now["average"] == pytest.approx(np.mean([recall_of(batch, k) for batch in batches]), abs=1e-12)
    assert now["whole"] == recall_of(range(8), k)
    held = [n for n, there in enumerate(np.array(now["held"])[[0, 2, 3, 5]]) if there]
    assert now["batch"] == recall_of(held, k)
    assert now["held"][1] == now["held"][4] == 1 and now["in_batch"] == size


def test_draws_are_random_and_larger_batches_hold_smaller_ones():
    items = {"q query": ["x"] * 59 + ["+y"]}
    shares = []
    for draw in range(60):
        held = [np.array(BatchRivals(items, gallery=4402, size=size, draw=draw).readout()["held"]) for size in (500, 2000)]
        assert (held[0] <= held[1]).all()
        shares.append(held[1][:-1].mean())
    assert np.mean(shares) == pytest.approx(1998 / 4400, abs=4 * (0.25 / 59 / 60) ** 0.5)
    assert len({tuple(BatchRivals(items, gallery=4402, size=500, draw=d).readout()["held"]) for d in range(9)}) > 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"queries": {"q": ["+a", "+b"]}, "gallery": 99}, "lists must have lines of a name"),
        ({"queries": {"q": ["a", "+b"] * 31}, "gallery": 99}, "at most 60 pictures"),
        ({"queries": {"q": ["a", "+b"] * 10}, "gallery": 20}, "fewer than the gallery of 20"),
        ({"queries": LIST, "gallery": 99, "query": 1}, "query must be a line of the 1 of lists"),
        ({"lists": " "}, "lists must be a text with a line for each query"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        BatchRivals(**wrong)


def test_the_reader_drags_and_draws(open_page):
    figure = BatchRivals(size=30)
    page = open_page(figure)
    first = check(page, figure)
    assert first["batch"] == 1 > first["whole"] == 0.5
    page.get_by_role("slider", name="size of the batch").press("End")
    assert check(page, figure)["batch"] == 0.5
    page.get_by_role("button", name="Another batch").click()
    assert check(page, figure)["draw"] == 2
    page.get_by_role("radio", name="recall@1", exact=True).check()
    assert check(page, figure)["k"] == 1


@pytest.mark.parametrize(("tau_score", "tau_rank"), [(0.01, 1.0), (0.1, 0.2), (0.3, 2.0)])
def test_the_loss_of_the_page_and_its_gradient(run_math, tau_score, tau_rank):
    found = run_math(f"soft_metrics.softRecallLoss(c.scores, c.relevance, c.k, {tau_score}, {tau_rank})", CASES)
    alive = 0
    for case, in_page in zip(CASES, found, strict=True):
        scores, relevance = tensors(case, requires_grad=True)
        ranker = partial(rb.sigmoid_ranks, tau=tau_score)
        loss = 1 - rb.capped_recall(scores, relevance, k=(case["k"],), tau_rank=tau_rank, rank_fn=ranker)
        (gradient,) = torch.autograd.grad(loss, scores)
        equal(in_page["loss"], loss)
        torch.testing.assert_close(torch.tensor(in_page["gradient"], dtype=torch.float64), gradient, rtol=1e-9, atol=1e-11)
        alive += bool(gradient.abs().max() > 1e-3)
    assert alive > 15


@pytest.mark.parametrize("tau_rank", [1.0, 0.05])
def test_a_perfect_list_keeps_half_a_place(tau_rank):
    """The last of k positives stands at rank k, where the cut is 1/2."""
    now = SoftRecall(tau_score=0.003, tau_rank=tau_rank).readout()
    inside = [1 / (1 + np.exp(-(3 - place) / tau_rank)) for place in (1, 2, 3)]
    assert now["exact"] == 0
    assert now["floor"] == pytest.approx(1 - sum(inside) / 3) and now["loss"] == pytest.approx(now["floor"], abs=1e-6)
    assert SoftRecall(tau_score=0.003, tau_rank=0.05, k=4).readout()["loss"] < 1e-6


def test_without_a_relevant_item_the_figure_says_so(open_page):
    figure = SoftRecall(relevance=[0] * 8)
    page = open_page(figure)
    assert check(page, figure)["loss"] is None and figure.describe().endswith("there is no loss.")
    assert page.get_by_text("needs a relevant item").count() == 4
    with pytest.raises(ValueError, match="k must be a whole number from 1 to 2"):
        SoftRecall(scores=[0.1, 0.2], relevance=[0, 1], k=3)
