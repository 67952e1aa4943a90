"""Rated items: what a score is predicted from, and the scores that training and judging see; fitted on the training rows alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from rankbook.datasets import emoji, lnsim, videomem
from rankbook.datasets.ready_features import FILE

#: Columns to which words and features of many columns are reduced: quick runs, and no worse a score.
COLUMNS = 100


class Rated(NamedTuple):
    """n items.

    features: rows of the training -> features ``[n, d]`` of all items; what is fitted is fitted on those rows
    scores: seed -> (what training sees ``[n]``, what judges ``[n]``); of two halves of the raters, where there are halves
    """

    n: int
    features: Callable[[Tensor], Tensor]
    scores: Callable[[int], tuple[Tensor, Tensor]]


@lru_cache(maxsize=1)
def warm_emoji() -> Rated:
    """How warm is an emoji drawn? Told from its name and keywords alone.

    A designer's score is the mean of red minus blue over the drawing, as a rank among that designer's drawings, so that no palette
    counts more. Half of an emoji's designers, drawn by the seed, teach; the others judge.
    """
    drawings, texts = emoji("all", "images"), emoji("all", "texts")
    red, _, blue = drawings.inputs.float().mean((2, 3)).unbind(1)
    warmth = (red - blue).numpy()
    for rows in drawings.table.groupby("style").indices.values():
        warmth[rows] = rankdata(warmth[rows]) / len(rows)
    n = len(texts)
    x = torch.empty_like(texts.inputs)
    x[texts.labels] = texts.inputs  # row i is about class i
    classes, values = drawings.labels.numpy(), torch.from_numpy(warmth)

    def scores(seed: int) -> tuple[Tensor, Tensor]:
        order = np.lexsort((np.random.default_rng(seed).random(len(classes)), classes))
        place = np.empty_like(classes)
        place[order] = np.arange(len(classes)) - np.searchsorted(classes[order], classes[order])
        first = torch.from_numpy(place % 2 == 0)
        return tuple(_means(values, drawings.labels, some, n) for some in (first, ~first))

    return Rated(n, lambda rows: x, scores)


@lru_cache(maxsize=1)
def remembered_photographs(root: Path) -> Rated:
    """LNSIM: the first half of the people teaches, the second judges, in one of the 25 published splits.

    The features come with ``lnsim.npz``, or lie in ``features_lite0.npz`` beside the set's own files; see `rankbook.datasets.lnsim`.
    """
    data = lnsim(root) if (root / "lnsim.npz").is_file() else lnsim(root, features=FILE)

    def scores(seed: int) -> tuple[Tensor, Tensor]:
        return data.targets[:, 0, seed % 25], data.targets[:, 1, seed % 25]

    def features(rows: Tensor) -> Tensor:
        from sklearn.decomposition import PCA

        return torch.from_numpy(PCA(COLUMNS, random_state=0).fit(data.inputs[rows].numpy()).transform(data.inputs.numpy())).float()

    return Rated(len(data), features, scores)


@lru_cache(maxsize=1)
def remembered_captions(root: Path) -> Rated:
    """VideoMem: short-term scores from the words of the caption, weighed by TF-IDF and reduced to `COLUMNS` numbers."""
    data = videomem(root)

    def features(rows: Tensor) -> Tensor:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline

        words = make_pipeline(TfidfVectorizer(min_df=3, sublinear_tf=True), TruncatedSVD(COLUMNS, random_state=0))
        words.fit(data.inputs[rows])
        return torch.from_numpy(words.transform(data.inputs)).float()

    return Rated(len(data), features, lambda seed: (data.targets[:, 0], data.targets[:, 0]))


@lru_cache(maxsize=1)
def remembered_objects(root: Path) -> Rated:
    """VideoMem: short-term scores from what two networks saw of 80 kinds of objects, 160 numbers a video.

    They are a file of yours beside the set's own, ``coco80.npz``, with ``video`` and ``X`` as `rankbook.datasets.videomem` takes it; the
    scores that the networks gave are in the public repository MeMAD-project/media-memorability.
    """
    data = videomem(root, features="coco80.npz")
    return Rated(len(data), lambda rows: data.inputs, lambda seed: (data.targets[:, 0], data.targets[:, 0]))


def _means(values: Tensor, classes: Tensor, some: Tensor, n: int) -> Tensor:
    total = torch.zeros(n, dtype=values.dtype).index_add_(0, classes[some], values[some])
    return total / torch.bincount(classes[some], minlength=n)
