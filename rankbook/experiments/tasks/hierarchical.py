"""Retrieval on a label tree: a loss may see class, subgroup and group, and is judged on all three."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from rankbook.datasets import Samples
from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.tasks.retrieval import Retrieval
from rankbook.losses.hap import level_ap
from rankbook.metrics import average_precision, hit_at_k, ndcg

BY_CLASS = {"R@1": partial(hit_at_k, k=1), "AP": average_precision}
BY_LEVELS = {"H-AP": level_ap, "NDCG": ndcg}


@dataclass(frozen=True)
class HierarchicalRetrieval(Retrieval):
    """`Retrieval` with all levels in the batch; a loss on the class reads the first alone.

    R@1 and AP are on the class, H-AP and NDCG on all levels.
    """

    metrics: ClassVar[tuple[str, ...]] = (*BY_CLASS, *BY_LEVELS)

    def labels(self, samples: Samples) -> Tensor:
        return samples.levels

    def evaluate(
        self, queries: Tensor, labels: Tensor, gallery: Tensor | None = None, gallery_labels: Tensor | None = None
    ) -> dict[str, float]:
        classes = None if gallery_labels is None else gallery_labels[:, 0]
        by_class = evaluate_retrieval(queries, labels[:, 0], gallery, classes, metrics=BY_CLASS)
        return by_class | evaluate_retrieval(queries, labels, gallery, gallery_labels, metrics=BY_LEVELS)
