"""Every public name, every kind of bad input: an error that names the argument; never a silent number, never a hang."""

from __future__ import annotations

import inspect
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rankbook as rb
from fuzz.inputs import CLASSES, EMBEDDINGS, GOOD, GRADE, KINDS, LEVELS, SCORES, SIGMOID, SQUARE, Call, N, arguments, floats
from rankbook import road
from rankbook.losses.batch_loss import BatchLoss
from rankbook.losses.score_loss import ScoreLoss

BINARY = torch.tensor([1, 0, 0, 1, 0, 1])
SECONDS = 5  # a call takes milliseconds
UNNAMED = 0.01  # the share of errors that may fail to name their argument

#: Rankers that do not look at the relevance take whatever comes.
UNREAD = frozenset(("relevance", fault) for fault in KINDS["relevance"])
#: A ranker orders graded relevance of any sign; NaN and the like it refuses.
ANY_SIGN = frozenset({("relevance", "negative")})
#: A target on one more item, or the same list longer, is refused under the name of either.
PAIRED = {"scores": ("relevance", "target", "where"), "embeddings": ("labels", "ref_embeddings"), "labels": ("embeddings", "ref_labels")}


def rankers() -> Iterator[Call]:
    for name in rb.ranks.__all__:
        function = getattr(rb, name)
        yield Call(name, function, arguments(function), ANY_SIGN if name == "sup_ranks" else UNREAD)
    yield Call("soft_top_k", rb.soft_top_k, arguments(rb.soft_top_k), UNREAD)
    yield Call("straight_through", rb.straight_through, arguments(rb.straight_through), UNREAD)
    yield Call("straight_through(...)", rb.straight_through(SIGMOID), _good("scores", "where"))


def metrics() -> Iterator[Call]:
    for name in rb.metrics.__all__:
        function = getattr(rb, name)
        if name in ("reduce_lists", "within_top_k"):  # parts of a metric: they get what it has checked
            continue
        yield Call(name, function, arguments(function))


def losses() -> Iterator[Call]:
    """The constructor of each loss, and its call."""
    for name in rb.losses.__all__:
        make = getattr(rb, name)
        if not inspect.isclass(make):
            continue
        good = arguments(make)
        if name == "BatchRankLoss":
            continue  # made of a metric and a step: below
        # how many levels there are, only the labels say
        yield Call(name, make, good, frozenset({("weights", "too few")}) if name == "SupHAPLoss" else frozenset())
        loss = make(**{key: good[key] for key in good if inspect.signature(make).parameters[key].default is inspect.Parameter.empty})
        yield Call(f"{name}(...)", _same_draws(loss) if name == "SimilarityMixup" else loss, *_call_of(name, loss))
        if isinstance(loss, BatchLoss):
            good = _good("embeddings", "ref_embeddings") | {"relevance": rb.shared_levels(LEVELS)}
            yield Call(f"{name}(...) of a relevance", loss, good)
    yield Call("as_loss", rb.as_loss, {"metric": rb.ndcg, "rank_fn": SIGMOID})
    loss = rb.as_loss(rb.ndcg, SIGMOID)
    yield Call(
        "as_loss(...)",
        partial(lambda scores, relevance, where: loss(scores, relevance, where=where)),
        _good("scores", "relevance", "where"),
    )


def _same_draws(loss: nn.Module) -> Callable[..., torch.Tensor]:
    """A loss that draws, made to draw the same at each call."""

    def call(embeddings, labels):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return loss(embeddings, labels)

    return call


def _call_of(name: str, loss: nn.Module) -> tuple[dict[str, Any], frozenset]:
    if name == "HardNegativeRankLoss":
        return {"scores": SQUARE, "where": torch.ones(N, N, dtype=torch.bool)}, frozenset()
    if name == "RankLoss" or isinstance(loss, ScoreLoss):
        return arguments(loss.forward), frozenset()
    if name == "ClusterLoss":
        return _good("embeddings", "labels") | {"query_weights": torch.arange(1.0, N + 1)}, frozenset()
    if name == "PairwiseHashLoss":
        return _good("embeddings", "labels"), frozenset(
            {("embeddings", "longer"), ("embeddings", "another device")}
        )  # more bits are other codes
    if name == "SelfBoostedLoss":
        good = {"scores": SCORES[0], "labels": BINARY, "list_scores": SCORES[:1].expand(N, N).contiguous()}
        good |= {"list_labels": BINARY.expand(N, N).contiguous(), "where": torch.ones(N, N, dtype=torch.bool)}
        return good, frozenset({("labels", "multi-hot"), ("labels", "floats")})
    if name == "MultiMarginalMatchingGap":
        return _good("views"), frozenset()
    if name == "SimilarityMixup":
        return _good("embeddings", "labels"), frozenset({("embeddings", "longer")})  # more dimensions are other embeddings
    # multi-hot columns that this loss does not read are refused all the same
    # alone, labels that lie elsewhere or are fewer are refused; with a reference set the number of levels differs first
    return _good("embeddings", "labels", "ref_embeddings", "ref_labels") | WHO, frozenset()


