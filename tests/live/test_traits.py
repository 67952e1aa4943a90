"""Each trait of each figure refuses what is absurd by its name and at once, or lives with it."""

import math
import time

import pytest
import torch
import traitlets

from live.conftest import FIGURES
from rankbook.live import LearnedSorters, MetricBoard, RankerGallery, RankStrip, TieOrders

QUICK = 2.0  # seconds of this process, whatever else the machine does
ABSURD = [1e18, -1, -1e18, math.nan, math.inf, 10**9, 10**400, "x", "", None, True, [], {}, object(), torch.zeros(3)]
TRAITS = [(figure, name) for figure in FIGURES for name in figure().figure_state()]


def numbers(value):
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, int | float) else []


def refusal(change):
    """What ``change()`` says if it refuses; an error of another kind is a failure."""
    try:
        change()
    except (traitlets.TraitError, ValueError, TypeError) as error:
        return str(error)
    return None


def answers(figure):
    """The figure still shows numbers, all finite."""
    assert all(math.isfinite(number) for one in figure.readout().values() for number in numbers(one))
    assert figure.describe()


@pytest.mark.parametrize(("kind", "name"), TRAITS, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_absurd_values(kind, name):
    figure = kind()
    now = getattr(figure, name)
    inside = [[*now[:-1], value] for value in ABSURD] + [now * 1000, now[:-1], tuple(now)] if isinstance(now, list) else []
    for value in ABSURD + inside:
        begin, before = time.process_time(), figure.figure_state()
        said = refusal(lambda value=value: setattr(figure, name, value))
        answers(figure)
        assert said is None or name in said, f"{value!r:.40}: the error does not name {name}: {said}"
        assert said is None or figure.figure_state() == before
        assert time.process_time() - begin < QUICK, f"{value!r:.40}: not at once"


@pytest.mark.parametrize(("kind", "name"), TRAITS, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_absurd_values_at_the_start(kind, name):
    for value in ABSURD:
        begin = time.process_time()
        said = refusal(lambda value=value: answers(kind(**{name: value})))
        assert said is None or name in said, f"{value!r:.40}: the error does not name {name}: {said}"
        assert time.process_time() - begin < QUICK, f"{value!r:.40}: not at once"


@pytest.mark.parametrize(
    "change",
    [
        {"options": {"hidden": 10**9}},
        {"options": {"hidden": 7}},
        {"architecture": "SetTransformerSorter", "options": {"hidden": 8, "layers": 10**9, "inducing": 2, "heads": 1}},
        {"options": {"hidden": 16, "depth": 3}},
        {"architecture": "object"},
        {"data": "AAAA"},
        {"data": 3},
        {"layout": [["a", 10**9, 10**9]]},
    ],
    ids=str,
)
def test_damaged_networks_are_refused_before_they_are_built(change):
    packed = LearnedSorters(["kernel"]).networks[0]
    begin = time.process_time()
    with pytest.raises(ValueError, match=r"networks\[0\]"):
        LearnedSorters(networks=[packed | change])
    assert time.process_time() - begin < QUICK


@pytest.mark.parametrize("sorters", ["kernel", [], {}, None, 10**9])
def test_sorters_that_are_no_list_of_names(sorters):
    with pytest.raises(ValueError, match="sorters must be one or more names"):
        LearnedSorters(sorters)


def test_lengths_change_together_or_not_at_all():
    strip = RankStrip()
    with strip.hold_trait_notifications():
        strip.scores, strip.relevance, strip.k = [0.2, 0.9], [1, 0], 1
    assert strip.readout()["average_precision"] == 0.5
    with pytest.raises(ValueError, match="relevance must hold one value for each of the 1 scores, got 2"), strip.hold_trait_notifications():
        strip.scores = [0.2]
    assert strip.scores == [0.2, 0.9]
    with pytest.raises(ValueError, match=r"k must be a whole number from 1 to 2 \(there are 2 scores\), got 3"):
        strip.k = 3
    with pytest.raises(ValueError, match="item must be a whole number from 0 to 1"):
        RankerGallery(scores=[0.1, 0.2], item=5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RankStrip(scores=[0.1, 1.5]), r"scores\[1\] must be a finite number of at least 0 and of at most 1, got 1\.5"),
        (lambda: RankStrip(relevance=[2] * 8), r"relevance\[0\] must be a whole number from 0 to 1, got 2"),
        (lambda: RankStrip(scores=[], relevance=[]), "scores must hold 1 to 26 numbers, got 0"),
        (lambda: RankStrip(scores=torch.rand(8)), r"scores must be a list .*try \.tolist\(\)"),
        (lambda: MetricBoard(models=[]), r"models must be a list of 1 to 6 pairs of a name and its scores, got \[\]"),
        (lambda: MetricBoard(models=[["a", [0.5]], ["a", [0.5]]]), "models must have names of their own"),
        (lambda: MetricBoard(models=[["a", [0.5]]]), r"models and scores must have the same number of items, got \[1\] and 8"),
        (lambda: MetricBoard(models=[["a", [2.0]]]), r"models\[0\]\[1\]\[0\] must be a finite number of at least 0 and of at most 1"),
        (lambda: MetricBoard(models=[["a"]]), r"models\[0\] must be a pair of a name and its scores"),
        (lambda: TieOrders(step=0.001), "step must be 0 .* or from 0.01 to 1, got 0.001"),
        (lambda: RankerGallery(ranker="bubble"), 'ranker must be "exact", "sigmoid"'),
        (lambda: RankerGallery(knob=0.0), "knob must be a finite number of at least 0.003"),
        (
            lambda: LearnedSorters(["kernel"], shuffles=10**18),
            "shuffles must be a whole number from 0 to 1000000",
        ),  # JavaScript would round it
        (lambda: LearnedSorters(["kernel"], sorter="b"), "sorter must be one of kernel, got 'b'"),
    ],
)
def test_what_an_error_says(make, message):
    with pytest.raises((ValueError, traitlets.TraitError), match=message):
        make()


def test_defaults_are_not_shared():
    one = RankStrip()
    one.scores.append(0.5)
    assert len(RankStrip().scores) == 8
