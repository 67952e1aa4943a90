"""What every public function asks of its input, and what it says when it does not get it.

Two kinds of checks. Those of type, shape, dtype and device read no value and always run. Those of *values* (NaN, infinity,
negative grades, nesting labels) read the tensor, which makes a GPU wait and breaks a graph: they step aside inside
``torch.compile`` and ``torch.func`` transforms, and in a block of code that says so::

    with rb.checks.off():
        loss = loss_fn(model(inputs), labels)
"""

# ruff: noqa: F401 - `off` is for readers, the rest for the modules of rankbook
from __future__ import annotations

from rankbook.checks.lists import check_item_weights, check_lists, check_query_weights, check_relevance, check_scores, check_where
from rankbook.checks.switch import off, reads_values
from rankbook.checks.tensors import check_device, check_finite, check_floating, check_not_negative, check_tensor, first
from rankbook.checks.values import (
    check_callable,
    check_choice,
    check_count,
    check_counts,
    check_dtype,
    check_flag,
    check_instance,
    check_number,
    check_numbers,
    check_positive,
)
from rankbook.checks.warning import warn

__all__ = ["off"]
