"""Pushes on the labels of an instance: pairs split them evenly between the kinds, single labels by their weights and the threshold."""

import pytest

from live.agreement import agree
from live.test_figures import values
from rankbook.live import LabelPushes


@pytest.mark.parametrize("scores", [[0.0] * 8, [4.0, -4.0, 1.0, 0.5, 0.5, -1.0, -2.0, 3.0]])
def test_pairs_split_evenly(scores):
    now = LabelPushes(scores=scores).readout()
    up = sum(push for push, relevant in zip(now["pair_pushes"], now["relevance"], strict=True) if relevant)
    assert up == pytest.approx(0.5)
    assert now["rank_loss"] <= now["bound"]


@pytest.mark.parametrize(("weighting", "share"), [("u1", 0.75), ("u2", 0.75), ("u3", 0.5), ("u4", 0.75)])
def test_at_the_threshold_weights_decide(weighting, share):
    now = LabelPushes(scores=[0.0] * 8, weighting=weighting).readout()
    assert now["on_irrelevant"] == pytest.approx(share)
    assert (now["rank_loss"], now["bound"]) == (1, pytest.approx(2))


def test_one_kind_has_no_pairs(open_page):
    figure = LabelPushes(relevance=[0] * 8)
    assert "no pair to order" in figure.describe()
    page = open_page(figure)
    assert agree(figure, values(page))["bound"] is None
    page.locator("[data-drag]").first.press("Enter")
    assert agree(figure, values(page))["rank_loss"] == 0  # A leads all
    page.get_by_role("radio", name="u3, each kind alike").check()
    assert agree(figure, values(page))["weighting"] == "u3"


def test_what_it_refuses():
    for wrong in ({"scores": [5.0]}, {"relevance": [2] * 8}, {"weighting": "pa"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LabelPushes(**wrong)
