"""Whom an item feels: the knobs are matched by error, and a drag of the item leaves them alone."""

import json

import pytest
import torch

from rankbook.live import FeltNeighbors
from rankbook.live.felt_neighbors import SHOWN, matched_knob, with_knob
from rankbook.ranks import exact_ranks


@pytest.mark.parametrize("error", [0.05, 0.4, 2.0])
@pytest.mark.parametrize("ranker", SHOWN)
def test_a_matched_knob_has_the_error(ranker, error):
    scores = torch.tensor(FeltNeighbors().scores, dtype=torch.float64)
    ranks = with_knob(ranker, matched_knob(ranker, scores, error))(scores)
    assert (ranks - exact_ranks(scores)).abs().mean().item() == pytest.approx(error, rel=1e-6)


def test_distance_crowd_and_gaps():
    gaps, crowd = FeltNeighbors(x=0.7).readout(), FeltNeighbors(x=0.22).readout()
    assert (gaps["projection_felt"], gaps["projection_reach"], crowd["projection_felt"]) == (0, None, 16)
    assert gaps["neuralsort_reach"] > 3 * crowd["neuralsort_reach"]
    assert gaps["sigmoid_reach"] < 2 * crowd["sigmoid_reach"]


def test_a_drag_of_x_changes_no_knob_and_the_slider_all(open_page):
    page = open_page(FeltNeighbors())

    def knobs():
        shown = json.loads(page.locator("[data-values]").get_attribute("data-values"))
        return [shown[f"{ranker}_knob"] for ranker in SHOWN]

    before = knobs()
    page.locator("[data-drag]").press("Shift+ArrowLeft")
    assert knobs() == before
    page.get_by_label("rank error").press("End")
    assert all(after > first for after, first in zip(knobs(), before, strict=True))


def test_describe_says_who_is_felt():
    assert "it feels nobody with the projection" in FeltNeighbors().describe()
    assert "it feels 16 items, 0.040 away on average with the projection" in FeltNeighbors(x=0.22).describe()
