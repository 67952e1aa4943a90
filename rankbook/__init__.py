"""Learning to rank with differentiable losses: any metric with any ranker, in PyTorch.

>>> loss = rb.as_loss(rb.ndcg, partial(rb.sigmoid_ranks, tau=0.1))
"""

import importlib
from typing import Any

from rankbook import checks
from rankbook.calibrated import MonotoneCalibration, evaluate_probabilities
from rankbook.evaluation import evaluate_retrieval
from rankbook.gap import *  # noqa: F403
from rankbook.gap import __all__ as _gap
from rankbook.lists import flatten_lists, pad_lists
from rankbook.losses import *  # noqa: F403
from rankbook.losses import __all__ as _losses
from rankbook.metrics import *  # noqa: F403
from rankbook.metrics import __all__ as _metrics
from rankbook.polygons import polygon_box_loss, polygon_box_terms, soft_inside
from rankbook.ranks import *  # noqa: F403
from rankbook.ranks import __all__ as _ranks
from rankbook.ranks.straight_through import straight_through
from rankbook.ranks.top_k import soft_top_k
from rankbook.relevance import hierarchical_relevance, leave_query_out, same_label, shared_levels
from rankbook.scale import *  # noqa: F403
from rankbook.scale import __all__ as _scale

# What needs more than torch is imported at its first use, so that `import rankbook` stays as quick as `import torch`.
_LAZY_MODULES = ("datasets", "integrations", "live", "sorters", "viz")
_SORTERS = (
    "BiGRUSorter",
    "BiLSTMSorter",
    "ConvSorter",
    "KernelSorter",
    "KnotSorter",
    "MLPSorter",
    "SetTransformerSorter",
    "Sorter",
    "UpdatingSorter",
    "gradient_cosine",
    "list_sorters",
    "load_sorter",
    "rank_descent",
    "rank_error",
    "save_sorter",
    "sorter_card",
    "synthetic_scores",
    "train_sorter",
)
_TRAINING = ("train", "BalancedBatchSampler", "BalancedBatches", "HierarchicalBatchSampler")
_LAZY_NAMES = {name: "rankbook.training" for name in _TRAINING} | {name: "rankbook.sorters" for name in _SORTERS}

__all__ = [
    *_gap,
    *_losses,
    *_metrics,
    *_ranks,
    *_scale,
    "MonotoneCalibration",
    "checks",
    "evaluate_probabilities",
    "evaluate_retrieval",
    "flatten_lists",
    "hierarchical_relevance",
    "leave_query_out",
    "pad_lists",
    "polygon_box_loss",
    "polygon_box_terms",
    "same_label",
    "shared_levels",
    "soft_inside",
    "soft_top_k",
    "straight_through",
    *_LAZY_MODULES,
    *_LAZY_NAMES,
]
__version__ = "0.10.0"


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"rankbook.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(_LAZY_NAMES[name]), name)
    raise AttributeError(f"module 'rankbook' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
