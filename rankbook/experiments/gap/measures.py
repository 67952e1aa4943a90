"""What is measured of a head on its training classes: the gap on batches that all models share, the bounds, the prediction."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from rankbook.evaluation import evaluate_retrieval
from rankbook.gap import decomposability_gap, thinned_average_precision
from rankbook.losses import CalibrationLoss
from rankbook.metrics import average_precision

_PERFECT = 1 - 1e-9


def dealt(labels: Tensor, classes: int, per_class: int, seed: int) -> tuple[list[Tensor], Tensor]:
    """A partition of the items into batches of ``classes`` classes with ``per_class`` items each.

    The items of a class are cut into hands of ``per_class``; each batch takes a hand of those classes that have most left. A class
    that does not divide has a last hand of fewer, never of one.

    Returns: the batches, rows of the items; and which items [n] lie in one of ``classes`` classes: the rest is what was left at the
    end, in batches of fewer classes.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    class_of = labels.unique(return_inverse=True)[1]
    hands = []
    for members in order[class_of[order].argsort(stable=True)].split(class_of.bincount().tolist()):
        parts = list(members.split(per_class))
        if len(parts) > 1 and len(parts[-1]) == 1:
            parts[-2:] = [torch.cat(parts[-2:])]
        hands.append(parts)
    left = torch.tensor([len(parts) for parts in hands])
    batches, full = [], torch.zeros(len(labels), dtype=torch.bool)
    while (left > 0).any():
        ties = torch.randperm(len(hands), generator=generator)
        chosen = ties[left[ties].argsort(descending=True, stable=True)]
        chosen = chosen[left[chosen] > 0][:classes]
        left[chosen] -= 1
        batches.append(torch.cat([hands[c][left[c]] for c in chosen.tolist()]))
        full[batches[-1]] = len(chosen) == classes
    return batches, full


@torch.no_grad()
def ap_of_each(embeddings: Tensor, labels: Tensor) -> Tensor:
    """AP of each item as a query among all others [n]."""
    return evaluate_retrieval(embeddings, labels, metrics={"AP": average_precision}, reduction="none")["AP"]


@torch.no_grad()
def gap_on(embeddings: Tensor, labels: Tensor, batches: list[Tensor], counted: Tensor, whole: Tensor) -> dict[str, float]:
    """Of the queries ``counted`` [n]: the gap, AP in the batch, how many are perfect there; and of the batches that are whole perfect.

    ``gap`` is that of `decomposability_gap` over these queries, from values of the whole that are at hand.
    """
    inside, solved = torch.full_like(whole, torch.nan), []
    for rows in batches:
        inside[rows] = ap_of_each(embeddings[rows], labels[rows]).to(whole.dtype)
        if counted[rows].all():
            solved.append(bool((inside[rows] > _PERFECT).all()))
    inside, whole = inside[counted], whole[counted]
    return {
        "gap": (inside - whole).mean().item(),
        "batch": inside.mean().item(),
        "perfect": (inside > _PERFECT).double().mean().item(),
        "solved": sum(solved) / len(solved),
    }


@torch.no_grad()
def with_bounds(
    embeddings: Tensor, labels: Tensor, batches: list[Tensor], counted: Tensor, classes: int, per_class: int
) -> dict[str, float]:
    """`decomposability_gap` of the queries counted, and the gap that thinning predicts for a batch of this shape."""
    found = decomposability_gap(embeddings, labels, batches, reduction="none")
    thin = partial(thinned_average_precision, kept_positives=per_class - 1, kept_negatives=(classes - 1) * per_class)
    expected = evaluate_retrieval(embeddings, labels, metrics={"thin": thin}, reduction="none")["thin"].double()
    values = found | {"predicted": expected - found["whole"]}
    return {name: value[counted].mean().item() for name, value in values.items()}


@torch.no_grad()
def violations(embeddings: Tensor, labels: Tensor) -> dict[str, float]:
    """The shares of pairs on the wrong side of the thresholds of `CalibrationLoss`: what makes its bound loose."""
    margins = CalibrationLoss()
    scores, same = embeddings @ embeddings.T, labels[:, None] == labels
    positives, negatives = int(same.sum()) - len(labels), int((~same).sum())
    pulled = (scores < margins.pos_margin).logical_and_(same)  # an item and itself are at 1
    pushed = (scores > margins.neg_margin).logical_and_(~same)
    return {"bad_positives": int(pulled.sum()) / positives, "bad_negatives": int(pushed.sum()) / negatives}
