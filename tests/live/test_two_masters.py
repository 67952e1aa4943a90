"""One logit, two lists: the solvers against independent ones, and what the figure claims."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from live.test_figures import check
from rankbook.live import TwoMasters
from rankbook.live.two_masters import CLICKS, FEATURE, FLOOR, PIECES, best_logit, heights
from rankbook.losses import RankNetLoss

X, Y = (torch.tensor(values, dtype=torch.float64) for values in (FEATURE, CLICKS))
LISTS = (torch.arange(16) >= 8).long()


@pytest.mark.parametrize("weight", [0.0, 0.4, 3.0])
def test_the_logit_is_the_best_of_both_losses(weight):
    """Their sum as the package has it, minimized by scipy without a derivative."""
    pairs = RankNetLoss()

    def total(at):
        scores = at[0] * X + at[1]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, Y) + weight * pairs(scores.view(2, 8), Y.view(2, 8))
        return loss.item()

    found = minimize(total, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-13, "maxiter": 2000})
    slope, shift = best_logit(X, Y, LISTS, weight)
    assert [slope.item(), shift.item()] == pytest.approx(found.x, abs=1e-4)


def test_the_heights_of_the_map_are_the_most_likely_ones():
    p = torch.sigmoid(3 * X[:8] - 1)
    a = heights(p, Y[:8])
    assert a.sum().item() == pytest.approx(1) and (a >= 0).all()
    share = (1 - FLOOR) * (p[:, None].numpy() * PIECES - np.arange(PIECES)).clip(0, 1) + FLOOR * p[:, None].numpy()

    def cost(weights):
        g = share @ weights
        return -np.mean(np.where(Y[:8].numpy() == 1, np.log(g), np.log1p(-g)))

    best = minimize(
        cost, np.full(PIECES, 1 / PIECES), bounds=[(1e-9, 1)] * PIECES, constraints={"type": "eq", "fun": lambda w: w.sum() - 1}
    )
    assert cost(a.numpy()) == pytest.approx(best.fun, abs=2e-3) and cost(a.numpy()) < cost(np.full(PIECES, 1 / PIECES)) - 0.05


def test_weight_and_map_tell_the_story(open_page):
    figure = TwoMasters()
    page = open_page(figure)
    alone = check(page, figure)
    knob = page.get_by_role("slider", name="weight of the pairs")
    knob.press("Shift+ArrowRight"), knob.press("Shift+ArrowRight")
    paired = check(page, figure)
    page.get_by_role("radio", name="and a map for each list").check()
    both = check(page, figure)
    assert alone["gauc"] < 0.5 < paired["gauc"] == both["gauc"]
    assert both["log_loss"] < alone["log_loss"] < paired["log_loss"]
    assert page.get_by_text("the better item first").count() == 1


def test_each_list_needs_both_kinds():
    with pytest.raises(ValueError, match="clicks must have 0 and 1 in each half"):
        TwoMasters(clicks=[0] * 8 + [0, 1] * 4)
    with pytest.raises(ValueError, match="clicks must hold one value for each of the 16 feature"):
        TwoMasters(clicks=[0, 1] * 4)
