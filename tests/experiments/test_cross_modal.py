"""Images and texts: metrics are their definitions, batches are what they claim, losses their loops, and test data fit nothing."""

from functools import partial

import numpy as np
import pytest
import torch

import rankbook as rb
from rankbook.experiments.matching import CONTENDERS, HardTriplet, RankTriplet
from rankbook.experiments.tasks.cross_modal import CrossModal, Pairs, both_ways, emoji_pairs, emoji_vocabulary, emoji_words, flickr8k_pairs
from rankbook.experiments.tasks.sets import captions


def unit(rows, dims, seed):
    x = torch.randn(rows, dims, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(x, dim=1)


def tiny(split):
    """Twenty labels, one image and one to three texts of each; two sides of one hidden vector."""
    seed = {"train": 0, "validation": 1, "test": 2}[split]
    hidden, counts = unit(20, 8, seed).float(), torch.tensor([1, 2, 3, 2] * 5)
    labels = torch.arange(20).repeat_interleave(counts)
    texts = hidden[labels] @ unit(8, 8, 9).float() + 0.02 * torch.randn(len(labels), 8, generator=torch.Generator().manual_seed(seed))
    topics = torch.nn.functional.normalize((hidden > 0.4).float(), dim=1)
    return Pairs(hidden, torch.arange(20), texts, labels, topics)


TASK = CrossModal(load=tiny, labels=8, texts=2, outputs=8)


def test_the_metrics_are_those_of_loops():
    images, texts = unit(15, 4, 0), unit(40, 4, 1)
    image_labels, text_labels = torch.arange(15), torch.arange(40) % 15
    found = both_ways(images, image_labels, texts, text_labels)
    for way, queries, labels, gallery, others in (
        ("i2t", images, image_labels, texts, text_labels),
        ("t2i", texts, text_labels, images, image_labels),
    ):
        ranks, listed = [], [0] * len(gallery)
        for query, label in zip(queries, labels, strict=True):
            order = sorted(range(len(gallery)), key=lambda item: -(query @ gallery[item]).item())
            ranks.append(1 + min(place for place, item in enumerate(order) if others[item] == label))
            for item in order[:10]:
                listed[item] += 1
        for k in (1, 5, 10):
            assert found[f"{way} R@{k}"] == pytest.approx(sum(rank <= k for rank in ranks) / len(ranks))
        assert found[f"{way} median rank"] == sorted(ranks)[(len(ranks) - 1) // 2]
        times = np.array(listed, float)
        assert found[f"{way} hubs"] == pytest.approx(((times - times.mean()) ** 3).mean() / times.std() ** 3)
    assert found["mean R"] == pytest.approx(sum(found[f"{way} R@{k}"] for way in ("i2t", "t2i") for k in (1, 5, 10)) / 6)


def test_a_batch_holds_each_label_once_with_its_own_texts():
    data, batches = tiny("train"), TASK.batches(tiny("train"), torch.Generator().manual_seed(0))
    seen = []
    for _ in range(2):  # an epoch is two batches of eight; four labels wait for the next shuffle
        (images, texts), (image_labels, text_labels, grades) = next(batches)
        assert len(set(image_labels.tolist())) == 8 and set(text_labels.tolist()) == set(image_labels.tolist())
        assert text_labels.bincount(minlength=20).max() <= 2
        assert torch.equal(images, data.images[image_labels])
        for text, label in zip(texts, text_labels, strict=True):
            assert (data.texts[data.text_labels == label] == text).all(1).any()
        same = image_labels[:, None] == text_labels
        assert (grades[same] == 1).all() and ((grades >= 0) & (grades <= 1)).all()
        seen += image_labels.tolist()
    assert len(set(seen)) == 16
    drawn = [next(batches)[1][1].numel() for _ in range(6)]
    assert min(drawn) >= 8, "a label with one text gives one"


def test_losses_share_the_first_weights_and_the_batches_and_a_training_repeats():
    losses = [contender.make(**{knob: values[0] for knob, values in contender.grid.items()}) for contender in CONTENDERS.values()]
    before = torch.get_rng_state()
    first = [TASK.fit(loss, lr=0.0, steps=2, seed=3).images.linear.weight for loss in losses]
    assert all(torch.equal(weight, first[0]) for weight in first)
    one, other = (TASK.fit(losses[0], lr=0.01, steps=3, seed=3).texts.linear.weight for _ in range(2))
    assert torch.equal(one, other) and torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first[0], TASK.fit(losses[0], lr=0.0, steps=1, seed=4).images.linear.weight)


@pytest.mark.parametrize("name", CONTENDERS)
def test_training_pays(name):
    contender = CONTENDERS[name]
    loss = contender.make(**{knob: values[1] for knob, values in contender.grid.items()})
    start, end = (TASK.measure(TASK.fit(loss, lr=lr, steps=20, seed=0), "validation")["mean R"] for lr in (0.0, 0.03))
    assert end > start + 0.1


def test_the_triplet_is_that_of_loops():
    x, y = unit(5, 3, 0), unit(7, 3, 1)
    of_x, of_y = torch.arange(5), torch.tensor([0, 1, 2, 3, 4, 0, 0])
    scores, terms = x @ y.T, ([], [])
    for i in range(5):
        for t in range(7):
            if of_x[i] == of_y[t]:
                terms[0].append(max(0.0, 0.2 - (scores[i, t] - max(scores[i, j] for j in range(7) if of_y[j] != of_x[i])).item()))
                terms[1].append(max(0.0, 0.2 - (scores[i, t] - max(scores[j, t] for j in range(5) if of_x[j] != of_y[t])).item()))
    expected = sum(sum(one) / len(one) for one in terms) / 2
    assert HardTriplet(0.2)(x, of_x, y, of_y, None).item() == pytest.approx(expected)


def test_the_rank_triplet_is_the_packages_loss_on_pairs():
    x, y, labels = unit(6, 3, 0), unit(6, 3, 1), torch.arange(6)
    ranker = partial(rb.sigmoid_ranks, tau=0.1)
    for loss, margin in ((RankTriplet(ranker), 1.0), (RankTriplet(ranker, share=0.5), 3.0)):
        assert loss(x, labels, y, labels, None).item() == pytest.approx(rb.HardNegativeRankLoss(ranker, margin)(x @ y.T).item())
    scaled = RankTriplet(ranker, scale=3.0)(x, labels, y, labels, None)
    assert scaled.item() == pytest.approx(rb.HardNegativeRankLoss(ranker)(3 * x @ y.T).item())


def test_a_second_text_of_an_image_is_no_rival():
    x = torch.eye(2, 3, dtype=torch.float64)
    y = torch.nn.functional.normalize(x[[0, 0, 1]] + torch.tensor([[0.0, 0, 0], [0, 0, 0.1], [0, 0, 0]]), dim=1)
    loss = RankTriplet(partial(rb.sigmoid_ranks, tau=0.01))(x, torch.arange(2), y, torch.tensor([0, 0, 1]), None)
    assert loss.item() == pytest.approx(0, abs=1e-9)


def test_the_emoji_are_read_whole():
    data, table = emoji_pairs("validation"), rb.datasets.emoji("validation").table
    assert len(data.images) == len(table) and len(data.texts) == table["class"].nunique() == len(data.topics)
    assert torch.equal(data.image_labels, torch.tensor(table.groupby("class").ngroup().to_numpy()))
    assert torch.allclose(data.topics.norm(dim=1)[data.topics.any(1)], torch.ones(()))
    words, rarity = emoji_vocabulary()
    assert len(words) == len(rarity) == data.topics.shape[1] and rarity[words.index("face")] < rarity[words.index("cat")]
    said = (table["name"] + " " + table["keywords"]).groupby(table["class"]).first().str.lower()
    for row, text in enumerate(said[:20]):
        assert all(words[word] in text for word in data.topics[row].nonzero().flatten())
    assert torch.equal(emoji_words("validation").texts, data.topics)


@pytest.fixture
def flickr(tmp_path):
    def write(test_words="green boat"):
        names = [f"{number}.jpg" for number in range(340)]
        parts = {"train": names[:320], "dev": names[320:330], "test": names[330:]}
        for part, rows in parts.items():
            (tmp_path / f"Flickr_8k.{part}Images.txt").write_text("\n".join(rows))
        words = [f"word{number}" for number in range(310)]
        lines = []
        for row, name in enumerate(names[:-1]):  # the last has no caption
            said = test_words if row >= 330 else f"{words[row % 310]} {words[row * 7 % 310]} {words[row * 11 % 310]}"
            lines += [f"{name}#{number}\ta {said}" for number in range(2)]
        (tmp_path / "Flickr8k.token.txt").write_text("\r\n".join(lines))
        x = np.random.default_rng(0).normal(size=(340, 6)).astype(np.float16)
        x[330:] *= len(test_words)
        np.savez(tmp_path / "features_lite0.npz", image=names, X=x)
        return tmp_path

    return write


def test_what_is_fitted_on_flickr8k_is_fitted_on_training_alone(flickr):
    from rankbook.experiments.tasks.retrieval import loaded

    first = flickr8k_pairs("validation", flickr())
    test = flickr8k_pairs("test", flickr())
    assert len(test.images) == 9 and len(test.texts) == 18, "a photograph without captions is left out"
    alone = captions("test", flickr())
    assert torch.equal(alone.inputs, test.texts) and alone.labels.bincount().tolist() == [2] * 9, "those of a photograph are a class"
    assert first.image_labels.tolist() == list(range(10)) and first.text_labels.tolist() == [row for row in range(10) for _ in range(2)]
    loaded.cache_clear()
    again = flickr8k_pairs("validation", flickr("another crimson lighthouse"))
    loaded.cache_clear()
    assert torch.equal(first.images, again.images) and torch.equal(first.texts, again.texts) and torch.equal(first.topics, again.topics)
