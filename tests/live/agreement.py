"""What a live figure shows is what rankbook computes: the comparison that every browser's tests make."""

import pytest


def agree(figure, shown: dict) -> dict:
    """The numbers on display are those of rankbook for the same state; returns them."""
    state = figure.figure_state()
    state.update({name: value for name, value in shown.items() if name in state})
    expected = type(figure)(**state).readout()
    assert shown.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, float | list):
            # what is 1e-12 of the largest is rounding: the gradient of a sum of large terms may vanish
            rounding = 1e-12 * max([1.0, *map(abs, value if isinstance(value, list) else [value])])
            assert shown[name] == pytest.approx(value, rel=1e-9, abs=rounding), name
        else:  # words, whole numbers, and None
            assert shown[name] == value, name
    return shown
