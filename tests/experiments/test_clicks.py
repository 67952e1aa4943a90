"""The task of clicks: nothing of a later slice reaches an earlier one, each sample meets its own list, the map keeps the order."""

import pytest
import torch

from rankbook.experiments.click_losses import ClickBatch, CrossEntropy, ListPairs, LoggedPairs
from rankbook.experiments.studies.calibrated_ranking import STUDY
from rankbook.experiments.tasks import clicks
from rankbook.experiments.tasks.click_logs import SHOWN, SLICES, Log, rated_films, simulated
from rankbook.experiments.tasks.clicks import Clicks, deployed, lists, samples


def small(seed, root=None):
    """The first lists of each slice of the simulated log."""
    log = simulated(seed)
    return log._replace(rows={name: rows[: 40 * SHOWN] for name, rows in log.rows.items()})


TASK = Clicks(load=small, width=4, batch=5)
PATHS = {}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """80 ratings by each of 4 people, a day apart; the first person's last film has a rating of its own."""
    root = tmp_path_factory.mktemp("ml-100k")
    draw = torch.Generator().manual_seed(0)
    stars = torch.randint(1, 6, (4, 80), generator=draw).tolist()
    PATHS["stars"] = stars

    def write():
        lines = [f"{u + 1}\t{(7 * u + t) % 80 + 1}\t{stars[u][t]}\t{1000 * (80 - t if u == 3 else t)}" for t in range(80) for u in range(4)]
        (root / "u.data").write_text("\n".join(lines))
        (root / "u.user").write_text("\n".join(f"{u + 1}|{20 + u}|{'MF'[u % 2]}|other|0" for u in range(4)))
        flags = ["0|" * (f % 19) + "1" + "|0" * (18 - f % 19) for f in range(80)]
        (root / "u.item").write_text("\n".join(f"{f + 1}|film (199{f % 9})|01-Jan-199{f % 9}|||{flags[f]}" for f in range(80)))
        return root

    PATHS["write"] = write
    return write()


def sound(log: Log):
    rows = torch.cat(list(log.rows.values()))
    assert len(rows.unique()) == len(rows) and list(log.rows) == list(SLICES), "slices share no row"
    for of in log.shown[rows].unique().tolist():
        at = (log.shown == of).nonzero().squeeze(1)
        assert len(at) <= SHOWN and at.tolist() == list(range(at[0], at[0] + len(at))), "rows of a list stand beside each other"
        assert (log.query[at] == log.query[at[0]]).all(), "a list has one query"
        assert sum(bool(torch.isin(at, some).any()) for some in log.rows.values()) == 1, "a list lies in one slice"


def test_the_simulated_log_is_sound_and_its_clicks_follow_its_logit():
    log = simulated(5)
    sound(small(5))
    assert torch.equal(log.labels, simulated(5).labels) and not torch.equal(log.labels, simulated(6).labels)
    p = log.logit.sigmoid()
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (p >= low) & (p < low + 0.25)
        assert log.labels[inside].mean().item() == pytest.approx(p[inside].mean().item(), abs=0.02)


def test_films_are_cut_in_the_time_of_each_person(films):
    log = rated_films(0, films)
    sound(log)
    assert [len(log.rows[name]) for name in SLICES] == [4 * n for n in (16, 24, 8, 8)]
    train = log.rows["train"]
    assert log.query[train].mean(0).abs().max() < 1e-5 and (log.item[train].std(0) < 1.01).all()
    (last,) = (log.judged[log.rows["test"]] == 3).nonzero()[-1:].tolist()
    assert log.ids[log.rows["test"]][last[0]] == 21, "the fourth person's ratings run backwards in the file: (7 * 3 + 0) % 80"
    assert log.labels[log.rows["test"]][last[0]] == float(PATHS["stars"][3][0] >= 4)


def test_features_come_from_the_past_alone(films):
    before = rated_films(0, films)
    stars = PATHS["stars"]
    for u in range(3):
        for t in range(40, 80):
            stars[u][t] = 6 - stars[u][t]
    clicks_log = rated_films.__globals__["_films"]
    clicks_log.cache_clear()
    after = rated_films(0, PATHS["write"]())
    assert torch.equal(before.query, after.query) and torch.equal(before.item, after.item)
    assert not torch.equal(before.labels, after.labels)


