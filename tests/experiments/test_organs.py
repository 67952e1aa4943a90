"""Organ matching: the indices are their formulas by hand, the world is what it says, losses and metrics are their loops."""

import math

import pytest
import torch

from rankbook.experiments.organ_losses import BPR, CONTENDERS, History, RankNetPairs, SquaredError, TopWeighted, top_weights
from rankbook.experiments.tasks.kidneys import DEVIATION, MEAN, NOISE, ORGANS, PATIENTS, SEEN, epts, kdri, percentile, points, world
from rankbook.experiments.tasks.organs import Matcher, Organs


def tensors(*values):
    return [torch.tensor([value], dtype=torch.float64) for value in values]


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        ((45, 3, 0, 0), 0.047 * 20 + 0.315 * math.log(4)),
        ((20, 0, 0, 0), 0.130),
        ((60, 0, 1, 1), 0.047 * 35 - 0.015 * 35 + 0.398 - 0.237 + 0.130 - 0.348 + 1.262),
        ((52, 7, 1, 0), (0.047 - 0.015) * 27 + (0.315 - 0.099) * math.log(8) + 1.262),
        ((30, 1, 0, 1), 0.047 * 5 + 0.398 + 0.315 * math.log(2)),
    ],
)
def test_epts_by_hand(patient, expected):
    assert epts(*tensors(*patient)).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("donor", "exponent"),
    [
        ((40, 170, 80, 0, 0, 0, 1.0, 0, 0), 0.0),  # the reference donor
        ((60, 180, 90, 1, 1, 1, 2.0, 0, 0), 0.256 + 0.107 - 0.0464 + 0.126 + 0.130 + 0.0881 + 0.220 - 0.1045),
        ((10, 140, 30, 0, 0, 0, 0.5, 1, 1), -0.384 + 0.1552 + 0.1392 + 0.199 - 0.110 + 0.240 + 0.133),
        ((50, 170, 75, 0, 0, 0, 1.5, 0, 0), 0.128 + 0.0199 + 0.110),
    ],
)
def test_kdri_by_hand(donor, exponent):
    assert kdri(*tensors(*donor)).item() == pytest.approx(math.exp(exponent), rel=1e-12)


def test_points_by_hand():
    waiting, sensitized = torch.tensor([2.0, 0.5]), torch.tensor([0.5, 0.0])
    shared = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    found = points(waiting, sensitized, shared, torch.tensor([0.9, 0.2]), torch.tensor([0.1, 0.3]))
    assert found.tolist() == [[2 + 2 + 2, 0.5 + 4], [2 + 2 + 1, 0.5 + 1]]
    assert percentile(torch.tensor([3.0, 1.0, 2.0, 9.0])).tolist() == [0.5, 0.0, 0.25, 0.75]


def test_the_world_is_what_it_says():
    right, wrong = world(5, 0.0), world(5, 3.0)
    count = sum(ORGANS.values())
    assert torch.allclose(right.truth, MEAN + DEVIATION * right.score, atol=1e-5) and torch.equal(right.score, wrong.score)
    for one in (right, wrong):
        assert one.truth.shape == (count, PATIENTS)
        assert one.truth.mean().item() == pytest.approx(MEAN, abs=1e-4) and one.truth.std().item() == pytest.approx(DEVIATION, abs=1e-4)
        assert all(len(set(row)) == SEEN for row in one.seen.tolist()) and len(one.seen) == ORGANS["train"]
        noise = one.outcome - one.truth[one.rows["train"]].gather(1, one.seen)
        assert noise.std().item() == pytest.approx(NOISE * DEVIATION, rel=0.05) and abs(noise.mean()) < 0.003
        assert 1 < one.score[one.rows["train"]].gather(1, one.seen).mean() < 2  # who was tried had a high score
        for columns in (one.organs, one.patients):
            assert columns.mean(0).abs().max() < 1e-4 and (columns.std(0) - 1).abs().max() < 1e-4
    explained = torch.corrcoef(torch.stack([wrong.score.flatten(), wrong.truth.flatten()]))[0, 1].item()
    assert 0.1 < explained < 0.45  # 1 / sqrt(1 + 9) = 0.32, were the misfit independent
    parts = torch.cat([*right.rows.values()])
    assert sorted(parts.tolist()) == list(range(count))
    assert not torch.equal(world(6, 3.0).truth, wrong.truth)


