"""What other packages compute for the same batches: Smooth-AP of pytorch-metric-learning, AP of torchmetrics, next to ours.

    pip install pytorch-metric-learning==2.9.0 torchmetrics==1.9.0
    python -m rankbook.experiments.benchmarks.peer_values

writes what ``data/results/peer_values.csv`` lacks, in seconds. The batches are seeded, so chapters recompute our column without
the two packages.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from rankbook.experiments.runs import fill, found
from rankbook.experiments.tables import data_folder, stored_path
from rankbook.losses import SmoothAPLoss
from rankbook.metrics import average_precision
from rankbook.relevance import leave_query_out, same_label

COMMAND = "python -m rankbook.experiments.benchmarks.peer_values"
TAU = 0.01
#: (classes, items a class, in random order?): as many classes as items a class, more, fewer, and shuffled.
BATCHES = ((8, 8, False), (16, 4, False), (32, 2, False), (4, 16, False), (8, 8, True))
SEEDS = (0, 1, 2)


def seeded_batch(classes: int, per_class: int, shuffled: bool, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy unit vectors around a random center for each class, and their labels; the same call gives the same batch."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(classes).repeat_interleave(per_class)
    centers = torch.randn(classes, 32, generator=generator)
    noise = torch.randn(len(labels), 32, generator=generator)
    embeddings = torch.nn.functional.normalize(centers[labels] + 1.5 * noise, dim=1)
    order = torch.randperm(len(labels), generator=generator) if shuffled else torch.arange(len(labels))
    return embeddings[order], labels[order]


def our_smooth_ap(embeddings: Tensor, labels: Tensor) -> float:
    """The query stays in its gallery, as in the authors' code and its descendants."""
    return SmoothAPLoss(tau=TAU, include_query=True)(embeddings, labels).item()


def our_ap(embeddings: Tensor, labels: Tensor) -> float:
    present = leave_query_out(len(labels))
    return average_precision(embeddings @ embeddings.T, same_label(labels), where=present).item()


def _their_smooth_ap(embeddings: Tensor, labels: Tensor) -> float:
    from pytorch_metric_learning.losses import SmoothAPLoss as Theirs

    return Theirs(temperature=TAU)(embeddings, labels).item()


def _their_ap(embeddings: Tensor, labels: Tensor) -> float:
    from torchmetrics.functional.retrieval import retrieval_average_precision

    present, same, scores = leave_query_out(len(labels)), same_label(labels), embeddings @ embeddings.T
    values = [retrieval_average_precision(s[w], p[w]) for s, p, w in zip(scores, same, present, strict=True)]
    return torch.stack(values).mean().item()


#: (package, what it computes) -> (theirs, ours)
PAIRS: dict[tuple[str, str], tuple[Callable[..., float], Callable[..., float]]] = {
    ("pytorch-metric-learning", "Smooth-AP loss"): (_their_smooth_ap, our_smooth_ap),
    ("torchmetrics", "AP"): (_their_ap, our_ap),
}


def run(config: Mapping[str, Any]) -> dict[str, Any]:
    """Both values for one batch, and the version of the package."""
    theirs, ours = PAIRS[config["package"], config["quantity"]]
    batch = seeded_batch(config["classes"], config["per_class"], config["shuffled"], config["seed"])
    return {"version": version(config["package"]), "theirs": theirs(*batch), "ours": ours(*batch)}


def configurations() -> list[dict[str, Any]]:
    return [
        {"package": package, "quantity": quantity, "classes": c, "per_class": m, "shuffled": shuffled, "seed": seed}
        for package, quantity in PAIRS
        for c, m, shuffled in BATCHES
        for seed in SEEDS
    ]


def stored() -> pd.DataFrame:
    """The table that comes with the package."""
    return found(stored_path("peer_values"), configurations())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the table is or shall be (default: data/results of the clone)")
    options = parser.parse_args(arguments)
    try:
        path = data_folder("results", options.folder) / "peer_values.csv"
    except ValueError as error:
        parser.error(str(error))
    print(fill(path, configurations(), run).drop(columns=["torch", "python"]).to_string())


if __name__ == "__main__":
    main()
