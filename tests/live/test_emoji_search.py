"""The search box: cosines of summed word vectors, and what is said about vectors that do not fit."""

import base64

import pytest
import torch

from live.test_figures import check
from rankbook.live import EmojiSearch


def made(**traits):
    g = torch.Generator().manual_seed(0)
    pairs = {name: (torch.randn(4, 3, generator=g), torch.randn(7, 3, generator=g)) for name in ("one", "other")}
    return EmojiSearch(["a", "b", "c", "d"], [f"{glyph} name" for glyph in "tuvwxyz"], pairs, **traits), pairs


@pytest.mark.parametrize(
    ("query", "weight", "shares"), [("c a", 0.25, {2: 0.75, 0: 0.25}), ("B, b?", 0.1, {1: 1.0}), ("d x A", 1.0, {0: 1.0})]
)
def test_results_are_the_largest_cosines(query, weight, shares):
    figure, pairs = made(query=query, weight=weight)
    now = figure.readout()
    for side, (words, items) in zip(("first", "second"), pairs.values(), strict=True):
        text = sum(share * words[word] for word, share in shares.items())
        cosines = torch.nn.functional.cosine_similarity(items, text[None], dim=1)
        assert now[side] == cosines.argsort(descending=True)[:5].tolist()
        assert now[f"{side}_scores"] == pytest.approx(sorted(cosines.tolist(), reverse=True)[:5], abs=0.03), "vectors are rounded"


def test_no_known_word_finds_nothing():
    now = made(query="x y")[0].readout()
    assert now["known"] == now["first"] == now["second_scores"] == [] and now["shared"] == 0


def test_typing_searches(open_page):
    figure = EmojiSearch()
    page = open_page(figure)
    page.get_by_role("searchbox").fill("dog")
    now = check(page, figure)
    assert now["query"] == "dog" and now["first"][0] == 2
    page.get_by_role("button", name="Reset").click()
    assert page.get_by_role("searchbox").input_value() == "cat face"


def test_vectors_that_do_not_fit_are_refused():
    figure, _ = made()
    for wrong in (figure.vectors[4:], "not base64!", base64.b64encode(b"abc").decode()):
        with pytest.raises(ValueError, match="vectors must fit: vectors, base64 of int8, two models"):
            figure.vectors = wrong
    with pytest.raises(TypeError, match="models must be a mapping"):
        EmojiSearch(models="one\nother")
    with pytest.raises(ValueError, match="query must be a text of at most 60"):
        figure.query = "x" * 61
    with pytest.raises(ValueError, match="one row for each of the 2 words or items"):
        EmojiSearch(["a", "b"], ["x name"], {"one": (torch.eye(3), torch.eye(3)), "other": (torch.eye(3), torch.eye(3))})