#: Who is in whose gallery, and what weighs how much, for embeddings.
WHO = {"self_index": torch.arange(N) - 1, "where": torch.arange(N) > 0}
WHO |= {name: torch.arange(1.0, N + 1) for name in ("query_weights", "item_weights")}


def _good(*names: str) -> dict[str, Any]:
    return {name: GOOD[name] for name in names}


def others() -> Iterator[Call]:
    good = {name: value for name, value in arguments(rb.evaluate_retrieval).items() if name != "relevance"}
    yield Call("evaluate_retrieval", rb.evaluate_retrieval, good | WHO)
    whole = {"embeddings": EMBEDDINGS, "ref_embeddings": GOOD["ref_embeddings"], "relevance": rb.shared_levels(LEVELS)}
    yield Call("evaluate_retrieval(...) of a relevance", rb.evaluate_retrieval, whole)
    batches = [torch.tensor([0, 1, 4]), torch.tensor([2, 3, 5])]
    # labels and batches may stay on the CPU, and more dimensions than these are other embeddings
    fine = frozenset({("embeddings", "another device"), ("embeddings", "longer")})
    yield Call("decomposability_gap", partial(rb.decomposability_gap, batches=batches), arguments(rb.decomposability_gap), fine)
    for function in (rb.gap_bound, rb.calibrated_gap_bound, rb.thinned_average_precision):
        yield Call(function.__name__, function, arguments(function))
    yield Call("pairwise_cross_entropy", rb.pairwise_cross_entropy, arguments(rb.pairwise_cross_entropy))
    # without class vectors, more dimensions are other embeddings, on any device
    yield Call("cross_entropy_bound", rb.cross_entropy_bound, arguments(rb.cross_entropy_bound), fine)
    yield Call("same_label", rb.same_label, _good("labels"), frozenset({("labels", "fewer"), ("labels", "another device")}))
    yield Call("shared_levels", rb.shared_levels, {"labels": LEVELS}, frozenset({("labels", "fewer"), ("labels", "another device")}))
    unread = frozenset({("levels", "longer"), ("levels", "another device")})
    yield Call("hierarchical_relevance", rb.hierarchical_relevance, {"levels": GRADE, "alpha": 1.0}, unread)
    probabilities = {"probabilities": SCORES[0].sigmoid()}
    good = probabilities | {"query": EMBEDDINGS}
    yield Call("MonotoneCalibration(...)", rb.MonotoneCalibration(EMBEDDINGS.shape[1]), good)
    yield Call("MonotoneCalibration", rb.MonotoneCalibration, {"query_features": 2, "pieces": 10, "floor": 0.1})
    yield Call(
        "evaluate_probabilities",
        rb.evaluate_probabilities,
        probabilities | {"labels": BINARY, "bins": 5},
        frozenset({("labels", "floats")}),
    )
    corners = {"polygons": torch.tensor([[[1.0, 1.0], [4.0, 1.0], [3.0, 5.0], [1.0, 4.0]]])}
    picture = corners | {"images": floats(1, 3, N, N), "boxes": torch.tensor([[1.0, 1.0, 4.0, 5.0]])}
    knobs = {"tau": 1.0, "sigma": 0.1, "dilation": 2}
    weights = {"unary": 1.0, "local": 1.0, "region": 1.0, "reduction": "mean"}
    yield Call("polygon_box_loss", rb.polygon_box_loss, picture | knobs | weights)
    yield Call("polygon_box_terms", rb.polygon_box_terms, picture | knobs)
    yield Call(
        "soft_inside",
        partial(rb.soft_inside, width=N),
        corners | {"height": N, "tau": 1.0, "rule": "winding"},
        frozenset({("polygons", "another device")}),
    )
    yield Call("leave_query_out", rb.leave_query_out, {"size": 3})


