"""Recommenders of libraries: their scores, computed again from what they fitted; those that are not installed skip."""

import math
import sys

import numpy as np
import pytest
import torch

from rankbook.experiments import organ_libraries
from rankbook.experiments.organ_libraries import CONTENDERS, library, with_levels
from rankbook.experiments.tasks.kidneys import DEVIATION, MEAN, World
from rankbook.experiments.tasks.organs import OrganLibraries, Organs

NEEDS = {"LightFM": "lightfm", "CMF": "cmfrec", "myFM": "myfm", "boosted trees": "sklearn.ensemble", "LambdaMART": "lightgbm"}
PAST, SEEN, WAITING = 12, 8, 30


@pytest.fixture
def tiny():
    """12 organs of the past with 8 known outcomes each, 4 new ones, 30 patients; nobody may look at the truth."""
    draw = torch.Generator().manual_seed(0)
    organs, patients, score = (torch.randn(*shape, generator=draw) for shape in ((PAST + 4, 3), (WAITING, 2), (PAST + 4, WAITING)))
    seen = torch.rand(PAST, WAITING, generator=draw).argsort(1)[:, :SEEN]
    outcome = MEAN + DEVIATION * (score[:PAST].gather(1, seen) + 0.5 * torch.randn(seen.shape, generator=draw))
    rows = {"train": torch.arange(PAST), "validation": torch.tensor([PAST, PAST + 1]), "test": torch.tensor([PAST + 2, PAST + 3])}
    return World(organs, patients, score, torch.full_like(score, float("nan")), seen, outcome, rows)


def installed(name):
    try:
        return library(NEEDS[name], name)
    except ModuleNotFoundError as missing:
        pytest.skip(str(missing))


def scores(name, world, steps=20, **knobs):
    """By the first setting of the grid, or that with other knobs."""
    contender = CONTENDERS[name]
    return contender.make(**{knob: values[0] for knob, values in contender.grid.items()} | knobs)(world, steps=steps, seed=1)


def fitted(monkeypatch, model):
    """A list that gets each model of a class when it is fitted, with what it was given."""
    found, fit = [], model.fit

    def recorded(self, *given, **named):
        found.append((self, given, named))
        return fit(self, *given, **named)

    monkeypatch.setattr(model, "fit", recorded)
    return found


@pytest.mark.parametrize("name", CONTENDERS)
def test_all_pairs_have_a_score_the_same_again(tiny, name):
    installed(name)
    found = scores(name, tiny)
    assert found.shape == (PAST + 4, WAITING) and np.isfinite(found).all()
    assert np.array_equal(found, scores(name, tiny))
    assert not np.array_equal(found[PAST + 2].argsort(), found[PAST + 3].argsort()), "new organs have orders of their own"


@pytest.mark.parametrize("name", CONTENDERS)
def test_what_is_missing_is_said_in_a_line(tiny, name, monkeypatch):
    monkeypatch.setitem(sys.modules, NEEDS[name], None)
    with pytest.raises(ModuleNotFoundError, match=r"^this recommender needs .*; try `pip install .*\[cases\]") as told:
        scores(name, tiny)
    assert "\n" not in str(told.value)


def test_lightfm_adds_the_factors_of_the_columns(tiny, monkeypatch):
    models = fitted(monkeypatch, installed("LightFM").LightFM)
    found = scores("LightFM", tiny)
    ((model, (told,), _),) = models
    for i, j in ((2, 5), (PAST + 1, 7)):
        organ = {i: 1.0} if i < PAST else {}
        organ |= {PAST + at: value for at, value in enumerate(tiny.organs[i].tolist())}
        patient = {j: 1.0} | {WAITING + at: value for at, value in enumerate(tiny.patients[j].tolist())}
        u = sum(x * model.user_embeddings[at] for at, x in organ.items())
        v = sum(x * model.item_embeddings[at] for at, x in patient.items())
        biases = sum(x * model.user_biases[at] for at, x in organ.items()) + sum(x * model.item_biases[at] for at, x in patient.items())
        assert found[i, j] == pytest.approx(u @ v + biases, abs=1e-5)
    for i, row in enumerate(tiny.outcome.tolist()):
        for j, outcome in zip(tiny.seen[i].tolist(), row, strict=True):
            assert told.toarray()[i, j] == (1 if outcome > sum(row) / SEEN else -1)


def test_cmf_finds_the_factors_of_a_new_organ_in_its_columns(tiny, monkeypatch):
    models = fitted(monkeypatch, installed("CMF").CMF)
    found = scores("CMF", tiny, decay=3.0, side=0.3)
    ((model, (rest,), _),) = models
    old = tiny.score.double().numpy()
    known, at = (tiny.outcome.double().numpy() - MEAN) / DEVIATION, np.take_along_axis(old[:PAST], tiny.seen.numpy(), 1)
    slope = np.cov(at.flatten(), known.flatten())[0, 1] / at.var(ddof=1)
    level = known.mean() - slope * at.mean()
    assert np.take_along_axis(rest.toarray(), tiny.seen.numpy(), 1) == pytest.approx(known - level - slope * at, abs=1e-9)
    columns = tiny.organs[:PAST].double().numpy()
    for i, j in ((2, 5), (PAST + 1, 7)):
        mixed = model.C_.astype(float)
        side = tiny.organs[i].double().numpy() - columns.mean(0)
        cold = np.linalg.solve(0.3 * mixed.T @ mixed + 3.0 * np.eye(mixed.shape[1]), 0.3 * mixed.T @ side)
        u, bias = (model.A_[i], model.user_bias_[i]) if i < PAST else (cold, 0.0)
        again = model.glob_mean_ + bias + model.item_bias_[j] + u @ model.B_[j]
        assert found[i, j] == pytest.approx(level + slope * old[i, j] + again, abs=1e-4)


