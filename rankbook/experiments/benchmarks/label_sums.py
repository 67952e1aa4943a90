"""Pairs of the labels of an instance next to the same labels one by one, as their number grows."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from rankbook.experiments.benchmarks.measures import Work, ratios
from rankbook.experiments.benchmarks.rows import Row, row
from rankbook.losses import MultiLabelRankingLoss

WHAT, PEER = "MultiLabelRankingLoss u3", "pa, the pairs of the labels"
SIZES = {(20, 2): 1, (100, 2): 2, (500, 2): 3, (500, 50): 10}  # labels, of them relevant -> the goal


def label_sums() -> Iterator[Row]:
    """A gradient of the pairs of labels over one of single labels that are weighed by kind, 64 instances."""
    for (labels, relevant), goal in SIZES.items():
        found = ratios(label_step("pa", labels, relevant), label_step("u3", labels, relevant), calls=5)
        yield row(WHAT, PEER, f"{relevant} of {labels} labels", found, at_least=goal)


def label_step(weighting: str, labels: int, relevant: int, instances: int = 64) -> Work:
    """One forward and backward pass."""
    loss = MultiLabelRankingLoss(weighting)
    scores = torch.randn(instances, labels, generator=torch.Generator().manual_seed(labels)).requires_grad_()
    targets = (torch.arange(labels) < relevant).expand(instances, labels).long()

    def work() -> None:
        scores.grad = None
        loss(scores, targets).backward()

    return work
