"""Every constructor argument and knob of the sorters' functions refuses what it cannot be, by name; numbers of numpy are fine."""

import inspect
from functools import partial

import numpy as np
import pytest
import torch

import rankbook as rb
from sorters.models import SMALL, small

NO_COUNT = [0, -1, 2.0, torch.nan, torch.inf, True, "3", None, [3], torch.tensor(3), object()]
NO_POSITIVE = [0, -1.0, torch.nan, torch.inf, True, "0.1", None, [0.1], torch.tensor(0.1), object()]
NO_FLAG = ["False", 0, None, torch.tensor(True)]
NO_RANKER = [None, 0.5, "sigmoid"]
KINDS = {"n": NO_COUNT, "standardized": NO_FLAG, "width": NO_POSITIVE}  # of the architectures; the others are counts

KNOTS = small(rb.KnotSorter)
SIGMOID = partial(rb.sigmoid_ranks, tau=0.1)
SCORES = torch.randn(3, 9)
OPTIONAL = {"every", "generator", "checkpoint", "device"}

#: Of each function: a call that works, and what each of its knobs cannot be.
FUNCTIONS = {
    "train_sorter": (
        partial(rb.train_sorter, KNOTS, steps=1, n=5, batch=2),
        {
            "steps": NO_COUNT,
            "n": [1, 0, 2.5, torch.nan, True, "5", (5,), (2, 3, 4), (2.0, 5), (5, 2), (True, 5), torch.tensor(5)],
            "batch": NO_COUNT,
            "lr": NO_POSITIVE,
            "guidance": [-0.1, torch.nan, torch.inf, True, "0.1", None],
            "mixture": ["cauchy", None, 3, ["code"], "Code"],
            "seed": [-1, 0.5, torch.nan, True, "0", None],
            "every": [x for x in NO_COUNT if x is not None],
        },
    ),
    "synthetic_scores": (
        partial(rb.synthetic_scores, n=5, batch=2),
        {
            "n": NO_COUNT,
            "batch": NO_COUNT,
            "mixture": ["cauchy", None, 3, ["code"], "Code"],
            "generator": [0, "0", torch.Generator],
            "dtype": [torch.int64, torch.float8_e4m3fn, torch.complex64, float, "float32", None],
        },
    ),
    "UpdatingSorter": (partial(rb.UpdatingSorter, small(rb.KnotSorter)), {"lr": NO_POSITIVE, "lists": NO_COUNT}),
    "rank_error": (
        partial(rb.rank_error, SIGMOID, SCORES),
        {"chunk_size": NO_COUNT},
    ),
    "rank_descent": (
        partial(rb.rank_descent, SIGMOID, n=5, lists=2, steps=1),
        {
            "n": [*NO_COUNT, 1],
            "lists": NO_COUNT,
            "steps": NO_COUNT,
            "lr": NO_POSITIVE,
            "seed": [-1, 0.5, torch.nan, True, "0", None],
        },
    ),
    "gradient_cosine": (partial(rb.gradient_cosine, SIGMOID, SIGMOID, SCORES), {"seed": [-1, 0.5, torch.nan, True, "0", None]}),
}


@pytest.mark.parametrize(
    ("architecture", "name", "bad"),
    [
        pytest.param(kind, name, bad, id=f"{kind.__name__}-{name}-{bad!r:.20}")
        for kind in SMALL
        for name in inspect.signature(kind).parameters
        for bad in KINDS.get(name, NO_COUNT)
    ],
)
def test_an_architecture_refuses_by_name(architecture, name, bad):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must be"):
        architecture(**SMALL[architecture] | {name: bad})


