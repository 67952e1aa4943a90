"""The decomposability gap of an encoder: the metric within batches against the metric of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from rankbook.checks import check_callable, check_choice, check_device, check_number, check_tensor, first, reads_values
from rankbook.evaluation import queries_at_once, values_of_queries
from rankbook.gap.bounds import calibrated_gap_bound, gap_bound
from rankbook.metrics import average_precision
from rankbook.precision import full_precision, wide
from rankbook.relevance import Labels
from rankbook.retrieval.batch import Batch, check_batch
from rankbook.retrieval.positives import Positives
from rankbook.retrieval.products import Products


@torch.no_grad()
@full_precision
def decomposability_gap(
    embeddings: Tensor,
    labels: Labels,
    batches: Iterable[Tensor],
    *,
    metric: Callable[..., Tensor] = average_precision,
    alpha: float = 0.9,
    beta: float = 0.6,
    chunk_size: int | None = None,
    reduction: Literal["mean", "none"] = "mean",
) -> dict[str, float] | dict[str, Tensor]:
    r"""How much better the ranking looks from within batches than it is: what a loss of batches does not see.

    .. math::
        \begin{aligned}
        \mathrm{gap}(q) &= \frac{1}{|\mathcal{B}_q|} \sum_{B \in \mathcal{B}_q} \mathrm{metric}(q, B) \\
                        &\quad - \mathrm{metric}(q, \text{all})
        \end{aligned}

    where :math:`\mathcal{B}_q` are the batches in which the query q stands and has a positive (and the metric a value). As in
    training, a query ranks the batch that it is part of, and is left out of it, and of all. The mean is over the queries that have such
    a batch, each counted once, in all results alike: a query that is alone in its batch is not in the metric of the whole either.

    ROADMAP lets a query rank *every* batch; that is this function with the query added to each of them. The gap may be negative.

    Args:
        embeddings: ``[b, d]``, normalized if the cosine is meant.
        labels: ``[b]`` or ``[b, levels]``, as in `evaluate_retrieval`.
        batches: index tensors, one a batch: ``torch.randperm(b).split(128)``, ``list(rb.BalancedBatchSampler(...))``. A partition,
            or any lists, none with an item twice.
        metric: of `rankbook.metrics`, its knobs bound by ``functools.partial``, or yours (see `evaluate_retrieval`).
        alpha, beta: the thresholds of `calibrated_gap_bound`, ``pos_margin`` and ``neg_margin`` of `CalibrationLoss`.
        chunk_size: queries at a time, as in `evaluate_retrieval`.
        reduction: ``"none"`` gives the values of the queries; 0 for one that has none.

    Returns: a dict of means, or of values ``[b]``: ``gap``; ``batch`` and ``whole``, whose difference it is; and for
    `average_precision` itself ``bound`` (`gap_bound`) and ``calibrated_bound`` (`calibrated_gap_bound`). **Both assume that the
    query ranks each of the batches perfectly**, also those that it is no part of. Where ``batch`` is below 1 it does not, and its
    gap may exceed them. They need no partition: an item of several batches counts in the first (both then hold, but need not be
    attained), an item of none may stand anywhere.

    Cost: that of `evaluate_retrieval` of the whole and of each batch, and one more product for the bounds; memory
    :math:`O(\text{chunk} \cdot b)`.

    Raises:
        ValueError: as `evaluate_retrieval`; batches that are empty, hold an item twice or one that is not there; no query with a
            positive in its batch; thresholds with ``alpha <= beta``.

    >>> x, y = torch.tensor([[1.0], [0.9], [0.8], [0.7], [0.6], [0.5]]), torch.tensor([0, 1, 0, 0, 1, 0])
    >>> result = rb.decomposability_gap(x, y, [torch.tensor([0, 2, 4]), torch.tensor([1, 3, 5])])
    >>> {name: round(value, 3) for name, value in result.items()}
    {'gap': 0.024, 'batch': 0.75, 'whole': 0.726, 'bound': 0.194, 'calibrated_bound': 0.139}
    """
    check_callable("metric", metric), check_choice("reduction", reduction, ("mean", "none"))
    alpha, beta = check_number("alpha", alpha), check_number("beta", beta)
    if alpha <= beta:
        raise ValueError(f"alpha must be above beta, or a good positive may tie with a good negative, got {alpha} and {beta}")
    batch = check_batch(embeddings, labels)
    chunk_size = queries_at_once(batch, chunk_size)
    lists = _check_batches(batches, batch.queries)

    in_batch = _values_in_batches(batch, lists, metric, chunk_size)
    rows = (~in_batch.isnan()).nonzero().squeeze(1)
    if not len(rows):
        if reduction == "none":
            names = ["gap", "batch", "whole"] + ["bound", "calibrated_bound"] * (metric is average_precision)
            return {name: torch.zeros_like(in_batch) for name in names}
        raise ValueError(
            "batches: no query has a positive in its batch (or the metric has no value there), so there is nothing to average; draw "
            "several items of a class, as rb.BalancedBatchSampler does"
        )
    whole = Positives(_queries_of(batch, rows), "absent")
    in_whole = values_of_queries(whole, {"whole": metric}, chunk_size)["whole"]
    results = {"gap": in_batch[rows] - in_whole, "batch": in_batch[rows], "whole": in_whole}
    if metric is average_precision:
        results |= _bounds(whole, lists, alpha, beta, chunk_size)
    if reduction == "mean":
        return {name: values.mean().item() for name, values in results.items()}
    return {name: torch.zeros_like(in_batch).index_copy_(0, rows, values) for name, values in results.items()}


def _check_batches(batches: Any, queries: Tensor) -> list[Tensor]:
    """Indices of items, batch by batch, on the device of the embeddings."""
    advice = "batches must be a list of index tensors, such as torch.randperm(len(embeddings)).split(128)"
    if isinstance(batches, (str, bytes)) or not isinstance(batches, Iterable) or (isinstance(batches, Tensor) and batches.dim() != 2):
        raise TypeError(f"{advice}, got {type(batches).__name__}")
    lists = []
    for i, batch in enumerate(batches):
        index = batch if isinstance(batch, Tensor) else _as_index(f"batches[{i}]", batch)
        check_tensor(f"batches[{i}]", index)
        if index.is_floating_point() or index.dtype == torch.bool or index.dim() != 1 or not len(index):
            raise ValueError(f"batches[{i}] must be integers [items], places in embeddings, got {index.dtype} {tuple(index.shape)}")
        if index.device.type != "cpu":
            check_device(f"batches[{i}]", index, "embeddings", queries)
        lists.append(index.to(queries.device).long())
        if not reads_values(index):
            continue
        wrong = (index < 0) | (index >= len(queries))
        if wrong.any():
            (at,) = first(wrong)
            raise ValueError(
                f"batches[{i}] must be places in embeddings, 0..{len(queries) - 1}, but batches[{i}][{at}] is {index[at].item()}"
            )
        if len(index.unique()) < len(index):
            raise ValueError(f"batches[{i}] must hold an item once: its copy would be its own positive; drop the duplicates")
    if not lists:
        raise ValueError(f"{advice}, got an empty one")
    return lists


def _as_index(name: str, batch: Any) -> Tensor:
    """Lists and arrays of integers, which samplers give, as a tensor."""
    try:
        return torch.as_tensor(batch, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be integers [items], places in embeddings, got {type(batch).__name__}") from None


def _values_in_batches(batch: Batch, lists: list[Tensor], metric: Callable[..., Tensor], chunk_size: int) -> Tensor:
    """The mean over the batches of each query [b], NaN where it has no value in any."""
    sums = torch.zeros(len(batch.queries), dtype=wide(batch.queries.device), device=batch.queries.device)
    counts = torch.zeros_like(sums)
    for index in lists:
        items, labels = batch.queries[index], batch.labels[index.to(batch.labels.device)]
        part = Batch(items, labels, items, labels, torch.arange(len(items), device=items.device))
        values = values_of_queries(Positives(part, "absent"), {"batch": metric}, chunk_size)["batch"]
        found = ~values.isnan()
        sums[index] += torch.where(found, values, 0)
        counts[index] += found
    return sums / torch.where(counts > 0, counts, torch.nan)


def _queries_of(batch: Batch, rows: Tensor) -> Batch:
    """Some of the queries, with the gallery of all."""
    if len(rows) == len(batch.queries):
        return batch
    return batch._replace(queries=batch.queries[rows], labels=batch.labels[rows.to(batch.labels.device)], self_index=rows)


def _bounds(whole: Positives, lists: list[Tensor], alpha: float, beta: float, chunk_size: int) -> dict[str, Tensor]:
    """Both bounds for each query, from what the batches hold for it."""
    batch, products = whole.batch, Products(whole.batch, chunk_size)
    nowhere = len(lists)
    home = torch.full((len(batch.gallery),), nowhere, device=batch.gallery.device)
    for k in reversed(range(nowhere)):
        home[lists[k]] = k
    sizes = home.bincount(minlength=nowhere + 1)
    results: dict[str, list[Tensor]] = {"bound": [], "calibrated_bound": []}
    rows = []
    for group in whole.groups(lambda size: chunk_size):
        scores, homes = products(group.rows), home[group.places]
        empty = sizes.new_zeros(len(group.rows), nowhere + 1)
        positives = empty.scatter_add(1, homes, torch.ones_like(homes))
        bad_positives = empty.scatter_add(1, homes, (scores.gather(1, group.places) < alpha).long())
        own = empty.scatter_add(1, home[whole.self_index[group.rows, None]], torch.ones_like(homes[:, :1]))
        above = group.leave_out((scores > beta).scatter_(1, group.places, False), False)
        bad_negatives = empty.int().index_add_(1, home, above.int()).long()
        # what is in no batch stands apart: its positives in a batch of their own, and its negatives
        negatives, apart = sizes - own - positives, torch.zeros_like(empty[:, :1])
        positives, bad_positives = (torch.cat([of, apart], 1) for of in (positives, bad_positives))
        negatives, bad_negatives = (torch.cat([of[:, :-1], apart, of[:, -1:]], 1) for of in (negatives, bad_negatives))
        rows.append(group.rows)
        results["bound"].append(gap_bound(positives, negatives))
        of_thresholds = calibrated_gap_bound(positives, negatives, bad_positives=bad_positives, bad_negatives=bad_negatives)
        results["calibrated_bound"].append(of_thresholds)
    back = torch.cat(rows).argsort()
    return {name: torch.cat(values)[back] for name, values in results.items()}
