"""Files of the SVMlight format: what they hold, and what is said about damaged ones."""

import gzip
import sys

import pytest
import torch

import rankbook as rb

GOOD = "2 qid:10 1:0.5 3:-1 # doc 17\n0 qid:10 2:0.25\n\n1 qid:7 1:3\n0 qid:10 1:1e-3\n"


def test_a_file_becomes_three_tensors(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text(GOOD)
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress(GOOD.encode()))
    for file in (path, str(path), packed):
        data = rb.datasets.svmlight(file)
        assert torch.equal(data.features, torch.tensor([[0.5, 0, -1], [0, 0.25, 0], [3, 0, 0], [1e-3, 0, 0]]))
        assert torch.equal(data.relevance, torch.tensor([2.0, 0, 1, 0]))
        assert torch.equal(data.query_ids, torch.tensor([10, 10, 7, 10]))
    features, _, query_ids = rb.datasets.svmlight(path, features=5)
    assert features.shape == (4, 5)
    assert rb.pad_lists(features, query_ids)[1].tolist() == [[True] * 3, [True, False, False]]


def test_a_column_is_the_same_feature_in_each_file_of_a_set(tmp_path):
    """Which features occur in a file does not say where it counts from."""
    train, validation = tmp_path / "train.txt", tmp_path / "validation.txt"
    for first in (0, 1):
        train.write_text(f"1 qid:1 {first}:5 {first + 1}:6 {first + 2}:7\n")
        validation.write_text(f"1 qid:1 {first + 1}:6 {first + 2}:7\n")
        rows = [rb.datasets.svmlight(file, features=3, first=first).features.tolist() for file in (train, validation)]
        assert rows == [[[5, 6, 7]], [[0, 6, 7]]]
    for first in (2, -1, True, "1"):
        with pytest.raises(ValueError, match="first must be a whole number from 0 to 1"):
            rb.datasets.svmlight(train, first=first)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 1:0.5\n", "lines all say qid:"),
        ("2 qid:1 0:5 1:6\n", "Does the set count its features from 0. Try first=0"),
        ("2 qid:1 1:0.5\n0 2:0.25\n", "lines all say qid:.* 2 lines and 1 ids"),
        ("", "at least one item"),
        ("# only a comment\n", "at least one item"),
        ("x qid:1 1:1\n", "could not convert"),
        ("1 qid:one 1:1\n", "path must be a file of the SVMlight format"),
        ("1 qid:1 1:0.5 2:\n", "path must be a file of the SVMlight format"),
        ("1 qid:1 2:1 1:1\n", "path must be a file of the SVMlight format.*sorted"),
        ("1 qid:99999999999999999999 1:1\n", "path must be a file of the SVMlight format"),
        ("1 qid:1 2000000000:1\n2 qid:1 1:1\n0 qid:1 1:1\n", "2000000000 for each of 3 items"),
        ("1 qid:1 1:1\n1 qid:1 1:nan\n", "item 1 of .* has a value that is not finite"),
        ("1 qid:1 1:1e300\n", "item 0 of .* has a value that is not finite"),
        ("1 qid:1 1:1\n-1 qid:1 1:1\n", "item 1 of .* has a grade that is not finite or below 0"),
        ("nan qid:1 1:1\n", "has a grade that is not finite"),
        ("\x00\x01\x02", "path must be a file of the SVMlight format"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, message):
    path = tmp_path / "damaged.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        rb.datasets.svmlight(path)
    assert str(path) in str(caught.value)


def test_a_cut_archive_a_missing_file_and_too_few_features(tmp_path):
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress(GOOD.encode() * 100)[:-20])
    with pytest.raises(ValueError, match="path must be a file of the SVMlight format"):
        rb.datasets.svmlight(packed)
    with pytest.raises(FileNotFoundError, match="path must be a file of the SVMlight format, but there is none at"):
        rb.datasets.svmlight(tmp_path / "nowhere.txt")
    (tmp_path / "train.txt").write_text(GOOD)
    with pytest.raises(ValueError, match="n_features"):
        rb.datasets.svmlight(tmp_path / "train.txt", features=2)


def test_without_scikit_learn_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="svmlight needs scikit-learn"):
        rb.datasets.svmlight(tmp_path / "train.txt")
