"""The closed forms of rankers.js equal rankbook and torch autograd, in float64, to 1e-12."""

from functools import partial

import pytest
import torch

from rankbook.live import RankerGallery
from rankbook.live.ranker_gallery import RANKERS

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
RUNNING = RankerGallery().scores


def cases():
    """The running scores, lists with ties, and scores on a grid: items exactly one width apart, where the slope of a box jumps."""
    generator = torch.Generator().manual_seed(3)
    draw = partial(torch.rand, generator=generator, dtype=torch.float64)
    lists = [RUNNING, [0.5, 0.5], [0.3, 0.3, 0.3, 0.9], [*RUNNING[:5], 0.52, *RUNNING[6:]], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]]
    lists += [draw(2 + i % 7).tolist() for i in range(12)]
    lists += [(draw(8).mul(100).round() / 100).tolist() for _ in range(8)]
    return [{"scores": scores, "knob": knob} for scores in lists for knob in (0.003, 0.03, 0.1, 0.3, 3.0)]


CASES = cases()


def rank_fn(ranker, knob):
    function, name = RANKERS[ranker]
    return function if name is None else partial(function, **{name: knob})


@pytest.mark.parametrize("ranker", RANKERS)
def test_ranks_and_jacobians(run_math, ranker):
    found = run_math(f"rankers.RANKERS.{ranker}(c.scores, c.knob)", CASES)
    alive = 0
    for case, answer in zip(CASES, found, strict=True):
        scores = torch.tensor(case["scores"], dtype=torch.float64)
        function = rank_fn(ranker, case["knob"])
        jacobian = torch.autograd.functional.jacobian(function, scores)
        torch.testing.assert_close(torch.tensor(answer["ranks"], dtype=torch.float64), function(scores), **CLOSE)
        # a slope has the unit 1 / knob: what is 1e-12 of the largest is rounding
        scale = max(1.0, 1 / case["knob"]) * len(scores)
        torch.testing.assert_close(torch.tensor(answer["jacobian"], dtype=torch.float64), jacobian, rtol=1e-12, atol=1e-12 * scale)
        alive += bool(jacobian.abs().max() > 1e-3)
    assert alive == 0 if ranker == "exact" else alive > 20


def test_reach(run_math):
    expression = "rankers.reach([0, 0.1, 0.4], [[-3, 2, 1], [0, 0, 0], [0, 0, 0]])"
    # a third of the weight at 0.4, two thirds at 0.1; without weight there is no reach
    assert run_math(f"[{expression}, rankers.reach([0, 1], [[0, 0], [0, 0]])]", [0]) == [[pytest.approx(0.2), None]]


@pytest.mark.parametrize("ranker", RANKERS)
def test_the_page_shows_every_ranker(open_page, ranker):
    from live.test_figures import check

    figure = RankerGallery(knob=0.5)
    page = open_page(figure)
    page.get_by_role("radio").nth(list(RANKERS).index(ranker)).check()
    assert check(page, figure)["ranker"] == ranker
    page.locator("[data-drag]").press("Shift+ArrowLeft")
    assert check(page, figure)["scores"][5] == 0.37
    page.get_by_label("knob").press("Home")
    assert check(page, figure)["knob"] == 0.003


def test_describe_states_reach_or_its_absence():
    assert "no item feels another" in RankerGallery(ranker="projection", knob=0.1).describe()
    assert "an item feels others 0.153 away on average" in RankerGallery().describe()
