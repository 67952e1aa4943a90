"""`HierarchicalRetrieval` looked at level by level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.tasks.hierarchical import HierarchicalRetrieval
from rankbook.losses.hap import level_ap
from rankbook.metrics import asi, average_precision, hit_at_k, ndcg

_FIRST, _AP = {"R@1": partial(hit_at_k, k=1)}, {"AP": average_precision}
_TREE = {"H-AP": level_ap, "NDCG": ndcg, "ASI": asi}


@dataclass(frozen=True)
class TreeRetrieval(HierarchicalRetrieval):
    """R@1 and AP of the class; the same one level up, where its positives share at least the second level; the AP of the coarsest
    level; H-AP, NDCG and ASI of the whole tree. On two levels the second is the coarsest."""

    metrics: ClassVar[tuple[str, ...]] = ("R@1", "AP", "R@1 one up", "AP one up", "AP coarsest", *_TREE)

    def evaluate(
        self, queries: Tensor, labels: Tensor, gallery: Tensor | None = None, gallery_labels: Tensor | None = None
    ) -> dict[str, float]:
        def at(column: int, **metrics) -> dict[str, float]:
            theirs = None if gallery_labels is None else gallery_labels[:, column]
            return evaluate_retrieval(queries, labels[:, column], gallery, theirs, metrics=metrics)

        found = at(0, **_FIRST, **_AP)
        found |= at(1, **{f"{name} one up": metric for name, metric in (_FIRST | _AP).items()})
        found |= {"AP coarsest": found["AP one up"]} if labels.shape[1] == 2 else at(-1, **{"AP coarsest": average_precision})
        found |= evaluate_retrieval(queries, labels, gallery, gallery_labels, metrics=_TREE)
        return {name: found[name] for name in self.metrics}
