"""The gap in the page equals rankbook: the bounds, the typical case, and all splits of a list; items change batches by drag and key."""

import itertools

import pytest
import torch

import rankbook as rb
from live.test_figures import check
from rankbook.live import GapSizes, SplitBatches


def draws(count=60):
    """Up to 7 batches of few items, some without a positive or a negative, and how many of them are bad."""
    g = torch.Generator().manual_seed(3)
    made = []
    for i in range(count):
        p, n = torch.randint(0, 5, (1 + i % 7,), generator=g), torch.randint(0, 30, (1 + i % 7,), generator=g)
        p[0] += 1
        bad = [(torch.rand(of.shape, generator=g) * (of + 1)).long() * (torch.rand(of.shape, generator=g) < 0.7) for of in (p, n)]
        made.append({"p": p.tolist(), "n": n.tolist(), "badP": bad[0].tolist(), "badN": bad[1].tolist()})
    return made


def test_both_bounds(run_math):
    cases = draws()
    found = run_math("[gap.gapBound(c.p, c.n), gap.calibratedGapBound(c.p, c.n, c.badP, c.badN)]", cases)
    strict = 0
    for case, values in zip(cases, found, strict=True):
        p, n, bad_p, bad_n = (torch.tensor(case[name]) for name in ("p", "n", "badP", "badN"))
        expected = rb.gap_bound(p, n).item(), rb.calibrated_gap_bound(p, n, bad_positives=bad_p, bad_negatives=bad_n).item()
        assert values == pytest.approx(expected, rel=1e-12, abs=1e-12)
        strict += 0 < expected[1] < expected[0]
    assert strict > 20


def test_the_expected_ap_of_a_batch(run_math):
    g = torch.Generator().manual_seed(4)
    cases, expected = [], []
    for i in range(20):
        positives, negatives = 1 + i % 6, 5 + 3 * i
        scores = torch.randn(positives + negatives, generator=g, dtype=torch.float64)
        best = scores[:positives].sort(descending=True).values
        kept = {"kept_positives": 1 + i % positives, "kept_negatives": 1 + (7 * i) % negatives}
        above = (scores[positives:] > best[:, None]).sum(1).tolist()
        cases.append({"above": above, "negatives": negatives, "p": kept["kept_positives"], "n": kept["kept_negatives"]})
        relevance = torch.tensor([1] * positives + [0] * negatives)
        expected.append(rb.thinned_average_precision(scores, relevance, **kept).item())
    assert run_math("gap.thinnedAP(c.above, c.negatives, c.p, c.n)", cases) == pytest.approx(expected, rel=1e-12)


def mean_of_batches(figure, batch):
    """By hand: for each batch the mean over its relevant items of rank among the relevant over rank."""
    values = []
    for which in (0, 1):
        order = [i for i in sorted(range(len(batch)), key=lambda i: -figure.scores[i]) if batch[i] == which]
        places = [place for place, i in enumerate(order, start=1) if figure.relevance[i]]
        if places:
            values.append(sum(among / place for among, place in enumerate(places, start=1)) / len(places))
    return sum(values) / len(values)


def test_all_splits_against_a_loop():
    figure = SplitBatches()
    n = len(figure.scores)
    splits = [[split >> i & 1 for i in range(n)] for split in range(2**n)]
    expected = [mean_of_batches(figure, batch) - mean_of_batches(figure, [0] * n) for batch in splits]
    assert figure.all_gaps().tolist() == pytest.approx(expected, abs=1e-12)
    now = figure.readout()
    assert (now["lowest"], now["highest"]) == pytest.approx((min(expected), max(expected)))
    assert now["below"] == sum(gap < -1e-9 for gap in expected) > 0
    assert now["gap"] == pytest.approx(expected[splits.index(figure.batch)])


def test_buttons_find_the_ends_and_the_example_of_the_authors(open_page):
    figure = SplitBatches()
    page = open_page(figure)
    for name, end in (("Smallest gap", "lowest"), ("Largest gap", "highest")):
        page.get_by_role("button", name=name).click()
        shown = check(page, figure)
        assert shown["gap"] == pytest.approx(shown[end])
    assert shown["lowest"] < 0 < shown["highest"]
    page.get_by_role("button", name="An example").click()
    shown = check(page, figure)
    assert (shown["first"], shown["second"]) == pytest.approx((1, 0.639), abs=1e-3)
    assert (shown["mean"], shown["whole"]) == pytest.approx((0.82, 0.915), abs=1e-3)
    assert page.get_by_text("the batches are too strict").count() == 1


def test_an_item_changes_its_batch_by_key_and_by_drag(open_page):
    figure = SplitBatches()
    page = open_page(figure)
    item = page.locator("[data-drag]").nth(2)
    assert figure.batch[2] == 1
    item.press("Enter")
    assert check(page, figure)["batch"][2] == 0
    box = item.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 90, steps=4)
    page.mouse.up()
    shown = check(page, figure)
    assert (shown["batch"][2], shown["item"], shown["scores"]) == (1, 2, figure.scores)


def test_without_a_relevant_item_there_is_no_gap(open_page):
    figure = SplitBatches(relevance=[0] * 8)
    page = open_page(figure)
    assert check(page, figure)["gap"] is None
    page.get_by_role("button", name="Smallest gap").click()
    assert page.get_by_text("needs a relevant item").count() == 3
    assert figure.describe().endswith("there is no AP.")


def test_batches_are_as_many_as_scores():
    with pytest.raises(ValueError, match="batch must hold one value for each of the 8 scores, got 7"):
        SplitBatches(batch=[0] * 7)


@pytest.mark.parametrize("items", [2, 7, 16])
def test_the_batches_hold_the_data_and_what_is_bad_is_dealt_to_them(items):
    for classes, share in itertools.product((2, 64), (0.0, 0.1, 1.0)):
        counts = GapSizes(classes=classes, items=items, bad_positives=share, bad_negatives=share).batches()
        assert (counts["positives"].sum().item(), counts["negatives"].sum().item()) == (15, 1008)
        for kind, all_of in (("positives", 15), ("negatives", 1008)):
            assert counts[f"bad_{kind}"].sum().item() == round(share * all_of + 1e-6)
            assert (counts[f"bad_{kind}"] <= counts[kind]).all()


def test_classes_close_the_typical_gap_and_items_do_not():
    def gap(classes, items, **knobs):
        return GapSizes(classes=classes, items=items, **knobs).readout()

    base = gap(8, 2)["typical"]
    assert gap(8, 16)["typical"] > 0.9 * base and gap(64, 2)["typical"] < 0.3 * base  # both batches hold 128
    assert gap(64, 16)["typical"] == pytest.approx(0, abs=1e-12)
    nearly_perfect = gap(8, 2, shift=9.0)
    assert nearly_perfect["typical"] < 0.03 and nearly_perfect["worst"] > 0.99


def test_the_slider_of_items_reaches_both_ends(open_page):
    figure = GapSizes()
    page = open_page(figure)
    slider = page.get_by_label("items a class")
    slider.press("End")
    assert check(page, figure)["items"] == 16
    slider.press("Home")
    assert check(page, figure)["items"] == 2
    for knob in ("relevant below", "irrelevant above"):
        page.get_by_label(knob).press("Home")
    assert check(page, figure)["calibrated"] == 0
