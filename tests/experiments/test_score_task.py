"""The task of scores: nothing of the judged items reaches the training, raters are halved, the losses are what they say."""

import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.stats import kendalltau, rankdata, spearmanr

import rankbook as rb
from rankbook.experiments import score_losses
from rankbook.experiments.studies.memorability import STUDY
from rankbook.experiments.tasks import rated
from rankbook.experiments.tasks.score import ScoreRanking, prepared, split_rows, standard
from rankbook.experiments.tasks.score_batches import InLists, ScoreBatches

N, ASKED = 400, []


def made() -> rated.Rated:
    """A score that two features tell; asked for features, it notes for which rows."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(N, 5, generator=g)
    truth = x[:, 0] - x[:, 1]

    def features(rows):
        ASKED.append(rows)
        return x

    return rated.Rated(N, features, lambda seed: (truth + 0.1 * torch.randn(N, generator=g), truth))


TASK = ScoreRanking(load=made)


def test_the_splits_share_no_item_and_validation_is_one():
    first, second = split_rows(N, 0), split_rows(N, 1)
    for rows in (first, second):
        assert sorted(torch.cat(list(rows.values())).tolist()) == list(range(N)), "each item is in one split"
    assert torch.equal(first["validation"], second["validation"]) and len(first["validation"]) == N // 5
    assert len(first["test"]) == N // 5 and set(first["test"].tolist()) != set(second["test"].tolist())


def test_what_is_fitted_is_fitted_on_the_training_rows():
    prepared.cache_clear(), ASKED.clear()
    data = TASK.data(3)
    assert len(ASKED) == 1 and torch.equal(ASKED[0], data.rows["train"])
    train = data.rows["train"]
    assert torch.allclose(data.features[train].mean(0), torch.zeros(5), atol=1e-6)
    assert data.features[train].square().mean().item() == pytest.approx(1, rel=1e-5)
    assert data.features.mean(0).abs().max() > 1e-3, "the other rows have their own mean"


def test_columns_keep_their_weights():
    x = torch.tensor([[0.0, 0.0], [2.0, 20.0], [4.0, 40.0], [9.0, 9.0]])
    scaled = standard(x, torch.tensor([0, 1, 2]))
    assert torch.allclose(scaled[:3, 1], 10 * scaled[:3, 0])


def test_losses_share_the_first_weights_and_the_lists():
    class Seen(torch.nn.Module):
        def __init__(self, loss):
            super().__init__()
            self.loss, self.lists = loss, []

        def forward(self, scores, target):
            self.lists.append((scores.detach(), target))
            return self.loss(scores, target)

    one, other = Seen(torch.nn.MSELoss()), Seen(torch.nn.L1Loss())
    for loss in (one, other):
        TASK.fit(loss, lr=0.0, steps=4, seed=5)
    for (scores, target), (same_scores, same_target) in zip(one.lists, other.lists, strict=True):
        assert torch.equal(scores, same_scores) and torch.equal(target, same_target) and len(target) == 100
    another = Seen(torch.nn.MSELoss())
    TASK.fit(another, lr=0.0, steps=1, seed=6)
    assert not torch.equal(another.lists[0][1], one.lists[0][1])


def test_it_learns_repeats_and_measures_what_scipy_measures():
    before = torch.get_rng_state()
    model, again = (TASK.fit(torch.nn.MSELoss(), lr=0.01, steps=60, seed=7) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before) and not model.training
    data = TASK.data(7)
    found = TASK.measure(model, "test")
    assert found == TASK.measure(again, "test") and found["Spearman"] > 0.9
    rows = data.rows["test"]
    scores, target = model(data.features[rows]).detach().numpy(), data.judged[rows].numpy()
    assert found["Spearman"] == pytest.approx(spearmanr(scores, target)[0], abs=1e-6)
    assert found["Kendall"] == pytest.approx(kendalltau(scores, target)[0], abs=1e-6)


def test_warm_emoji_halves_the_designers():
    items = rated.warm_emoji()
    drawings = rb.datasets.emoji("all", "images")
    taught, judged = items.scores(0)
    assert len(taught) == len(judged) == items.n == 1644
    assert not torch.equal(taught, items.scores(1)[0]) and torch.equal(taught, items.scores(0)[0])
    warmth = (drawings.inputs[:, 0].float().mean((1, 2)) - drawings.inputs[:, 2].float().mean((1, 2))).numpy()
    ranked = np.empty(len(warmth))
    for style in drawings.table["style"].unique():
        rows = (drawings.table["style"] == style).to_numpy()
        ranked[rows] = rankdata(warmth[rows]) / rows.sum()
    for emoji in (0, 700, 1643):
        own = ranked[drawings.labels.numpy() == emoji]
        half, rest = (len(own) + 1) // 2, len(own) // 2
        assert half * taught[emoji].item() + rest * judged[emoji].item() == pytest.approx(own.sum(), rel=1e-4), "each designer once"
    texts = rb.datasets.emoji("all", "texts")
    assert torch.equal(items.features(torch.arange(3))[texts.labels[5]], texts.inputs[5]), "row i is about emoji i"


def test_the_public_sets_are_read_halved_and_fitted(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"{i:04}.jpg" for i in range(250)]
    halves = {"half1": rng.random((25, 250)), "half2": rng.random((25, 250))}
    np.savez(tmp_path / "lnsim.npz", name=names, X=rng.random((250, 120)), **halves)
    items = rated.remembered_photographs(tmp_path)
    taught, judged = items.scores(27)
    assert np.allclose(taught, halves["half1"][2]) and np.allclose(judged, halves["half2"][2])
    assert items.features(torch.arange(150)).shape == (250, 100)

    clone = tmp_path / "clone"  # as its authors publish it: pictures, and halves in files of MATLAB
    (clone / "Image_data").mkdir(parents=True), (clone / "Random_splits").mkdir()
    for name in names:
        (clone / "Image_data" / name).touch()
    for at in (1, 2):
        savemat(clone / "Random_splits" / f"subject_hrs{at}.mat", {"hrs": halves[f"half{at}"]})
    with pytest.raises(FileNotFoundError, match=r"must hold features_lite0\.npz.*np\.savez\(path, image="):
        rated.remembered_photographs(clone)
    np.savez(clone / "features_lite0.npz", image=names, X=np.load(tmp_path / "lnsim.npz")["X"])
    again = rated.remembered_photographs(clone)
    rows = torch.arange(150)
    assert torch.equal(again.scores(27)[0], taught) and torch.allclose(again.features(rows), items.features(rows), atol=1e-5)

    words = [f"{a}{b}" for a in "abcdefghijkl" for b in "klmnopqrstuv"]
    lines = [f"v{i}.webm,{rng.random():.3f},30,0.5,9" for i in range(250)]
    (tmp_path / "ground-truth_dev-set.csv").write_text(
        "video,short-term_memorability,nb_short-term_annotations,long-term_memorability,nb_long-term_annotations\n" + "\n".join(lines)
    )
    captions = ["-".join(rng.choice(words, 8)) for _ in range(250)]
    captions[249] = "unheard-unheard-unheard"  # no word of the training rows
    (tmp_path / "dev-set_video-captions.txt").write_text("\n".join(f"v{i}.webm\t{caption}" for i, caption in enumerate(captions)))
    items = rated.remembered_captions(tmp_path)
    features = items.features(torch.arange(200))
    assert features.shape == (250, 100) and not features[249].any() and features[:249].any(1).all()
    assert torch.allclose(items.scores(0)[0], rb.datasets.videomem(tmp_path).targets[:, 0])
    np.savez(tmp_path / "coco80.npz", video=[f"v{i}.webm" for i in range(250)], X=rng.random((250, 4)))
    assert rated.remembered_objects(tmp_path).features(torch.arange(9)).shape == (250, 4)


def test_a_batch_is_read_as_lists_and_all_see_as_many_items():
    """128 items in 4 lists of 32 cost the mean of the four; a batch of a quarter the size takes four times the steps."""
    seen = []

    class Seen(torch.nn.Module):
        def forward(self, scores, target):
            seen.append((scores.shape, target.detach()))
            return (scores - target).square().mean()

    task = ScoreBatches(load=made)
    for lists, long in ((1, 128), (4, 32), (1, 32)):
        task.fit(InLists(Seen(), lists, long), lr=0.01, steps=3, seed=1)
    assert [tuple(shape) for shape, _ in seen] == [(1, 128)] * 3 + [(4, 32)] * 3 + [(1, 32)] * 12
    assert torch.equal(seen[0][1].flatten(), seen[3][1].flatten()), "the same batch, cut"
    scores, target = torch.randn(128), torch.randn(128)
    whole = score_losses.in_lists("Spearman", 4, 32).make(tau=0.5)(scores, target)
    one = score_losses.SIGMOID.make(tau=0.5)
    by_hand = np.mean([one(scores[at : at + 32], target[at : at + 32]).item() for at in range(0, 128, 32)])
    assert whole.item() == pytest.approx(by_hand, rel=1e-5)


@pytest.fixture
def lists():
    g = torch.Generator().manual_seed(1)
    return torch.randn(100, generator=g, requires_grad=True), torch.randn(100, generator=g)


def test_regression_to_ranks_is_blind_to_values(lists):
    scores, target = lists
    by_rank = score_losses.MSE.make(of="rank")
    assert by_rank(scores, target).item() == pytest.approx(by_rank(scores, target.exp()).item(), rel=1e-6)
    goal = rankdata(target.numpy())
    goal = (goal - goal.mean()) / goal.std()
    assert by_rank(scores, target).item() == pytest.approx(((scores.detach().numpy() - goal) ** 2).mean(), rel=1e-5)
    assert score_losses.L1.make(of="score")(scores, target).item() == pytest.approx((scores - target).abs().mean().item())


def test_ranknet_takes_scores_below_zero(lists):
    scores, target = lists
    s, t = scores.detach().double(), target.double()
    pairs = t[:, None] > t
    expected = torch.nn.functional.softplus(-3 * (s[:, None] - s))[pairs].mean()
    assert score_losses.RANKNET.make(sigma=3.0)(scores, target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_warm_up_ends(lists):
    scores, target = lists
    loss, plain = score_losses.Sorted("kernel", warm_up=2), rb.SpearmanLoss(rb.load_sorter("kernel"))
    extra = (scores - target).abs().mean().item()
    assert [loss(scores, target).item() - plain(scores, target).item() for _ in range(3)] == pytest.approx([extra, extra, 0], abs=1e-6)


def test_the_updated_sorter_learns_after_its_gradient_was_taken(lists):
    scores, target = lists
    loss = score_losses.sorter("kernel", updated=True).make(warm_up=0)
    weights = [weight.clone() for weight in loss.parameters()]
    loss(scores, target).backward()
    assert all(torch.equal(one, other) for one, other in zip(weights, loss.parameters(), strict=True))
    loss(scores, target).backward()
    assert not all(torch.equal(one, other) for one, other in zip(weights, loss.parameters(), strict=True))


def test_every_contender_gives_a_gradient(lists):
    scores, target = lists
    for name, contender in STUDY.contenders.items():
        loss = contender.make(**{knob: values[0] for knob, values in contender.grid.items()})
        (slope,) = torch.autograd.grad(loss(scores, target), scores)
        assert slope.isfinite().all() and slope.any(), name
