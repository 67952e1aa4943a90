"""Many labels: a linear head on given numbers scores each picture for each label; each label ranks the pictures it has not seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from rankbook import checks
from rankbook.datasets import emoji, flickr8k
from rankbook.datasets.layout import arrays, check_file, check_folder
from rankbook.datasets.voc import CLASSES
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.metrics import average_precision
from rankbook.ranks import exact_ranks

TRAINING_SHARE = 0.6
WIDTH = 512  # inputs of the bundled set, where the learning rates of the study were placed

#: The nouns among the most frequent words of the captions, with their plurals; chosen by hand, before any training.
NOUNS = (
    *("man men", "dog dogs", "boy boys", "woman women", "girl girls", "water", "people", "shirt shirts", "ball", "grass"),
    *("child children", "snow", "field", "group", "beach", "bike bicycle", "air", "street", "rock rocks", "player players"),
    *("hat", "pool", "jacket", "dirt", "toy", "mountain mountains", "soccer", "crowd", "camera", "wall", "skateboard"),
    *("sand", "building", "ocean", "hill", "park", "tennis", "stick", "race", "baby", "tree trees", "car", "football"),
    *("dress", "bench", "sidewalk", "helmet", "swing", "ramp", "basketball", "road", "lake", "frisbee", "wave", "boat"),
    *("track", "fence", "motorcycle", "river", "horse"),
)


class Tagged(NamedTuple):
    """Pictures with many labels.

    inputs: [n, d], what the head reads
    targets: [n, labels], 0 or 1; the most frequent label comes first
    groups: [n], pictures of one group stay in one split
    validation: [n], truth values: the pictures that choose, and are never judged on
    names: of the labels
    """

    inputs: Tensor
    targets: Tensor
    groups: Tensor
    validation: Tensor
    names: tuple[str, ...]


class Scorer(nn.Module):
    """A linear head that starts at 0, on standardized inputs; it remembers which pictures it has not seen.

    The inputs are scaled by one over their number, so that a step of Adam moves a score as far on every set: by
    some ``WIDTH * reach`` learning rates.
    """

    def __init__(self, inputs: Tensor, labels: int, unseen: Tensor, reach: float = 1.0):
        super().__init__()
        self.mean, self.width = inputs.mean(0), inputs.std(0).clamp(min=1e-6) * inputs.shape[1] / (WIDTH * reach)
        self.linear, self.unseen = nn.Linear(inputs.shape[1], labels), unseen
        nn.init.zeros_(self.linear.weight), nn.init.zeros_(self.linear.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.linear((inputs - self.mean) / self.width)


def emoji_keywords() -> Tagged:
    """The drawings of the bundled set and the 40 most frequent keywords of their emoji; a family of emoji stays in one split."""
    data = emoji("all")
    words = [str(one).split(", ") for one in data.table["keywords"]]
    count = Counter(word for row in data.table.drop_duplicates("class").index for word in words[row])
    names = tuple(sorted(count, key=lambda word: (-count[word], word))[:40])
    targets = torch.tensor([[float(name in row) for name in names] for row in words])
    groups = torch.tensor(data.table["family"].to_numpy())
    return Tagged(data.inputs, targets, groups, torch.tensor((data.table["split"] == "validation").to_numpy()), names)


def flickr8k_nouns(root: Path) -> Tagged:
    """Flickr8k: features of a frozen encoder, and the nouns that at least two of the five captions of a photograph use.

    The official development photographs are the validation; the official training and test photographs are divided anew.
    """
    data = flickr8k(root, what="features")
    data = data[[row for row, one in data.table.iterrows() if one["split"] and one["captions"]]]
    said = [[set(re.findall("[a-z]+", text.lower())) for text in texts] for texts in data.table["captions"]]
    words = [noun.split() for noun in NOUNS]
    targets = torch.tensor([[float(sum(not one.isdisjoint(noun) for one in texts) >= 2) for noun in words] for texts in said])
    order = targets.sum(0).argsort(descending=True, stable=True)
    validation = torch.tensor((data.table["split"] == "validation").to_numpy())
    return Tagged(data.inputs, targets[:, order], data.labels, validation, tuple(words[i][0] for i in order.tolist()))


def voc2012_scores(root: Path) -> Tagged:
    """The 40 scores that two networks gave to the photographs of the validation split of VOC 2012, 20 classes each.

    They are made once, by networks of the reader's: ``val_scores.npz`` in the folder, with ``X`` ``[n, 40]``, the scores of one network
    and then of the other, and ``Y`` ``[n, 20]``, 1 where the photograph shows the class, both in the order of ``CLASSES``.
    """
    way = "keep the scores of two networks there: np.savez(path, X=scores, Y=shown), [n, 40] and [n, 20], n photographs"
    path = check_file(check_folder(root, "voc2012", way), "val_scores.npz", way)
    inputs, targets = (torch.from_numpy(one).float() for one in arrays(path, "X", "Y"))
    if inputs.dim() != 2 or inputs.shape != (len(targets), 2 * len(CLASSES)) or targets.shape[1:] != (len(CLASSES),):
        raise ValueError(f"{path} must hold X [n, 40] and Y [n, 20], got {list(inputs.shape)} and {list(targets.shape)}; {way}")
    order = targets.sum(0).argsort(descending=True, stable=True)
    validation = torch.rand(len(targets), generator=torch.Generator().manual_seed(0)) < 0.2
    inputs = torch.cat([inputs[:, order], inputs[:, order + len(order)]], dim=1)
    return Tagged(inputs, targets[:, order], torch.arange(len(targets)), validation, tuple(CLASSES[i] for i in order.tolist()))


@dataclass(frozen=True)
class ManyLabels:
    """Score pictures for labels, so that each label ranks its own pictures first.

    The validation pictures are the same for all seeds. The others are divided anew by each seed: a share to train, the rest to judge.

    Args:
        load: () -> what is known of the set; with a ``root``, (root) -> the same.
        batch: pictures in a batch.
        reach: scale of the standardized inputs, where scores need larger steps than the learning rates of the grid give.
        root: the folder of the data, where they do not come with the package.
    """

    load: Callable[..., Tagged] = emoji_keywords
    batch: int = 64
    reach: float = 1.0
    root: Path | None = field(default=None, compare=False)

    metrics: ClassVar[tuple[str, ...]] = ("mAP", "mAP frequent", "mAP rare", "AUC")

    @property
    def data(self) -> Tagged:
        return loaded(self.load, self.root)

    def divided(self, seed: int) -> tuple[Tensor, Tensor]:
        """The rows that a seed trains on and those that it is judged on."""
        free = self.data.groups[~self.data.validation].unique()
        order = torch.randperm(len(free), generator=torch.Generator().manual_seed(seed))
        chosen = free[order[: round(TRAINING_SHARE * len(free))]]
        training = torch.isin(self.data.groups, chosen) & ~self.data.validation
        return training.nonzero()[:, 0], (~training & ~self.data.validation).nonzero()[:, 0]

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> Scorer:
        """Train a head; the same call gives the same head.

        Args:
            loss: (scores [b, labels], targets [b, labels]) -> loss.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: batches.
            seed: of the division, the first weights and the batches; they are the same for every loss.
        """
        seen, unseen = self.divided(seed)
        inputs, targets = self.data.inputs[seen], self.data.targets[seen]
        with checks.off(), seeded(seed) as generator:
            head = Scorer(inputs, targets.shape[1], unseen, self.reach)
            order = RandomSampler(inputs, generator=generator)
            batches = DataLoader(TensorDataset(inputs, targets), batch_size=None, sampler=BatchSampler(order, self.batch, drop_last=True))
            minimize(head, loss, batches, lr=lr, steps=steps)
        return head

    def rows(self, model: Scorer, split: str) -> Tensor:
        """The pictures of a split; "test" is what this model has not seen."""
        return self.data.validation.nonzero()[:, 0] if split == "validation" else model.unseen

    def measure(self, model: Scorer, split: str) -> dict[str, float]:
        """The mean over labels of AP and of the area under the ROC curve, each label ranking the pictures of the split.

        Beside those of the test stands "mAP seen", of the pictures that the model was trained on.
        """

        def of(rows: Tensor) -> dict[str, float]:
            return judged(model(self.data.inputs[rows]).T, self.data.targets[rows].T)

        with one_thread(), torch.no_grad():
            found = of(self.rows(model, split))
            if split == "test":
                seen = ~self.data.validation
                seen[model.unseen] = False
                found["mAP seen"] = of(seen.nonzero()[:, 0])["mAP"]
        return found


@dataclass(frozen=True)
class GivenScores(ManyLabels):
    """`ManyLabels` on inputs of which the first, one a label, are scores of that label already: what do they reach by themselves?"""

    def measure(self, model: Scorer, split: str) -> dict[str, float]:
        """The metrics, and beside them the mAP of the scores as they were given."""
        rows = self.rows(model, split)
        targets = self.data.targets[rows].T
        return super().measure(model, split) | {"mAP as given": judged(self.data.inputs[rows].T[: len(targets)], targets)["mAP"]}


def judged(scores: Tensor, targets: Tensor) -> dict[str, float]:
    """The metrics of lists [labels, n], the most frequent label first; "rare" is the second half of the labels.

    A label without a positive, or without a negative, among the n pictures has no value and does not count.
    """
    half = (len(targets) + 1) // 2
    ap, area = average_precision(scores, targets, reduction="none"), area_under_roc(scores, targets)
    counts = area.isfinite()
    parts = (ap[counts], ap[:half][counts[:half]], ap[half:][counts[half:]], area[counts])
    return {name: part.mean().item() for name, part in zip(ManyLabels.metrics, parts, strict=True)}


def area_under_roc(scores: Tensor, targets: Tensor) -> Tensor:
    """The share of pairs (positive, negative) in the right order, ties half: [labels], NaN without a pair."""
    n, positives = targets.shape[-1], targets.sum(-1)
    passed = (targets * (n - exact_ranks(scores, ties="average"))).sum(-1)
    return (passed - positives * (positives - 1) / 2) / (positives * (n - positives))


@lru_cache(maxsize=8)
def loaded(load: Callable[..., Tagged], root: Path | None) -> Tagged:
    """A process reads a set once, not once a run."""
    return load() if root is None else load(root)
