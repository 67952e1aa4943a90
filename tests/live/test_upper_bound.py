"""SupAP in the page equals rankbook and torch autograd to 1e-12, and the figure shows what flatters and what bounds."""

from functools import partial

import pytest
import torch

import rankbook as rb
from live.test_figures import check
from live.test_math import CASES, equal, tensors
from rankbook.live import UpperBound


@pytest.mark.parametrize(("tau", "rho", "delta"), [(0.01, 100, 0.05), (0.1, 1, 0.3), (0.003, 20, 0.011)])
def test_sup_ap_loss_and_gradient(run_math, tau, rho, delta):
    found = run_math(f"suprank.supAPLoss(c.scores, c.relevance, {tau}, {rho}, {delta})", CASES)
    alive = 0
    for case, in_page in zip(CASES, found, strict=True):
        scores, relevance = tensors(case, requires_grad=True)
        loss = 1 - rb.average_precision(scores, relevance, rank_fn=partial(rb.sup_ranks, tau=tau, rho=rho, delta=delta))
        (gradient,) = torch.autograd.grad(loss, scores)
        equal(in_page["loss"], loss)
        slopes = torch.tensor(in_page["gradient"], dtype=torch.float64)
        torch.testing.assert_close(slopes, gradient, rtol=1e-11, atol=1e-12 * max(1, 1 / tau))
        assert in_page["loss"] >= 1 - rb.average_precision(*tensors(case)) - 1e-12
        alive += bool(gradient.abs().max() > 1e-3)
    assert alive > 15


def test_the_item_in_hand_is_the_one_that_the_curves_vary(open_page):
    figure = UpperBound()
    page = open_page(figure)
    assert check(page, figure)["item"] == 5
    page.locator("[data-drag]").nth(1).press("ArrowRight")
    shown = check(page, figure)
    assert (shown["item"], shown["scores"][1]) == (1, 0.85)
    assert page.get_by_text("score of B", exact=True).count() == 1


def test_smooth_ap_flatters_and_sup_ap_does_not(open_page):
    figure = UpperBound(scores=[0.52, 0.51], relevance=[0, 1], item=1)
    page = open_page(figure)
    shown = check(page, figure)
    assert shown["flatters"] is True
    assert shown["smooth"] < shown["exact"] < shown["sup"]
    assert page.get_by_text("flatters by").count() == 1
    page.locator("[data-drag]").nth(1).press("End")
    shown = check(page, figure)
    assert (shown["flatters"], shown["exact"]) == (False, 0)


def test_far_away_the_smooth_push_is_dead_and_that_of_the_bound_is_not(open_page):
    figure = UpperBound(scores=[0.9, 0.1], relevance=[0, 1], item=1, tau=0.01)
    page = open_page(figure)
    shown = check(page, figure)
    assert 0 < shown["smooth_push"] < 1e-6 < 1e-2 < shown["sup_push"]
    assert page.get_by_text(", dead").count() == 1


def test_without_a_relevant_item_there_is_no_loss(open_page):
    figure = UpperBound(relevance=[0] * 8)
    page = open_page(figure)
    assert check(page, figure)["flatters"] is None
    assert page.get_by_text("needs a relevant item").count() == 4
    page.locator("[data-drag]").nth(0).press("Enter")
    assert check(page, figure)["exact"] == 0
    assert figure.describe().endswith("there is no loss.")


def test_the_item_must_be_there():
    with pytest.raises(ValueError, match="item must be a whole number from 0 to 1"):
        UpperBound(scores=[0.1, 0.2], relevance=[0, 1], item=2)