@pytest.fixture(scope="module")
def past():
    """Three organs, seven patients, four known outcomes of each."""
    draw = torch.Generator().manual_seed(0)
    predicted, score = torch.randn(2, 3, 7, generator=draw, dtype=torch.float64)
    seen = torch.rand(3, 7, generator=draw).argsort(1)[:, :4]
    return predicted, History(seen, torch.randn(3, 4, generator=draw, dtype=torch.float64), score)


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize(("kappa", "n"), [(0.0, 2), (4.0, 2), (4.0, math.inf)])
def test_weighted_losses_are_their_loops(past, adaptive, kappa, n):
    predicted, history = past
    squares, weights, pairs, pair_weights = 0.0, 0.0, 0.0, 0.0
    for i in range(3):
        ordering = (predicted if adaptive else history.score)[i].tolist()
        known = list(zip(history.seen[i].tolist(), history.outcome[i].tolist(), strict=True))
        top = {j: math.exp(-sum(other > ordering[j] for other in ordering) / n) for j, _ in known}
        for j, y in known:
            squares += (1 + kappa * top[j]) * (y - predicted[i, j].item()) ** 2
            weights += 1 + kappa * top[j]
            for other, lower in known:
                if y > lower:
                    pairs += top[j] * math.log1p(math.exp(predicted[i, other].item() - predicted[i, j].item()))
                    pair_weights += top[j]
    found = TopWeighted(1.0, kappa, adaptive=adaptive, n=n)(predicted, history).item()
    assert found == pytest.approx(squares / weights + pairs / pair_weights)


def test_other_losses_are_their_loops(past):
    predicted, history = past
    errors, lists, likes = [], [], []
    drawn = torch.randint(7, (3, 4), generator=torch.Generator().manual_seed(1)).tolist()
    for i in range(3):
        of = [predicted[i, j].item() for j in history.seen[i]]
        y = history.outcome[i].tolist()
        errors += [(a - b) ** 2 for a, b in zip(of, y, strict=True)]
        pairs = [math.log1p(math.exp(of[b] - of[a])) for a in range(4) for b in range(4) if y[a] > y[b]]
        lists.append(sum(pairs) / len(pairs))
        likes += [math.log1p(math.exp(predicted[i, drawn[i][a]].item() - of[a])) for a in range(4) if y[a] > sum(y) / 4]
    assert SquaredError(1.0)(predicted, history).item() == pytest.approx(sum(errors) / len(errors))
    assert RankNetPairs(1.0)(predicted, history).item() == pytest.approx(sum(lists) / len(lists), rel=1e-6)
    drawing = history._replace(generator=torch.Generator().manual_seed(1))
    assert BPR(1.0)(predicted, drawing).item() == pytest.approx(sum(likes) / len(likes))


def test_weights_pass_no_gradient_and_see_only_the_order():
    scores = torch.tensor([[0.5, 3.0, 1.0]], requires_grad=True)
    weights = top_weights(scores, 2)
    assert not weights.requires_grad
    assert weights.tolist()[0] == pytest.approx([math.exp(-1), 1, math.exp(-0.5)])
    assert torch.equal(weights, top_weights(10 * scores - 4, 2))
    for bad in (0, -1, math.nan):
        with pytest.raises(ValueError, match="n must be a number above 0"):
            top_weights(scores, bad)
    with pytest.raises(ValueError, match="scores"):
        top_weights(torch.tensor([1.0, math.nan]), 2)


def test_the_metrics_are_those_of_loops():
    task, here = Organs(n=10), world(3, 3.0)
    draw = torch.Generator().manual_seed(0)
    truth = here.truth[here.rows["test"]]
    scores, past = (one + 0.1 * torch.randn(one.shape, generator=draw) for one in (truth, here.truth[here.rows["train"]]))
    found = task.judged(here, "test", scores, past)
    overlap, outcomes, gains = [], [], []
    for row, right in zip(scores.tolist(), truth.tolist(), strict=True):
        order, best = (sorted(range(PATIENTS), key=lambda j, values=values: -values[j]) for values in (row, right))
        overlap.append(len(set(order[:10]) & set(best[:10])) / 10)
        outcomes.append(sum(right[j] for j in order[:10]) / 10)
        gain = [2 ** ((value - min(right)) / DEVIATION) - 1 for value in right]
        dcg, ideal = (sum(gain[j] / math.log2(2 + at) for at, j in enumerate(one[:10])) for one in (order, best))
        gains.append(dcg / ideal)
    for name, values in (("P@10", overlap), ("outcome", outcomes), ("NDCG@10", gains)):
        assert found[name] == pytest.approx(sum(values) / len(values), rel=1e-4), name
    moved = task.judged(here, "test", 3 * scores - 7, 3 * past - 7)  # scores have no unit
    assert moved == pytest.approx(found, rel=1e-3)
    flat = here._replace(outcome=here.truth[here.rows["train"]].gather(1, here.seen))
    right = task.judged(flat, "test", truth, here.truth[here.rows["train"]])
    assert right["RMSE"] < 1e-5 and right["P@10"] == 1
    assert right["NDCG@10"] == pytest.approx(1) and right["Kendall"] == pytest.approx(1)


