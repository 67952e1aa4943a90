"""Images and texts in one space: each finds the other, judged on pairs that training has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rankbook.datasets import Samples, emoji, flickr8k
from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.experiments.tasks.retrieval import Head, loaded
from rankbook.metrics import reciprocal_rank

_LSA = 300  # dimensions of the texts of Flickr8k
_K = (1, 5, 10)


class Pairs(NamedTuple):
    """Images and texts; those with one label belong together. Labels number the rows of ``topics``."""

    images: Tensor  # [n, d]
    image_labels: Tensor  # [n]
    texts: Tensor  # [m, e]
    text_labels: Tensor  # [m]
    topics: Tensor  # [labels, words], unit rows: the words that are said of each label, so that a dot product says how alike two are


def emoji_pairs(split: str) -> Pairs:
    """Drawings and frozen text features; an emoji is one text and three to six drawings. Topics: name and keywords."""
    images, texts = emoji(split), emoji(split, "texts")
    order = {label: row for row, label in enumerate(texts.labels.tolist())}
    return Pairs(
        images.inputs,
        torch.tensor([order[label] for label in images.labels.tolist()]),
        texts.inputs,
        torch.arange(len(texts)),
        _tensor(_emoji_vectorizer().transform(_said(texts))),
    )


def emoji_words(split: str) -> Pairs:
    """`emoji_pairs` whose texts are their topics, bags of words: a linear head of them is a vector for each word."""
    data = emoji_pairs(split)
    return data._replace(texts=data.topics)


def emoji_vocabulary() -> tuple[list[str], Tensor]:
    """The words of the training emoji, and how rare each is: what it weighs in a bag."""
    vectorizer = _emoji_vectorizer()
    return vectorizer.get_feature_names_out().tolist(), torch.tensor(vectorizer.idf_)


def _emoji_vectorizer():
    return _vectorizer(_said(emoji("train", "texts")))


def _said(texts: Samples) -> list[str]:
    return (texts.table["name"] + " " + texts.table["keywords"]).tolist()


def flickr8k_pairs(split: str, root: Path) -> Pairs:
    """Photographs, whose features are centered, and captions by latent semantic analysis; all that is fitted is fitted on training
    alone. Photographs without captions are left out. Topics: the words of all captions of a photograph."""
    fitted = loaded(_flickr8k_fitted, "train", root)
    data = flickr8k(root, split, what="features")
    data = data[data.table["captions"].map(len) > 0]
    captions = data.table["captions"].tolist()
    weights = fitted.vectorizer.transform([text for said in captions for text in said])
    return Pairs(
        nn.functional.normalize(data.inputs - fitted.mean, dim=1),
        torch.arange(len(data)),
        nn.functional.normalize(torch.from_numpy(fitted.lsa.transform(weights)).float(), dim=1),
        torch.tensor([row for row, said in enumerate(captions) for _ in said]),
        _tensor(fitted.vectorizer.transform([" ".join(said) for said in captions])),
    )


class _Fitted(NamedTuple):
    mean: Tensor
    vectorizer: object
    lsa: object


def _flickr8k_fitted(split: str, root: Path) -> _Fitted:
    from sklearn.decomposition import TruncatedSVD

    data = flickr8k(root, split, what="features")
    captions = [text for said in data.table["captions"] for text in said]
    vectorizer = _vectorizer(captions)
    return _Fitted(data.inputs.mean(0), vectorizer, TruncatedSVD(_LSA, random_state=0).fit(vectorizer.transform(captions)))


def _vectorizer(texts: list[str]):
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english", dtype=np.float32).fit(texts)


def _tensor(matrix) -> Tensor:
    return torch.from_numpy(matrix.toarray())


class TwoHeads(nn.Module):
    """A linear map to one unit sphere for images, one for texts."""

    def __init__(self, images: int, texts: int, outputs: int = 256):
        super().__init__()
        self.images, self.texts = Head(images, outputs), Head(texts, outputs)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return self.images(inputs[0]), self.texts(inputs[1])


@dataclass(frozen=True)
class CrossModal:
    """Embed images and texts so that each finds the other.

    Args:
        load: split -> `Pairs`; with a ``root``, (split, root) -> `Pairs`.
        labels: of a batch.
        images, texts: of each label in a batch, at most; drawn anew each time.
        outputs: dimensions of the embedding.
        root: the folder of the data, where they do not come with the package.

    A loss is called ``(images [a, d], image_labels [a], texts [b, d], text_labels [b], grades [a, b])``; grades are 1 for what belongs
    together, else the cosine of the topics.

    ``i2t R@k``: the share of images that have a text of theirs among the first k of the whole gallery; ``t2i R@k`` the other way;
    ``mean R`` the mean of the six. `measure` tells the median rank of the best answer too, and how unequally the gallery is found:
    the skewness of the number of lists of ten in which an item stands ("hubs").
    """

    load: Callable[..., Pairs] = emoji_pairs
    labels: int = 64
    images: int = 1
    texts: int = 1
    outputs: int = 256
    root: Path | None = field(default=None, compare=False)

    metrics: ClassVar[tuple[str, ...]] = (*(f"{way} R@{k}" for way in ("i2t", "t2i") for k in _K), "mean R")

    def pairs(self, split: str) -> Pairs:
        return loaded(self.load, split, self.root)

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> TwoHeads:
        """Train both heads; the same call gives the same heads.

        Args:
            loss: as above; its own parameters, if any, are trained too.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: batches.
            seed: of the first weights and the batches; they are the same for every loss.
        """
        data = self.pairs("train")

        def call(both: tuple[Tensor, Tensor], known: tuple[Tensor, Tensor, Tensor]) -> Tensor:
            return loss(both[0], known[0], both[1], known[1], known[2])

        with seeded(seed) as generator:
            heads = TwoHeads(data.images.shape[1], data.texts.shape[1], self.outputs)
            minimize(heads, loss, self.batches(data, generator), lr=lr, steps=steps, call=call)
        return heads

    def batches(self, data: Pairs, generator: torch.Generator) -> Iterator[tuple]:
        """((images, texts), (image labels, text labels, grades)), for ever; an epoch deals out all labels."""
        image_rows, text_rows = (_rows(labels) for labels in (data.image_labels, data.text_labels))
        while True:
            for chosen in torch.randperm(len(data.topics), generator=generator).split(self.labels):
                if len(chosen) < self.labels:
                    break
                i, t = _drawn(image_rows[chosen], self.images, generator), _drawn(text_rows[chosen], self.texts, generator)
                known = data.image_labels[i], data.text_labels[t]
                grades = (data.topics[known[0]] @ data.topics[known[1]].T).clamp(0, 1).masked_fill(known[0][:, None] == known[1], 1.0)
                yield (data.images[i], data.texts[t]), (*known, grades)

    def measure(self, model: nn.Module, split: str) -> dict[str, float]:
        """The metrics on the pairs of a split, each side whole as the gallery of the other."""
        data = self.pairs(split)
        with one_thread(), torch.no_grad():
            images, texts = model((data.images, data.texts))
            return both_ways(images, data.image_labels, texts, data.text_labels)


def both_ways(images: Tensor, image_labels: Tensor, texts: Tensor, text_labels: Tensor) -> dict[str, float]:
    """The metrics of `CrossModal` for embeddings.

    >>> from rankbook.experiments.tasks.cross_modal import both_ways
    >>> found = both_ways(torch.eye(12), torch.arange(12), torch.eye(12).roll(1, 0), torch.arange(12))
    >>> found["i2t R@1"], found["t2i R@10"]
    (0.0, 0.0)
    """
    sides = {"i2t": (images, image_labels, texts, text_labels), "t2i": (texts, text_labels, images, image_labels)}
    recalls, more = {}, {}
    for way, (queries, labels, gallery, ref_labels) in sides.items():
        found = evaluate_retrieval(queries, labels, gallery, ref_labels, metrics={"RR": reciprocal_rank}, reduction="none")["RR"]
        ranks = (1 / found.double()).round()
        recalls |= {f"{way} R@{k}": (ranks <= k).double().mean().item() for k in _K}
        more[f"{way} median rank"] = ranks.median().item()
        times = (queries @ gallery.T).topk(min(10, len(gallery)), dim=1).indices.flatten().bincount(minlength=len(gallery)).double()
        spread = times.std(correction=0).clamp(min=1e-12)
        more[f"{way} hubs"] = (((times - times.mean()) / spread) ** 3).mean().item()
    return recalls | {"mean R": sum(recalls.values()) / len(recalls)} | more


def _rows(labels: Tensor) -> Tensor:
    """The rows of each label ``[labels, most]``, -1 where a label has no more."""
    counts = labels.bincount()
    order = labels.argsort(stable=True)
    place = torch.arange(len(labels)) - (counts.cumsum(0) - counts)[labels[order]]
    rows = torch.full((len(counts), int(counts.max())), -1)
    rows[labels[order], place] = order
    return rows


def _drawn(rows: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """At most so many rows of each label, at random."""
    lots = torch.rand(rows.shape, generator=generator).masked_fill(rows < 0, -1.0)
    drawn = rows.gather(1, lots.argsort(dim=1, descending=True)[:, :most]).flatten()
    return drawn[drawn >= 0]
