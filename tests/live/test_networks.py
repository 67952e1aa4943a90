"""The networks of networks.js give the ranks and the gradient of the very sorters, in Chromium, from ``file://``."""

import pytest
import torch

import rankbook as rb
from rankbook.live import LearnedSorters
from rankbook.live.chosen_sorter import SHIPPED
from rankbook.live.learned_sorters import riffled
from rankbook.live.modules import join
from rankbook.live.packed import pack, unpack

LISTS = 100
SEED = 6


def random_sorters():
    """One of each kind with random weights, in sizes that are not the defaults."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        sorters = {
            "random kernel": rb.KernelSorter(hidden=5),
            "random knots": rb.KnotSorter(knots=11),
            "random set transformer": rb.SetTransformerSorter(hidden=12, layers=3, inducing=5, heads=3),
            "random gru": rb.BiGRUSorter(hidden=7, layers=1),
            "random gru on raw scores": rb.BiGRUSorter(hidden=4, layers=2, standardized=False),
            "gru beyond the range": rb.BiGRUSorter(hidden=4, layers=1),
        }
        for sorter in sorters.values():
            for weights in sorter.parameters():  # the last layer of a fresh KernelSorter is zero
                weights.data = (weights.data + 0.2 * torch.randn_like(weights)).half().float()
        sorters["gru beyond the range"].read.weight.data *= 8  # ranks near 0, which are held at 1/2
    return sorters


SORTERS = {**dict.fromkeys(SHIPPED), **random_sorters()}


@pytest.fixture(params=SORTERS)
def sorter(request):
    return SORTERS[request.param] or rb.load_sorter(request.param)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    (folder / "networks.js").write_text(join(["networks"]), encoding="utf-8")
    (folder / "page.html").write_text('<!doctype html><meta charset="utf-8"><script src="networks.js"></script>', encoding="utf-8")
    page = browser.new_page()
    page.goto((folder / "page.html").as_uri())
    yield page
    page.close()


def in_page(page, sorter, scores, pull):
    """Ranks and gradient from JavaScript, as float64 tensors."""
    answers = page.evaluate(
        """([packed, lists]) => { const network = networks.unpack(packed);
        return lists.map(([scores, pull]) => networks.learnedRanks(network, scores, pull)); }""",
        [pack("it", sorter), list(zip(scores.tolist(), pull.tolist(), strict=True))],
    )
    return [torch.tensor([answer[name] for answer in answers], dtype=torch.float64) for name in ("ranks", "gradient")]


def in_torch(sorter, scores, pull):
    scores = scores.clone().requires_grad_()
    ranks = sorter(scores)
    (gradient,) = torch.autograd.grad((ranks * pull).sum(), scores)
    return ranks.detach(), gradient


def lists(n):
    """Spreads from a thousandth to a thousand, far from zero too; a third with ties, but not of all items (see below)."""
    generator = torch.Generator().manual_seed(SEED + n)
    normal = torch.randn(LISTS, n, generator=generator, dtype=torch.float64)
    normal[: LISTS // 3] = (2 * normal[: LISTS // 3]).round() / 2
    normal[(normal == normal[:, :1]).all(-1), 0] += 1
    spread = 10 ** torch.linspace(-3, 3, LISTS, dtype=torch.float64)[torch.randperm(LISTS, generator=generator), None]
    pull = torch.randn(LISTS, n, generator=generator, dtype=torch.float64)
    return spread * (normal + torch.arange(LISTS)[:, None] % 3), pull


@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_ranks_and_gradient_equal_torch(page, sorter, n):
    scores, pull = lists(n)
    ranks, gradient = in_page(page, sorter, scores, pull)
    expected_ranks, expected = in_torch(unpack(pack("it", sorter)), scores, pull)
    torch.testing.assert_close(ranks, expected_ranks, rtol=0, atol=1e-9 * n)
    size = expected.abs().amax(-1, keepdim=True)
    assert (size > 0).sum() > 0.9 * LISTS
    torch.testing.assert_close(gradient / size.clamp(min=1e-300), expected / size.clamp(min=1e-300), rtol=0, atol=1e-8)


def test_all_items_tied(page, sorter):
    scores, pull = torch.tensor([[0.0] * 8, [0.5] * 8, [1.0] * 8], dtype=torch.float64), torch.rand(3, 8, dtype=torch.float64)
    ranks, gradient = in_page(page, sorter, scores, pull)
    expected_ranks, expected = in_torch(unpack(pack("it", sorter)), scores, pull)
    torch.testing.assert_close(ranks, expected_ranks, rtol=0, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())


def test_the_page_equals_the_sorter_as_it_is_loaded(page, sorter):
    """In single precision, on lists as the figure makes them: different scores in whole hundredths."""
    generator = torch.Generator().manual_seed(SEED)
    scores = torch.stack([torch.randperm(101, generator=generator)[:8] for _ in range(LISTS)]) / 100.0
    pull = (torch.rand(LISTS, 8, generator=generator) < 0.4).float()
    ranks, gradient = in_page(page, sorter, scores, pull)
    expected_ranks, expected = in_torch(sorter, scores, pull)
    torch.testing.assert_close(ranks, expected_ranks.double(), rtol=0, atol=8e-4)
    torch.testing.assert_close(gradient, expected.double(), rtol=0, atol=1e-4 * expected.abs().max().item())


def test_equality_would_notice_a_wrong_weight(page, sorter):
    scores, pull = lists(8)
    changed = unpack(pack("it", sorter))
    for weights in changed.parameters():
        weights.data *= 1.01
    assert (in_page(page, sorter, scores, pull)[0] - changed(scores)).abs().max() > 1e-4


def test_only_the_recurrent_sorter_minds_the_order(open_page):
    from live.test_figures import check

    figure = LearnedSorters()
    page = open_page(figure)
    for name in SHIPPED:
        page.get_by_role("radio", name=name, exact=True).check()
        page.get_by_role("button", name="Reset").click()
        page.get_by_role("radio", name=name, exact=True).check()
        assert check(page, figure)["order"] == list(range(8))
        page.get_by_role("button", name="Shuffle the input").click()
        shown = check(page, figure)
        assert shown["order"] == [4, 0, 5, 1, 6, 2, 7, 3]
        assert page.get_by_text("The network reads E A F B G C H D").count() == 1
        assert (shown["order_effect"] > 0.01) == (name == "gru"), name
        assert page.get_by_text("nothing moved").count() == (name != "gru")


def test_each_sorter_is_shown(open_page):
    from live.test_figures import check

    figure = LearnedSorters()
    page = open_page(figure)
    for place, name in enumerate(SHIPPED):
        page.get_by_role("radio").nth(place).check()
        shown = check(page, figure)
        assert shown["sorter"] == name
        assert shown["rank_error"] < 0.5
        page.locator("[data-drag]").nth(place).press("Shift+ArrowLeft")
        check(page, figure)
    for item in (0, 2, 5):
        page.locator("[data-drag]").nth(item).press("Enter")
    shown = check(page, figure)
    assert (shown["mean_rank"], shown["against"], set(shown["push"])) == (None, 0, {0})
    assert page.get_by_text("needs a relevant item").count() == 1


def test_a_mapping_of_own_sorters_keeps_its_order(open_page):
    from live.test_figures import check

    figure = LearnedSorters({"z": rb.KnotSorter(knots=9), "a": rb.BiGRUSorter(hidden=4)}, scores=[0.2, 0.7, 0.4], relevance=[1, 0, 1])
    page = open_page(figure)
    assert page.locator(".rb-choice").all_text_contents() == ["z", "a"]
    page.get_by_role("button", name="Shuffle the input").click()
    assert check(page, figure)["order"] == [1, 0, 2]


def test_no_control_that_could_do_nothing(open_page):
    """Counts do not see the order of the input, and one sorter is no choice."""
    page = open_page(LearnedSorters(["kernel"]))
    assert page.get_by_role("button", name="Shuffle the input").count() == page.locator(".rb-choice").count() == 0
    assert page.locator(".rb-tile").count() == 3


def test_the_state_of_the_page_is_small():
    assert len(LearnedSorters()._repr_mimebundle_()[0]["text/html"]) < 300_000


@pytest.mark.parametrize("n", [2, 3, 7, 8])
def test_a_riffle_is_a_permutation(n):
    for shuffles in range(7):
        assert sorted(riffled(n, shuffles)) == list(range(n))
    assert riffled(n, 1) != list(range(n))


def test_a_sorter_that_the_page_cannot_run_is_refused():
    with pytest.raises(TypeError, match=r"sorters\['mlp'\]: expected one of KernelSorter, .* got MLPSorter"):
        LearnedSorters({"mlp": rb.MLPSorter(8, hidden=4)})


def test_weights_that_half_precision_cannot_hold_are_refused():
    sorter = rb.KnotSorter()
    sorter.weight.data[0] = 1e6
    with pytest.raises(ValueError, match=r"sorters\['a'\]: expected weights that half precision can hold"):
        LearnedSorters({"a": sorter})


def test_describe_states_what_the_figure_shows():
    text = LearnedSorters({"mine": rb.KernelSorter()}, shuffles=1).describe()
    assert "The sorter mine is off by" in text and "of 8 items against their label" in text
    assert "in a shuffled order the same scores get ranks that are 0.000 away" in text
