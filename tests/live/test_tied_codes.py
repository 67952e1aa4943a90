"""The longer the code, the less luck; with all items alike the best order is perfect."""

import pytest

from live.agreement import agree
from live.test_figures import values
from rankbook.live import TiedCodes


def test_luck_shrinks_with_the_bits():
    widths = [(now["best"] - now["worst"], now["mean"]) for now in (TiedCodes(bits=bits).readout() for bits in (1, 8, 48))]
    assert widths[0][0] > widths[1][0] > widths[2][0] and widths[0][1] < widths[1][1] < widths[2][1]
    one = TiedCodes(bits=1).readout()
    assert sum(one["items"]) == one["tied"] == 60 and one["best"] == 1


def test_codes_that_are_all_alike():
    now = TiedCodes(codes=[7] * 4, relevance=[0, 0, 1, 0], bits=48).readout()
    assert [now[name] for name in ("worst", "mean", "best")] == pytest.approx([1 / 4, (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, 1])


def test_the_first_bit_is_the_highest_and_the_handle_changes_the_code(open_page):
    figure = TiedCodes(codes=[2**47, 1], relevance=[1, 0], bits=2)
    assert figure.readout()["items"] == [1, 1, 0] and figure.readout()["best"] == 0.5
    page = open_page(figure)
    page.get_by_role("slider", name="bits of the code").press("End")
    assert agree(figure, values(page))["worst"] == 0.5 and figure.bits == 2
    page.get_by_role("slider", name="bits of the code").press("Home")
    assert values(page)["bits"] == 1


def test_what_it_refuses():
    for wrong in ({"bits": 49}, {"codes": [2**48]}, {"relevance": [1]}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TiedCodes(**wrong)
    assert "undefined" in TiedCodes(codes=[1], relevance=[0]).describe()
