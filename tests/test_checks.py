"""What the checks return; what they refuse is also tested through the metrics (metrics/test_errors.py)."""

import math
import threading

import numpy as np
import pytest
import torch

import rankbook as rb
from rankbook import checks
from rankbook.checks import (
    check_callable,
    check_choice,
    check_count,
    check_counts,
    check_finite,
    check_flag,
    check_instance,
    check_lists,
    check_number,
    check_positive,
    check_relevance,
    check_scores,
    check_tensor,
    check_where,
)


def test_check_tensor_says_how_to_make_one():
    x = torch.rand(2)
    assert check_tensor("x", x) is x
    with pytest.raises(TypeError, match=r"x must be a torch.Tensor, got list; try torch.as_tensor\(x\)"):
        check_tensor("x", [1.0])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_check_finite_names_the_first_bad_index(value):
    x = torch.zeros(2, 3)
    check_finite("x", x)
    x[1, 0] = x[1, 2] = value
    with pytest.raises(ValueError, match=rf"x must be finite, but x\[1, 0\] is {value}; .*upstream"):
        check_finite("x", x)
    check_finite("x", x, where=torch.tensor([False, True, False]))
    with pytest.raises(ValueError, match=r"x\[1, 2\]"):
        check_finite("x", x, where=torch.tensor([False, True, True]))


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, torch.tensor(1.0)])
def test_check_positive_refuses(value):
    with pytest.raises(ValueError, match="tau must be a finite number above 0, got "):
        check_positive("tau", value)


def test_check_positive_returns_a_float():
    assert isinstance(check_positive("tau", 1), float)
    assert check_positive("tau", 1e-30) == 1e-30


def test_check_where_broadcasts():
    assert check_where(None, torch.zeros(2, 3)) is None
    assert check_where(torch.tensor([True, False, True]), torch.zeros(2, 3)).tolist() == [[True, False, True]] * 2


@pytest.mark.parametrize("given", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_check_scores_keeps_wide_dtypes(given):
    scores, where = check_scores(torch.rand(3).to(given))
    assert scores.dtype == (given if given in (torch.float32, torch.float64) else torch.float32)
    assert where is None


def test_check_scores_hides_absent_items_from_value_and_gradient():
    scores = torch.tensor([1.0, torch.nan, torch.inf], requires_grad=True)
    checked, where = check_scores(scores, torch.tensor([True, False, False]))
    assert checked.tolist() == [1, 0, 0]
    assert where.tolist() == [True, False, False]
    (checked * 3).sum().backward()
    assert scores.grad.tolist() == [3, 0, 0]


def test_check_scores_uses_the_given_name():
    with pytest.raises(ValueError, match=r"^logits must have shape"):
        check_scores(torch.rand(0), name="logits")


def test_check_relevance_takes_the_dtype_and_shape_of_the_scores():
    scores = torch.rand(2, 3, dtype=torch.float64)
    relevance = check_relevance(torch.tensor([True, False, True]), scores, None)
    assert relevance.dtype == torch.float64
    assert relevance.tolist() == [[1, 0, 1]] * 2
    where = torch.tensor([[True, True, False]]).expand(2, 3)
    assert check_relevance(torch.tensor([1.0, 2.0, torch.nan]), scores, where).tolist() == [[1, 2, 0]] * 2


def test_check_relevance_wants_the_device_of_the_scores():
    with pytest.raises(ValueError, match="relevance must be on the device of scores, cpu, got meta"):
        check_relevance(torch.ones(3, device="meta"), torch.rand(3), None)


def test_check_lists_names_the_first_negative_relevance():
    with pytest.raises(ValueError, match=r"relevance must be >= 0 \(0 = irrelevant\), but relevance\[0, 1\] is -1"):
        check_lists(torch.rand(2, 3), torch.tensor([0, -1, 2]), None)


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int64(3)])
def test_check_number_takes_numbers_of_python_and_numpy(value):
    number = check_number("x", value, above=0, at_most=3)
    assert type(number) is float
    assert number == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "3", None, [3], 3j, torch.tensor(3.0), 10**400, 4, 0])
