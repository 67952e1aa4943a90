"""A loss prints every argument of its constructor, so that a checkpoint tells two losses apart, and so does a reader."""

import inspect
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import rankbook as rb
from rankbook.described import arguments, described
from rankbook.ranks.smooth import SigmoidStep
from rankbook.ranks.suprank import SupStep
from rankbook.retrieval.counts import MetricHead

LOSSES = {name: getattr(rb, name) for name in [*rb.losses.__all__, "DistributedLoss"] if isinstance(getattr(rb, name), type)}
SMOOTH = partial(rb.sigmoid_ranks, tau=0.1)
RANKERS = [
    SMOOTH,
    partial(rb.sigmoid_ranks, tau=0.2),
    partial(rb.laplace_ranks, tau=0.1),
    rb.straight_through(SMOOTH),
    rb.straight_through(partial(rb.sigmoid_ranks, tau=0.2)),
    rb.straight_through(SMOOTH, ties="min"),
    rb.KnotSorter(),
    rb.UpdatingSorter(rb.KnotSorter(), lr=1e-4),
]
METRICS = [rb.average_precision, rb.ndcg, partial(rb.ndcg, k=3), partial(rb.ndcg, k=4), partial(rb.hierarchical_ap, rank_fn=SMOOTH)]
STEPS = [SigmoidStep(0.1), SigmoidStep(0.2), SupStep(0.1, 3.0, 0.2), SupStep(0.1, 3.0, 0.3), SupStep(0.1, 4.0, 0.2), SupStep(0.2, 6.0, 0.4)]
NUMBERS = [0.25, 0.2500001, 0.75]
COUNTS = [2, 3]
FLAGS = [False, True]
# By the name of the argument: values of which each two make two losses.
VALUES = {
    **dict.fromkeys(("tau", "rho", "delta", "tau_rank", "tau_score", "temperature", "alpha", "sigma", "strength", "epsilon"), NUMBERS),
    **dict.fromkeys(("margin", "pos_margin", "neg_margin", "calibration_weight", "quantization", "tolerance"), NUMBERS),
    **dict.fromkeys(("classes", "dimensions", "bins", "iterations"), COUNTS),
    **dict.fromkeys(("include_query", "violations_only", "balanced", "as_queries"), FLAGS),
    **dict.fromkeys(("ranker", "rank_fn"), RANKERS),
    "metric": METRICS,
    "metric_kwargs": [3, 4],
    "step": STEPS,
    "head": [MetricHead(rb.ndcg, rb.exact_ranks), MetricHead(rb.ndcg, SMOOTH), MetricHead(rb.average_precision, SMOOTH)],
    "reduction": ["mean", "sum"],
    "k": [(1, 2), (1, 4), (1,)],
    "gain": [torch.exp2, torch.square],
    "order": ["relevance", "levels"],
    "weights": [None, (1.0, 2.0), (1.0, 3.0)],
    "weighting": ["pa", "u1", "u2", "u3", "u4"],
    "loss": [rb.SmoothAPLoss(0.1), rb.SmoothAPLoss(0.2), rb.SupAPLoss(0.1)],
}
STATE = {"generator"}  # no setting
CHANGES = [(name, one) for name, loss in LOSSES.items() for one in inspect.signature(loss).parameters if one not in STATE]


@pytest.mark.parametrize(("name", "changed"), CHANGES)
@pytest.mark.parametrize("told", [repr, described])
def test_each_argument_changes_what_it_says(name, changed, told):
    parameters = inspect.signature(LOSSES[name]).parameters.values()
    needed = {one.name: VALUES[one.name][0] for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD}
    key = "k" if changed == "metric_kwargs" else changed
    said = [told(LOSSES[name](**needed | {key: value})) for value in VALUES[changed]]
    assert len(set(said)) == len(said) > 1
    assert not any(" at 0x" in text for text in said)


def test_what_is_said_is_the_same_in_a_copy():
    assert described(rb.RankLoss(rb.ndcg, partial(rb.sigmoid_ranks, tau=0.1), k=2)) == (
        "RankLoss(metric=rankbook.ndcg, rank_fn=rankbook.sigmoid_ranks(tau=0.1), k=2)"
    )


def test_arrays_are_told_by_what_they_hold():
    fixed = np.arange(3)
    fixed.flags.writeable = False
    arrays = [fixed, np.arange(3)[::-1], np.arange(3.0), np.arange(3).astype(">i4"), np.array(["a", "b"]), np.array([1, "b"], dtype=object)]
    tensors = [
        torch.arange(3),
        torch.arange(3.0),
        torch.arange(3.0).bfloat16(),
        torch.eye(3).to_sparse(),
        torch.tensor([2]),
        torch.zeros(0),
    ]
    said = [described(one) for one in arrays + tensors]
    assert len(set(said)) == len(said)
    assert described(np.arange(3)) == said[0] and described(torch.arange(6)[::2] // 2) == described(torch.arange(3))


def test_what_holds_itself_ends():
    module = nn.Module()
    module.held = [module]
    held = {}
    held["it"] = held
    assert described(module) == "Module()" and described(held) == "{'it': ...}"


def test_a_loss_of_the_reader_needs_to_say_nothing():
    class Margin(nn.Module):
        def __init__(self, margin, weights, inner, **more):
            super().__init__()
            self.margin, self.weights, self.inner, self.more, self.calls = margin, weights, inner, more, 0

    loss = Margin(0.1, torch.tensor([1.0, 2.0]), rb.SmoothAPLoss(), steep=2)
    said = described(loss)
    loss.calls += 1
    assert described(loss) == said  # a state is no setting
    others = [
        Margin(0.2, loss.weights, loss.inner, steep=2),
        Margin(0.1, torch.tensor([1.0, 3.0]), loss.inner, steep=2),
        Margin(0.1, loss.weights, rb.SupAPLoss(), steep=2),
        Margin(0.1, loss.weights, loss.inner, steep=3),
    ]
    assert len({said, *map(described, others)}) == 5
    assert arguments(len) == ""