def test_a_new_organ_has_no_factors():
    here = world(3, 3.0)
    torch.manual_seed(0)
    model = Matcher(here, 3, covariates=True, factors=True, width=2)
    with torch.no_grad():
        for one in model.parameters():
            one.copy_(torch.randn(one.shape))
        for part, i in (("train", 4), ("test", 7)):
            row, j = here.rows[part][i], 11
            a, b = torch.cat([torch.ones(1), here.organs[row]]), torch.cat([torch.ones(1), here.patients[j]])
            expected = model.level + model.slope * here.score[row, j] + a @ model.bilinear @ b + model.bias[j]
            if part == "train":
                expected = expected + model.organ[i] @ model.patient[j]
            assert model(part)[i, j].item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_fit_of_covariates_is_scikit_learns_ridge():
    """Level and slope carry no penalty: they are taken out of both sides first (Frisch and Waugh)."""
    linear = pytest.importorskip("sklearn.linear_model")
    here, decay = world(3, 3.0), 30.0
    rows = here.rows["train"].repeat_interleave(SEEN)
    seen, y = here.seen.flatten(), (here.outcome.flatten().double() - MEAN) / DEVIATION
    a, b = (torch.cat([torch.ones(len(rows), 1), one], 1).double() for one in (here.organs[rows], here.patients[seen]))
    free = torch.stack([torch.ones(len(rows), dtype=torch.float64), here.score[rows, seen].double()], 1)
    design = (a[:, :, None] * b[:, None, :]).flatten(1)
    beside = free @ torch.linalg.lstsq(free, torch.cat([design, y[:, None]], 1)).solution
    ridge = linear.Ridge(decay, fit_intercept=False).fit((design - beside[:, :-1]).numpy(), (y - beside[:, -1]).numpy())
    found = torch.from_numpy(ridge.coef_)
    level, slope = torch.linalg.lstsq(free, (y - design @ found)[:, None]).solution.flatten().tolist()
    right = level + slope * here.score[rows, seen] + design.float() @ found.float()
    model = Organs().fit(SquaredError(decay, factors=False), lr=0.1, steps=400, seed=3)
    assert model("train").gather(1, here.seen).flatten().detach() == pytest.approx(right, abs=0.02)


def test_of_a_new_organ_a_library_knows_the_levels_of_patients_alone():
    """cornac's factors give every new organ the same order, as the arm ``factors`` does, and a similar one."""
    cornac = pytest.importorskip("cornac", reason="factors of a library: pip install 'rankbook[cases]'")
    here = world(0, 3.0)
    rows = torch.arange(len(here.seen)).repeat_interleave(SEEN)
    known = zip(rows.tolist(), here.seen.flatten().tolist(), ((here.outcome.flatten() - MEAN) / DEVIATION).tolist(), strict=True)
    data = cornac.data.Dataset.build([*known])
    library = cornac.models.MF(k=4, max_iter=100, learning_rate=0.01, lambda_reg=0.1, seed=0, verbose=False).fit(data)
    new, other = (torch.tensor(library.score(data.num_users + one)).double() for one in (0, 1))
    assert torch.equal(new, other)
    ours = Organs().fit(CONTENDERS["factors"].make(decay=3.0), lr=0.3, steps=100, seed=0)("test").detach().double()
    assert torch.equal(ours[0], ours[1])
    assert torch.corrcoef(torch.stack([new, ours[0, [*data.iid_map]]]))[0, 1] > 0.7


def test_training_is_the_same_again_learns_and_reads_no_truth(monkeypatch):
    task = Organs()
    loss = CONTENDERS["both, adaptive"].make(decay=3.0, kappa=4.0)
    first, again = (task.fit(loss, lr=0.1, steps=30, seed=9) for _ in range(2))
    found = task.measure(first, "validation")
    assert found == task.measure(again, "validation")
    here = world(9, task.misfit)
    old = task.judged(here, "validation", here.score[here.rows["validation"]], here.score[here.rows["train"]])
    assert found["NDCG@10"] > old["NDCG@10"] + 0.05 and found["RMSE"] < old["RMSE"]
    hidden = here._replace(truth=torch.full_like(here.truth, float("nan")))
    monkeypatch.setattr("rankbook.experiments.tasks.organs.world", lambda seed, misfit: hidden)
    blind = task.fit(loss, lr=0.1, steps=30, seed=9)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), blind.parameters(), strict=True))


def test_every_arm_has_the_same_number_of_settings_and_the_parts_that_it_says():
    assert {math.prod(map(len, one.grid.values())) for one in CONTENDERS.values()} == {6}
    for name, one in CONTENDERS.items():
        loss = one.make(**{knob: values[0] for knob, values in one.grid.items()})
        assert (loss.covariates, loss.factors) == (not name.startswith("factors"), not name.startswith("covariates"))
