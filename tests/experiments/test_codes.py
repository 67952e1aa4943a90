"""The task of codes: bits that differ, ties counted in every order, and what each loss is told."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

import rankbook as rb
from rankbook.datasets import Samples, emoji
from rankbook.experiments.code_losses import contrastive, hashed, released
from rankbook.experiments.tasks import codes
from rankbook.experiments.tasks.codes import Codes, hamming_distances, measure_codes


def drawn(split):
    """8 classes of 4 a split, around centers of their own."""
    draw = torch.Generator().manual_seed(["train", "validation", "test"].index(split))
    labels = torch.arange(8).repeat_interleave(4)
    return Samples(torch.randn(8, 16, generator=draw)[labels] + 0.3 * torch.randn(32, 16, generator=draw), labels)


def test_distances_by_loops():
    draw = torch.Generator().manual_seed(0)
    queries, gallery = torch.randn(5, 7, generator=draw), torch.randn(6, 7, generator=draw)
    found = hamming_distances(queries, gallery)
    for i, a in enumerate(queries.tolist()):
        for j, b in enumerate(gallery.tolist()):
            assert found[i, j] == sum((x > 0) != (y > 0) for x, y in zip(a, b, strict=True))


def test_a_query_searches_all_others_and_codes_that_are_alike_tell_nothing():
    labels = torch.tensor([0, 0, 1, 1])
    alike = measure_codes(torch.ones(4, 8), labels)
    for name, value in (("worst", 1 / 3), ("mAP", (1 + 1 / 2 + 1 / 3) / 3), ("best", 1.0)):
        assert alike[name].tolist() == pytest.approx([value] * 4)
    bits = torch.tensor([[1.0, 1.0], [2.0, 0.1], [-1.0, -1.0], [-0.1, -3.0]])
    assert all(values.tolist() == pytest.approx([1.0] * 4) for values in measure_codes(bits, labels).values())


@pytest.mark.parametrize("loss", [hashed(0.01, bits=6), released(0.01, False, bits=6), contrastive(0.2, bits=6)])
def test_training_is_repeated_and_helps(loss):
    task = Codes(load=drawn, classes=8)
    first, again = (task.fit(loss, lr=0.05, steps=30, seed=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    found = task.measure(first, "train")
    assert set(found) == set(task.metrics) and found["worst"] <= found["mAP"] <= found["best"]
    assert found["mAP"] > task.measure(task.fit(loss, lr=1e-9, steps=1, seed=1), "train")["mAP"]


def test_codes_search_the_gallery_of_another_split(tmp_path):
    def shared(split):
        return replace(drawn("train"), inputs=drawn("train").inputs + (split == "test") * 0.01)

    task = Codes(load=shared, classes=8, gallery="train")
    model = task.fit(hashed(0.01, bits=6), lr=0.05, steps=30, seed=1)
    queries, gallery = (model(shared(split).inputs).detach() for split in ("test", "train"))
    labels = drawn("train").labels
    expected = {name: values.mean().item() for name, values in measure_codes(queries, labels, gallery, labels).items()}
    cosines = torch.nn.functional.cosine_similarity(queries[:, None], gallery, dim=2)
    expected["real"] = rb.average_precision(cosines, labels[:, None] == labels).mean().item()
    assert task.measure(model, "test") == pytest.approx(expected)


def test_clothes_are_numbers_and_no_picture_is_in_two_splits(monkeypatch):
    def numbered(root, split):
        count = {"train": 60_000, "test": 10_000}[split]
        names = torch.arange(count) + 60_000 * (split == "test")
        pixels = torch.zeros(count, 1, 28, 28, dtype=torch.uint8)
        pixels[..., 0, 0] = 255
        return Samples(pixels.expand(-1, 3, -1, -1), names % 10, table=pd.DataFrame({"name": names.numpy()}))

    monkeypatch.setattr(codes, "fashion_mnist", numbered)
    splits = [codes.clothes(split, Path("here")) for split in ("train", "validation", "test")]
    assert [len(one.labels) for one in splits] == [9_000, 1_000, 1_000]
    assert len(set(pd.concat([one.table["name"] for one in splits]))) == 11_000
    assert splits[0].inputs.shape == (9_000, 784) and splits[0].inputs[0].tolist() == [1.0] + 783 * [0.0]


def test_what_each_loss_is_told():
    codes, labels = torch.randn(6, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 1, 2, 2])
    assert released(0.1, False, bits=8)(codes, labels) == rb.PairwiseHashLoss(4.0, quantization=0.1)(codes, labels)
    torch.testing.assert_close(contrastive(0.2, bits=8)(codes, labels), contrastive(0.2, bits=8)(7 * codes, labels))


def test_a_small_learning_rate_collapses_the_codes_and_sooner_if_kinds_of_pairs_are_balanced():
    """As the loss says: of 1,000 and more emoji, counted by their different codes."""

    def different(balanced, lr, quantization=0.3):
        codes = Codes().fit(hashed(quantization, balanced, bits=24), lr=lr, steps=100, seed=100)(emoji("validation").inputs)
        return len((codes > 0).unique(dim=0))

    assert different(True, 0.03) < 20 < 200 < different(False, 0.03)
    assert different(False, 0.003) < 20
    assert different(True, 0.3) > 200 and different(True, 0.03, quantization=0.01) > 200