@pytest.mark.parametrize("architecture", SMALL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("integer", [np.int64, np.int32, np.uint8], ids=lambda kind: kind.__name__)
def test_an_architecture_takes_numbers_of_numpy(architecture, integer, tmp_path):
    arguments = {name: integer(value) for name, value in SMALL[architecture].items()}
    if architecture is rb.KernelSorter:
        arguments["width"] = np.float32(1)
    sorter = architecture(**arguments)
    assert sorter.length is None or type(sorter.length) is int
    card = rb.save_sorter(sorter, tmp_path, arguments)
    assert card["arguments"] == arguments
    assert type(rb.load_sorter(tmp_path)) is architecture


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_knob_of_a_function_is_under_test(function):
    known = set(FUNCTIONS[function][1]) | OPTIONAL | {"sorter", "ranker", "reference", "scores"}
    assert set(inspect.signature(getattr(rb, function)).parameters) <= known


@pytest.mark.parametrize(
    ("function", "knob", "bad"),
    [
        pytest.param(function, knob, bad, id=f"{function}-{knob}-{bad!r:.20}")
        for function, (_, knobs) in FUNCTIONS.items()
        for knob, values in knobs.items()
        for bad in values
    ],
)
def test_a_function_refuses_by_name(function, knob, bad):
    with pytest.raises((ValueError, TypeError), match=rf"^{knob} must be"):
        FUNCTIONS[function][0](**{knob: bad})


def test_functions_take_numbers_of_numpy():
    i, f = np.int64, np.float32
    rb.train_sorter(KNOTS, steps=i(2), n=i(5), batch=i(2), lr=f(0.1), guidance=f(0), seed=i(0), every=i(1))
    rb.train_sorter(KNOTS, steps=2, n=(i(4), i(5)), batch=2)
    assert rb.synthetic_scores(i(5), i(2)).shape == (2, 5)
    assert rb.UpdatingSorter(small(rb.KnotSorter), lr=f(0.1), lists=i(3)).lists == 3
    assert rb.rank_error(SIGMOID, SCORES, chunk_size=i(2)).shape == (3,)
    rb.rank_descent(SIGMOID, n=i(5), lists=i(2), steps=i(1), lr=f(0.1), seed=i(3))
    rb.gradient_cosine(SIGMOID, SIGMOID, SCORES, seed=i(3))


@pytest.mark.parametrize("bad", NO_RANKER)
def test_what_is_no_ranker_is_refused(bad):
    for call in (
        lambda: rb.rank_error(bad, SCORES),
        lambda: rb.rank_descent(bad),
        lambda: rb.gradient_cosine(bad, SIGMOID, SCORES),
    ):
        with pytest.raises(TypeError, match="ranker must be callable"):
            call()
    with pytest.raises(TypeError, match="reference must be callable"):
        rb.gradient_cosine(SIGMOID, bad, SCORES)
    for call, kind in ((partial(rb.train_sorter, steps=1), "a Sorter"), (rb.UpdatingSorter, "a module with weights")):
        with pytest.raises(TypeError, match=f"sorter must be {kind}"):
            call(bad)


def test_a_ranker_without_a_gradient_is_named():
    with pytest.raises(RuntimeError, match=r"ranker has no gradient: .* look for detach"):
        rb.rank_descent(rb.exact_ranks, n=5)
    with pytest.raises(RuntimeError, match="reference has no gradient"):
        rb.gradient_cosine(SIGMOID, rb.exact_ranks, SCORES)


@pytest.mark.parametrize("shape", [(9,), (2, 3, 9)])
def test_scores_are_lists(shape):
    for call in (lambda s: rb.rank_error(SIGMOID, s), lambda s: rb.gradient_cosine(SIGMOID, SIGMOID, s)):
        with pytest.raises(ValueError, match=r"scores must have shape \[lists, n\], got .*; try scores\.reshape"):
            call(torch.randn(shape))


@pytest.mark.parametrize("bad", [None, 3, ["kernel"], b"kernel"], ids=repr)
def test_names_of_another_type_are_refused(bad):
    for read in (rb.load_sorter, rb.sorter_card):
        with pytest.raises(TypeError, match=r"name must be one of .*kernel"):
            read(bad)


@pytest.mark.parametrize("bad", ["gpu", None, 1.5])
def test_devices_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match='device must be a device of torch, such as "cpu"'):
        rb.load_sorter("kernel", device=bad)
