"""What average precision a batch is expected to have, from the whole ranking alone: no batch is drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_count, check_lists
from rankbook.metrics.reduction import reduce_lists
from rankbook.metrics.weights import or_one
from rankbook.precision import full_precision, wide
from rankbook.ranks.exact import exact_ranks
from rankbook.retrieval.positives import Group, true_places
from rankbook.retrieval.short_lists import ShortLists
from rankbook.types import Reduction

_CHANCES = 1 << 20  # probabilities at a time: 8 MiB


@torch.no_grad()
@full_precision
def thinned_average_precision(
    scores: Tensor,
    relevance: Tensor,
    *,
    kept_positives: int,
    kept_negatives: int,
    where: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The expected average precision of a list of which only so many positives and negatives are kept, at random.

    .. math::
        \begin{aligned}
        \mathrm{E}[\mathrm{AP}] &= \frac{1}{P} \sum_{k} \mathrm{E}\left[\frac{1 + A_k}{1 + A_k + B_k}\right], \\
        A_k &\sim \mathrm{H}(P - 1,\ a_k,\ p - 1), \\
        B_k &\sim \mathrm{H}(N,\ n_k,\ n)
        \end{aligned}

    where :math:`a_k` other positives and :math:`n_k` negatives score at least as high as the positive k of the P positives
    and N negatives, and :math:`\mathrm{H}(M, m, s)` is the hypergeometric distribution: how many of m marked items are among s,
    drawn from M without replacement.

    It is exact, for each set of p positives is as likely as any other, and so is each set of n negatives: a positive is kept with
    probability :math:`p / P` and then counts for :math:`1 / p`; given that it is kept, the other :math:`p - 1` are drawn from the
    :math:`P - 1` others, independently of the negatives.

    As a metric of `evaluate_retrieval` it predicts the batches of `decomposability_gap`: for C classes of S items
    ``kept_positives=S - 1``, ``kept_negatives=(C - 1) * S``. That is an approximation, as the negatives come by class: those above a
    positive come together or not at all. Such batches of an encoder were worth .001 to .02 more than predicted.

    Args:
        scores, relevance, where: ``[..., n]``; relevance above 0 means positive.
        kept_positives: p of the formula, at least 1; a list that has fewer keeps all.
        kept_negatives: n of the formula, at least 1; a list that has fewer keeps all.
        reduction: see `rankbook.metrics`.

    Returns: the mean over the lists that have a positive; float64 (float32 on a device without it).

    Cost: as `average_precision`, and :math:`O(p\,n)` for each different number of negatives above a positive, in blocks.

    Raises:
        ValueError: as `average_precision`; counts below 1.

    One of the two negatives is kept, so the positives have the ranks 1 and 3:

    >>> rb.thinned_average_precision(torch.tensor([4.0, 3, 2, 1]), torch.tensor([1, 0, 0, 1]), kept_positives=2, kept_negatives=1)
    tensor(0.8333, dtype=torch.float64)
    """
    kept_positives, kept_negatives = check_count("kept_positives", kept_positives), check_count("kept_negatives", kept_negatives)
    scores, relevance, where = check_lists(scores, relevance, where, exact=True)
    shape, items = scores.shape[:-1], scores.shape[-1]
    positive = (relevance > 0).reshape(-1, items)
    count = positive.sum(1)
    negatives = (items if where is None else where.reshape(-1, items).sum(1)) - count
    # logarithms of factorials are large: where there is no float64, the CPU has it
    home = scores.device if wide(scores.device) == torch.float64 else torch.device("cpu")
    factorials = torch.arange(1, items + 2, dtype=torch.float64, device=home).lgamma()
    sums = factorials.new_zeros(len(count))
    if len(count) and positive.any():
        mask = None if where is None else where.reshape(-1, items)
        found = _above(scores.reshape(-1, items), positive, count, mask)
        lists, p_above, n_above, p, n = (of.to(home) for of in (*found, count, negatives))
        most_p, most_n = min(kept_positives, items), min(kept_negatives, items)
        after = torch.arange(1, most_p + 1, dtype=sums.dtype, device=sums.device)  # 1 + A
        precisions = after / (after + torch.arange(most_n + 1, dtype=sums.dtype, device=sums.device)[:, None])  # [B, 1 + A]
        if_others, n_table = _means(factorials, n[lists], n_above, kept_negatives, precisions)
        of_others, p_table = _means(factorials, p[lists] - 1, p_above, kept_positives - 1, torch.diag(torch.ones_like(after)))
        tables = (table.split(max(1, _CHANCES // most_p)) for table in (p_table, n_table))
        precision = [(of_others[a] * if_others[b]).sum(1) for a, b in zip(*tables, strict=True)]
        sums.index_add_(0, lists, torch.cat(precision))
    values = sums.to(scores.device, wide(scores.device)) / or_one(count)
    return reduce_lists(values.reshape(shape), (count > 0).reshape(shape), reduction)


def _above(scores: Tensor, positive: Tensor, count: Tensor, where: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Of the positives of all lists [L, n], one after the other: the list, how many other positives score no less, and negatives."""
    rows = torch.arange(len(scores), device=scores.device)
    places = true_places(positive, int(count.max()))
    there = torch.arange(places.shape[1], device=scores.device) < count[:, None]
    places = torch.where(there, places, places[:, :1])
    short = ShortLists(scores.clone(), Group(rows, places, there.long(), outside=None if where is None else ~where))
    p_above = exact_ranks(short.narrow, where=there)[there] - 1
    return rows[:, None].expand_as(there)[there], p_above.long(), short.above[there].long()


def _means(factorials: Tensor, total: Tensor, marked: Tensor, kept: int, values: Tensor) -> tuple[Tensor, Tensor]:
    """The means of ``values`` [j, c] over how many marked items j are among those kept: [tables, c], and the table of each.

    There are fewer different pairs of numbers than positives, so fewer tables.
    """
    pairs, table = (total * len(factorials) + marked).unique(return_inverse=True)
    means = [
        _chances(factorials, some // len(factorials), some % len(factorials), kept, len(values)) @ values
        for some in pairs.split(max(1, _CHANCES // len(values)))
    ]
    return torch.cat(means), table


def _chances(factorials: Tensor, total: Tensor, marked: Tensor, kept: int, numbers: int) -> Tensor:
    """The hypergeometric distribution: how likely j = 0, 1, ... of the marked items are kept, [k] -> [k, numbers]."""
    total, marked = total[:, None], marked[:, None]
    drawn, j = total.clamp(max=kept), torch.arange(numbers, device=total.device)
    possible = (j <= marked) & (j <= drawn) & (drawn - j <= total - marked)

    def log_choices(n: Tensor, k: Tensor) -> Tensor:
        k = torch.where(possible, k, 0)
        return factorials[n] - factorials[k] - factorials[n - k]

    chances = log_choices(marked, j) + log_choices(total - marked, drawn - j) - log_choices(total, drawn)
    return torch.where(possible, chances.exp(), 0.0)