def test_check_number_refuses_the_rest(value):
    with pytest.raises((ValueError, TypeError), match=r"^margin must be a finite number above 0 and of at most 3, got "):
        check_number("margin", value, above=0, at_most=3)


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_check_count_takes_any_whole_number(value):
    assert type(check_count("k", value)) is int
    assert check_counts("k", [value, 5]) == (2, 5)


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "2", None, math.nan, torch.tensor(2)])
def test_check_count_refuses_the_rest(value):
    with pytest.raises(ValueError, match=r"^k must be a whole number of at least 1, got "):
        check_count("k", value)
    with pytest.raises(ValueError, match=r"^k must be "):
        check_counts("k", [1, value])


def test_check_counts_says_how_to_write_a_sequence():
    with pytest.raises(ValueError, match=r"k must be a sequence of whole numbers such as \(1, 2, 4\), got 10; try \(10,\)"):
        check_counts("k", 10)
    with pytest.raises(ValueError, match="k must hold at least one whole number"):
        check_counts("k", ())


def test_check_flag_choice_callable_instance():
    assert check_flag("include_query", False) is False
    for bad in ("False", 1, None):
        with pytest.raises(TypeError, match="include_query must be True or False, got "):
            check_flag("include_query", bad)
    assert check_choice("ties", "max", ["max", "min"]) == "max"
    with pytest.raises(ValueError, match=r"""ties must be "max" or "min", got 'best'"""):
        check_choice("ties", "best", ["max", "min"])
    assert check_callable("metric", max) is max
    with pytest.raises(TypeError, match=r"metric must be callable, .* got 'ndcg'"):
        check_callable("metric", "ndcg")
    assert check_instance("path", "x", str, "'a.csv'") == "x"
    with pytest.raises(TypeError, match=r"path must be a str, such as 'a.csv', got 3"):
        check_instance("path", 3, str, "'a.csv'")


def test_check_tensor_resolves_a_negative_view():
    x = torch.tensor([1.0, -2.0])
    negative = torch.complex(torch.zeros(2), -x).conj().imag
    assert negative.is_neg()
    checked = check_tensor("x", negative)
    assert not checked.is_neg()
    assert torch.equal(checked, x)


def test_values_are_not_read_where_they_cannot_be():
    bad = torch.tensor([math.nan])
    assert checks.reads_values(bad)
    with pytest.raises(ValueError, match="x must be finite"):
        check_finite("x", bad)
    with checks.off():
        with checks.off():
            check_finite("x", bad)
        check_finite("x", bad)
    assert checks.reads_values(bad)
    assert not checks.reads_values(bad.to("meta"))

    def looked_at(x):
        seen.append(checks.reads_values(x))
        return x.sum()

    seen = []
    torch.func.grad(looked_at)(torch.ones(2))
    torch.func.vmap(looked_at)(torch.ones(2, 2))
    assert seen == [False, False]


def test_off_comes_back_after_an_error():
    with pytest.raises(KeyError), checks.off():
        raise KeyError
    assert checks.reads_values()


def test_check_relevance_exact_keeps_what_float32_would_tie():
    scores = torch.zeros(3)
    seconds = torch.tensor([1_700_000_000, 1_700_000_001, 1_700_000_002])
    assert check_relevance(seconds, scores, None, exact=True).tolist() == seconds.tolist()
    assert len(set(check_relevance(seconds, scores, None).tolist())) == 1
    where = torch.tensor([True, False, True])
    assert check_relevance(seconds, scores, where, exact=True)[1] == 0
    assert check_relevance(torch.tensor([True, False, True]), scores, None, exact=True).dtype == torch.int64
    assert check_relevance(torch.ones(3, dtype=torch.bfloat16), scores, None, exact=True).dtype == torch.float32


def test_warn_points_at_the_line_that_called_the_package():
    with pytest.warns(UserWarning, match="look here") as heard:
        checks.warn("look here")
    assert heard[0].filename == __file__


def test_blocks_that_overlap_in_threads():
    """The block that opened first closes first: the checks come back with the last one."""
    nan = torch.tensor([float("nan"), 1.0])
    inside, first_closed = threading.Event(), threading.Event()

    def second() -> None:
        with checks.off():
            inside.set()
            first_closed.wait(5)

    thread = threading.Thread(target=second)
    with checks.off():
        thread.start()
        assert inside.wait(5)
    assert not checks.reads_values(nan), "the other block is still open"
    first_closed.set()
    thread.join()
    with pytest.raises(ValueError, match=r"scores\[0\]"):
        rb.exact_ranks(nan)
