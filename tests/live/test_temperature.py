"""Dead pairs, the temperature and the losses of the page "Your scores" equal the package."""

from functools import partial

import pytest
import torch

import rankbook as rb
from live.test_rankers import rank_fn
from live.test_your_scores import FILES, FINISH, mean, tensors
from rankbook.live.ranker_gallery import RANKERS

CLOSE = {"rel": 1e-9, "abs": 1e-9}
DEAD = 1e-6
FEW = [[rows for rows in file["lists"].values() if any(rel > 0 for _, rel in rows)] for file in FILES[:30]]
CASES = [
    {"lists": [{"scores": [s for s, _ in rows], "relevance": [rel for _, rel in rows]} for rows in lists], "tau": tau}
    for lists in FEW
    for tau in (0.02, 0.3)
]
LISTS = [lists for lists in FEW for _ in range(2)]


def gaps_of(rows):
    """Irrelevant minus relevant score, of all pairs of a list."""
    scores, relevance = tensors(rows)
    return (scores[relevance == 0][:, None] - scores[relevance > 0]).flatten()


def test_dead_pairs(run_math):
    found = run_math("temperature.countPairs(temperature.splitLists(c.lists), temperature.liveGap(c.tau))", CASES)
    dead = 0
    for case, lists, live in zip(CASES, LISTS, found, strict=True):
        gaps = torch.cat([gaps_of(rows) for rows in lists])
        is_live = torch.sigmoid(gaps / case["tau"]) * torch.sigmoid(-gaps / case["tau"]) / case["tau"] >= DEAD
        assert live == {"pairs": len(gaps), "wrong": (gaps >= 0).sum(), "near": is_live.sum(), "wrongNear": (is_live & (gaps >= 0)).sum()}
        dead += live["near"] < live["pairs"]
    assert dead > 10
    assert run_math("temperature.liveGap(c)", [1e6])[0] < 0  # a slope of at most 1 / (4 tau)


def rank_error(lists, tau):
    errors = []
    for rows in lists:
        scores, _ = tensors(rows)
        if len(scores) > 1:
            off = rb.sigmoid_ranks(scores, tau=tau) - rb.exact_ranks(scores, ties="average")
            errors.append(off.abs() / len(scores))
    return torch.cat(errors).mean().item()


def test_the_spread_and_the_error_of_the_ranks(run_math):
    found = run_math("[temperature.spreadOf(c.lists), temperature.rankError(temperature.temperatureOf(c.lists).sample, c.tau)]", CASES)
    for case, lists, (spread, error) in zip(CASES, LISTS, found, strict=True):
        centered = torch.cat([tensors(rows)[0] - tensors(rows)[0].mean() for rows in lists])
        assert spread == pytest.approx(centered.square().mean().sqrt().item(), **CLOSE)
        assert error == pytest.approx(rank_error(lists, case["tau"]), **CLOSE)


@pytest.mark.parametrize("scores", [[1, 1, 1], [1e308, -1e308, 0], [1e300, 1e300, 3], [1e-310, 0, 0]])
def test_scores_without_a_temperature(run_math, scores):
    assert run_math("temperature.temperatureOf([{ scores: c, relevance: [1, 0, 0] }]).start", [scores]) == [0]


def test_the_rule_is_that_of_chapter_3(run_math):
    """On the scores of that chapter: the temperatures of its grid at which tuning hardly moved, and a start between them."""
    from rankbook.datasets import emoji
    from rankbook.experiments.studies import smooth_ap

    validation = emoji("validation")
    classes = validation.labels.unique()
    some = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))[:50]]
    rows = torch.isin(validation.labels, some).nonzero().squeeze(1)
    inputs, labels = validation.inputs[rows].double(), validation.labels[rows]
    scores, same, others = inputs @ inputs.T, rb.same_label(labels), rb.leave_query_out(len(rows))
    lists = [{"scores": s[o].tolist(), "relevance": r[o].long().tolist()} for s, r, o in zip(scores, same, others, strict=True)]
    expression = "(() => { const w = temperature.temperatureOf(c); return [w.spread, w.start, temperature.rankError(w.sample, 0.1)]; })()"
    ((spread, start, error),) = run_math(expression, [lists])
    deviation = scores[others].std().item()  # of all scores at once, as in the chapter
    assert spread == pytest.approx(deviation, rel=0.1)
    assert [deviation * times for times in run_math("temperature.STEADY", [0])[0]] == pytest.approx([0.03, 0.1], rel=0.02)
    _, _, _, chosen = smooth_ap.STUDY.results()
    assert 0.03 < start < chosen["Smooth-AP"]["tau"] == 0.1
    exact = rb.exact_ranks(scores, where=others, ties="average")
    assert error == pytest.approx(
        (rb.sigmoid_ranks(scores, where=others, tau=0.1) - exact)[others].abs().mean().item() / (len(rows) - 1), rel=0.03
    )


@pytest.mark.parametrize("name", [*RANKERS, "SupRank"])
def test_losses_equal_the_package(run_math, name):
    ranker = {tau: partial(rb.sup_ranks, tau=tau) if name == "SupRank" else rank_fn(name, tau) for tau in (0.02, 0.3)}
    found = run_math(f"{FINISH}(ranker_losses.lossesOf(c.lists, c.tau)).find(one => one.name === '{name}').loss", CASES)
    for case, lists, loss in zip(CASES, LISTS, found, strict=True):
        of_metric = rb.as_loss(rb.average_precision, ranker[case["tau"]])
        expected = []
        for rows in lists:
            scores, relevance = tensors(rows)
            expected.append(of_metric(scores, (relevance > 0).long()).item())
        assert loss == pytest.approx(mean(expected), **CLOSE)
