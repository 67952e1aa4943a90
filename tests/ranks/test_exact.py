"""The true ranks."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

import rankbook as rb

tied_scores = st.lists(st.integers(-4, 4), min_size=1, max_size=30)


def test_golden():
    scores = torch.tensor([0.5, 0.9, 0.5, 0.1])
    assert rb.exact_ranks(scores).tolist() == [3, 1, 3, 4]
    assert rb.exact_ranks(scores, ties="min").tolist() == [2, 1, 2, 4]
    assert rb.exact_ranks(scores, ties="average").tolist() == [2.5, 1, 2.5, 4]


@given(tied_scores)
@pytest.mark.parametrize("ties", ["max", "average", "min"])
def test_equals_rankdata(ties, scores):
    ranks = rb.exact_ranks(torch.tensor(scores, dtype=torch.float64), ties=ties)
    np.testing.assert_array_equal(ranks, rankdata([-s for s in scores], method=ties))


def test_no_gradient():
    assert not rb.exact_ranks(torch.tensor([0.1, 0.2], requires_grad=True)).requires_grad


def test_unknown_ties():
    with pytest.raises(ValueError, match="ties must be"):
        rb.exact_ranks(torch.zeros(2), ties="dense")