def roads() -> Iterator[Call]:
    speed, agents = 8 + floats(3), floats(3, N, 5).abs()
    alone = frozenset(("speed", fault) for fault in ("longer", "empty", "no dimension", "another device"))
    yield Call("plan_costs", road.plan_costs, {"speed": speed}, alone)
    yield Call("plans", road.plans, {"speed": speed, "aside": speed - 8, "across": speed - 8})
    yield Call("agent_costs", road.agent_costs, {"speed": speed, "agents": agents})
    base, costs, mask = road.plan_costs(speed), road.agent_costs(speed, agents), torch.ones(3, N, dtype=torch.bool)
    for function, name in ((road.total_costs, "seen"), (road.importance, "seen"), (road.needed_order, "there")):
        yield Call(function.__name__, function, {"base": base, "costs": costs, name: mask})


CALLS = [*rankers(), *metrics(), *losses(), *others(), *roads()]


class TooSlow(Exception):
    pass


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise if the block takes longer."""

    def ring(*_: Any) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(call: Callable[[], Any], argument: str) -> str:
    """named, unnamed, silent or hang."""
    try:
        with limit(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except TooSlow:
        return "hang"
    except (ValueError, TypeError) as error:
        names = (argument, *PAIRED.get(argument, ()))
        return "named" if any(name in str(error) for name in names) else f"unnamed ({type(error).__name__}: {error})"
    except Exception as error:
        return f"unnamed ({type(error).__name__}: {error})"
    return "silent"


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_the_good_call_works(call):
    result = call.function(**call.good)
    numbers = result.values() if isinstance(result, dict) else [result]
    for number in numbers:
        assert not isinstance(number, Tensor) or torch.as_tensor(number).isfinite().all()


def test_bad_input_is_refused_by_name():
    found, lines = Counter(), []
    with warnings.catch_warnings(action="ignore"):  # torch's own, about nested and quantized tensors
        faults = [(call, *fault) for call in CALLS for fault in call.faults()]
    for call, argument, fault, bad in faults:
        said = outcome(partial(call.function, **{**call.good, argument: bad}), argument)
        found[said.split(" ")[0]] += 1
        if said != "named":
            lines.append(f"{call.name}, {argument}: {fault}: {said[:150]}")
    total = sum(found.values())
    report = f"{dict(found)} of {total}\n" + "\n".join(lines)
    assert total > 1500, report
    assert found["silent"] == 0, report
    assert found["hang"] == 0, report
    assert found["unnamed"] <= UNNAMED * total, report


@pytest.mark.parametrize("call", [call for call in CALLS if "scores" in call.good or "embeddings" in call.good], ids=str)
def test_views_and_layouts_change_nothing(call):
    """A negative-bit view, a transpose, an expanded tensor and a slice are the same numbers."""
    if not isinstance(call.function, nn.Module) and inspect.isclass(call.function):
        return
    name = "scores" if "scores" in call.good else "embeddings"
    value = call.good[name]
    negative = torch.complex(torch.zeros_like(value), -value).conj().imag
    assert negative.is_neg()
    assert torch.equal(negative, value)
    views = {
        "negative bit": negative,
        "transposed": value.t().contiguous().t(),
        "slice": torch.cat([value, value], dim=-1)[..., : value.shape[-1]],
    }
    expected = call.function(**call.good)
    for view, other in views.items():
        torch.testing.assert_close(call.function(**{**call.good, name: other}), expected, msg=view)


def test_a_public_name_is_fuzzed():
    """A new ranker, metric or loss joins by being public; what is neither is named here with who tests it."""
    elsewhere = {
        "tests/sorters": {*rb.sorters.__all__},
        "tests/training": {"train", "BalancedBatches", "BalancedBatchSampler", "HierarchicalBatchSampler"},
        "tests/metrics": {"reduce_lists", "within_top_k"},
        "tests/scale": {*rb.scale.__all__},
        "tests/losses": {"BatchRankLoss"},
        "tests/test_lists.py": {"flatten_lists", "pad_lists"},
        "modules": {"checks", "datasets", "integrations", "live", "sorters", "viz"},
    }
    fuzzed = {call.name.partition("(...)")[0] for call in CALLS}
    missing = set(rb.__all__) - fuzzed - set().union(*elsewhere.values())
    assert missing == set(), "say in tests/fuzz what a call that works looks like"


def test_the_fuzzer_can_fail():
    def silent(scores: Tensor) -> Tensor:
        return scores

    assert outcome(partial(silent, SCORES), "scores") == "silent"

    def unnamed(scores: Tensor) -> Tensor:
        raise IndexError("out of range")

    assert outcome(partial(unnamed, SCORES), "scores").startswith("unnamed")

    def forever(scores: Tensor) -> None:
        while True:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "SECONDS", 0.05)
        assert outcome(partial(forever, SCORES), "scores") == "hang"
    assert len(EMBEDDINGS) == len(CLASSES)