def test_myfm_is_the_mean_of_factorization_machines(tiny, monkeypatch):
    models = fitted(monkeypatch, installed("myFM").MyFMRegressor)
    found = scores("myFM", tiny, steps=6)
    ((model, *_),) = models
    for i, j in ((2, 5), (PAST + 1, 7)):
        name = np.eye(PAST + 4)[i, :PAST]
        x = np.concatenate([[tiny.score[i, j]], name, tiny.organs[i], np.eye(WAITING)[j], tiny.patients[j]])
        values = []
        for one in model.predictor_.samples:
            pairs = sum((one.V[a] @ one.V[b]) * x[a] * x[b] for a in range(len(x)) for b in range(a))
            values.append(one.w0 + one.w @ x + pairs)
        assert len(values) == 3 and found[i, j] == pytest.approx(sum(values) / 3, abs=1e-6)


def test_the_level_of_a_known_pair_does_not_know_its_outcome(tiny):
    inside, rows = with_levels(tiny, 0)
    assert inside.shape == (PAST * SEEN, 7) and rows.shape == ((PAST + 4) * WAITING, 7)
    i, at = 3, 5
    j = tiny.seen[i, at].item()
    expected = [*tiny.organs[i].tolist(), *tiny.patients[j].tolist(), tiny.score[i, j].item()]
    assert inside[i * SEEN + at, :6] == pytest.approx(expected) and rows[i * WAITING + j, :6] == pytest.approx(expected)
    other = tiny.outcome.clone()
    other[i, at] += 1.0
    moved, moved_rows = with_levels(tiny._replace(outcome=other), 0)
    same = np.delete(np.arange(PAST * SEEN), i * SEEN + at)
    assert moved[i * SEEN + at, 6] == pytest.approx(inside[i * SEEN + at, 6])
    assert moved[same, 6] != pytest.approx(inside[same, 6]) and moved_rows[i * WAITING + j, 6] > rows[i * WAITING + j, 6]


def test_boosted_trees_are_fitted_to_the_outcomes(tiny, monkeypatch):
    models = fitted(monkeypatch, installed("boosted trees").HistGradientBoostingRegressor)
    found = scores("boosted trees", tiny, rate=0.5, least=10)
    ((model, (inside, outcome), _),) = models
    assert outcome == pytest.approx((tiny.outcome.flatten().double().numpy() - MEAN) / DEVIATION)
    assert model.predict(inside).var() > 0.5 * outcome.var()
    assert found[PAST + 1, 7] == pytest.approx(model.predict(with_levels(tiny, 1)[1][[(PAST + 1) * WAITING + 7]])[0])


def test_lambda_mart_adds_leaves_and_is_taught_an_organ_at_a_time(tiny, monkeypatch):
    models = fitted(monkeypatch, installed("LambdaMART").LGBMRanker)
    found = scores("LambdaMART", tiny, least=3)
    ((model, (inside, tenths), named),) = models
    assert named["group"] == [SEEN] * PAST and len(inside) == PAST * SEEN
    for i, row in enumerate(tiny.outcome.tolist()):
        assert tenths[i * SEEN : (i + 1) * SEEN].tolist() == [round((one - min(row)) / DEVIATION * 10) for one in row]
    gains = model.get_params()["label_gain"]
    assert gains[10] == 1 and gains[15] == pytest.approx(2**1.5 - 1) and len(gains) == max(tenths) + 1

    def leaf(node, x):
        while "leaf_value" not in node:
            node = node["left_child" if x[node["split_feature"]] <= node["threshold"] else "right_child"]
        return node["leaf_value"]

    i, j = PAST + 1, 7
    x = with_levels(tiny, 1)[1][i * WAITING + j]
    trees = model.booster_.dump_model()["tree_info"]
    assert len(trees) == 20 and found[i, j] == pytest.approx(sum(leaf(tree["tree_structure"], x) for tree in trees))


def test_they_are_judged_as_our_own_fits(monkeypatch):
    """A recommender that gives the old score has what the old score has, on either split."""
    task = OrganLibraries()
    model = task.fit(lambda world, *, steps, seed: world.score.numpy(), steps=1, seed=3)
    for split in ("validation", "test"):
        here = model.world
        alone = Organs().judged(here, split, here.score[here.rows[split]], here.score[here.rows["train"]])
        assert task.measure(model, split) == alone
    assert {math.prod(map(len, one.grid.values())) for one in CONTENDERS.values()} == {24}
    assert set(organ_libraries.CONTENDERS) == set(NEEDS)
