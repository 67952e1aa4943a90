"""What the checks return; what they refuse is also tested through the metrics (metrics/test_errors.py)."""

import math

import pytest
import torch

from rankbook.checks import check_finite, check_lists, check_positive, check_relevance, check_scores, check_tensor, check_where


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