def test_each_sample_meets_its_own_list_as_the_deployed_model_scored_it():
    log = TASK.log(3)
    shown = torch.arange(len(log.labels)).float()  # a score that tells the row
    (query, item, ids), batch = next(samples(log, "train", 5, torch.Generator().manual_seed(0), shown))
    assert len(query) == 5 * SHOWN == len(batch.labels) and len(log.shown[batch.list_scores[:, 0].long()].unique()) > 20
    for i in range(0, len(query), 7):
        rows = batch.list_scores[i].long()
        assert len(log.shown[rows].unique()) == 1 and torch.equal(log.query[rows[0]], query[i])
        own = rows[(log.ids[rows] == ids[i]) & (log.labels[rows] == batch.labels[i])]
        assert len(own) >= 1 and torch.equal(log.item[own[0]], item[i])
        assert torch.equal(batch.list_labels[i], log.labels[rows]) and torch.isin(rows, log.rows["train"]).all()


def test_lists_come_whole():
    log = TASK.log(3)
    (query, _, ids), batch = next(lists(log, "validation", 5, torch.Generator().manual_seed(0)))
    assert ids.shape == (5, SHOWN) == batch.where.shape and (query == query[:, :1]).all() and batch.where.all()


def test_the_deployed_model_sees_the_old_slice_alone():
    def other(seed, root=None):
        log = small(seed)
        labels = log.labels.clone()
        labels[log.rows["train"]] = 1 - labels[log.rows["train"]]
        return log._replace(labels=labels)

    assert torch.equal(deployed(TASK, 3)[0], deployed(Clicks(load=other, width=4, batch=5), 3)[0])

    def changed(seed, root=None):
        log = small(seed)
        labels = log.labels.clone()
        labels[log.rows["old"]] = 1 - labels[log.rows["old"]]
        return log._replace(labels=labels)

    assert not torch.equal(deployed(TASK, 3)[0], deployed(Clicks(load=changed, width=4, batch=5), 3)[0])


@pytest.mark.parametrize("loss", [CrossEntropy(), ListPairs(1.0), LoggedPairs(1.0)], ids=lambda loss: type(loss).__name__)
def test_the_map_keeps_the_order_and_a_fit_is_the_same_again(loss):
    model = TASK.fit(loss, lr=0.03, steps=20, seed=3)
    found = TASK.measure(model, "validation")
    assert list(found) == list(TASK.metrics) and found["map GAUC"] == found["GAUC"]
    assert found["map LogLoss"] != found["LogLoss"], "the map has learned something"
    assert TASK.measure(TASK.fit(loss, lr=0.03, steps=20, seed=3), "validation") == found


def test_the_map_trains_on_a_logit_without_gradient():
    """Its loss leaves the ranker alone: without the map's loss the same logits come out."""
    log = TASK.log(3)
    ranker = clicks.Ranker(log, 4, 3)
    rows = log.rows["train"][:24]
    _, mapped = ranker((log.query[rows], log.item[rows], log.ids[rows]))
    mapped.log().sum().backward()
    assert all(weight.grad is None for weight in ranker.layers.parameters()) and ranker.ids.weight.grad is None
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in ranker.calibrate.parameters())


def test_losses_by_hand():
    logits, labels = torch.tensor([[0.5, -1.0, 2.0], [0.0, 1.0, 9.0]]), torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    where = torch.tensor([[True, True, True], [True, True, False]])
    softplus = torch.nn.functional.softplus
    point = (softplus(torch.tensor(-0.5)) + softplus(torch.tensor(-1.0)) + softplus(torch.tensor(2.0))) + torch.log(torch.tensor(2.0))
    point = (point + softplus(torch.tensor(-1.0))) / 5
    pairs = ((softplus(torch.tensor(-1.5)) + softplus(torch.tensor(1.5))) / 2 + softplus(torch.tensor(-1.0))) / 2
    assert torch.isclose(CrossEntropy()(logits, ClickBatch(labels, where)), point)
    assert torch.isclose(ListPairs(2.0)(logits, ClickBatch(labels, where)), point + 2 * pairs)
    flat = ClickBatch(
        labels[where], torch.ones(5, dtype=torch.bool), logits[[0, 0, 0, 1, 1]], labels[[0, 0, 0, 1, 1]], where[[0, 0, 0, 1, 1]]
    )
    every = (softplus(torch.tensor(-1.5)) + softplus(torch.tensor(1.5)) + softplus(torch.tensor(-1.0))) / 3  # each pair from both sides
    assert torch.isclose(LoggedPairs(2.0)(logits[where], flat), point + 2 * every)
    smoothed = CrossEntropy(0.2)(torch.zeros(1), ClickBatch(torch.ones(1), torch.tensor([True])))
    assert torch.isclose(smoothed, torch.log(torch.tensor(2.0)))


def test_the_drawn_log_needs_no_folder_and_the_films_do():
    assert STUDY.data == "simulated" and STUDY.command.endswith("rankbook.experiments calibrated_ranking")
    assert STUDY.on("simulated").task == STUDY.task == Clicks()
    assert STUDY.on("movielens").command.endswith("calibrated_ranking --data movielens --root DIR")
