"""The metrics of metric_gradient.js and their gradients equal rankbook and torch autograd, in float64, to 1e-12."""

from functools import partial

import pytest
import torch

import rankbook as rb
from live.test_math import CASES, CLOSE, equal, tensors
from rankbook.live import MetricGradient
from rankbook.live.metric_gradient import METRICS


@pytest.mark.parametrize("metric", METRICS)
def test_value_and_gradient(run_math, metric):
    items = "c.scores, c.relevance"
    found = run_math(f"[soft_metrics.softMetric('{metric}', {items}, c.tau), soft_metrics.exactMetric('{metric}', {items})]", CASES)
    alive = 0
    for case, (soft, exact) in zip(CASES, found, strict=True):
        scores, relevance = tensors(case, requires_grad=True)
        to_train, to_measure = METRICS[metric]
        value = to_train(scores, relevance, rank_fn=partial(rb.sigmoid_ranks, tau=case["tau"]))
        equal(soft["value"], value)
        equal(exact, to_measure(scores, relevance))
        (gradient,) = torch.autograd.grad(value, scores)
        # a slope has the unit 1 / tau: what is 1e-12 of the largest is rounding
        torch.testing.assert_close(
            torch.tensor(soft["gradient"], dtype=torch.float64), gradient, rtol=1e-12, atol=1e-12 * max(1, 1 / case["tau"])
        )
        assert abs(sum(soft["gradient"])) < CLOSE["atol"] / case["tau"]
        alive += bool(gradient.abs().max() > 1e-3)
    assert alive > 20


def test_without_a_positive_nothing_moves(run_math):
    assert run_math("soft_metrics.softMetric('RR', [0.1, 0.2], [0, 0], 0.1)", [0]) == [{"value": None, "gradient": [0, 0]}]
    assert run_math("soft_metrics.exactMetric('RR', [0.1, 0.2], [0, 0])", [0]) == [None]
    assert MetricGradient(relevance=[0] * 8).describe().endswith("Here nothing moves.")


def test_each_metric_is_shown(open_page):
    from live.test_figures import check

    figure = MetricGradient()
    page = open_page(figure)
    hardest = {}
    for place, metric in enumerate(METRICS):
        page.get_by_role("radio").nth(place).check()
        shown = check(page, figure)
        assert shown["metric"] == metric
        hardest[metric] = shown["hardest"]
    assert len(set(hardest.values())) > 1  # the metric decides
    page.get_by_label("temperature").press("Home")
    assert check(page, figure)["tau"] == 0.003
    for item in (0, 2, 5):
        page.locator("[data-drag]").nth(item).press("Enter")
    shown = check(page, figure)
    assert (shown["value"], shown["hardest"]) == (None, None)
    assert page.get_by_text("needs a relevant item").count() == 1
