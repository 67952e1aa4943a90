"""How large the decomposability gap of average precision can be: the worst of all rankings that rank each batch perfectly."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_device, check_not_negative, check_tensor, first, reads_values
from rankbook.precision import wide

_ORDERED = 8  # batches that hold both kinds, up to which all orders are tried: 2^8 sets
_ROWS = 1024  # queries whose orders are tried at a time: 16 MiB


def gap_bound(positives: Tensor, negatives: Tensor) -> Tensor:
    r"""The largest gap that batches of these sizes leave open if the query ranks each of them perfectly.

    .. math::
        \begin{aligned}
        \mathrm{gap} &\le 1 - \frac{1}{\sum_b P_b} \min_{\text{orders}} \sum_b S_b, \\
        S_b &= \sum_{j=1}^{P_b} \frac{j + \sum_{c < b} P_c}{j + \sum_{c < b} (P_c + N_c)}
        \end{aligned}

    over the orders in which the batches stand end to end. That is the worst ranking: the negatives of a batch must wait for its last
    positive, and no ranking that reaches these last positives in the same order reaches one of them after fewer positives.

    Args:
        positives, negatives: ``[..., batches]``, whole numbers: what each batch holds for the query, without the query itself.

    Returns: ``[...]``, float64 (float32 on a device without it), in [0, 1].

    - *Proved:* no ranking with AP = 1 in each batch has a larger gap. Where a batch is not perfect, the gap may be larger; and it
      may be negative, since a query can look worse in its batches than it is.
    - *Attained* by the batches end to end in the worst order, which is found if at most 8 batches hold both kinds, however many
      hold one; and of any number, if of two batches the one with fewer positives never has fewer negatives, as in batches of one size.
    - *Loose* else, by .02 on average for 10 batches drawn at random: the fewest positives go with the most negatives, whoever has
      them. And always far above the gaps of encoders, none of which works against the merging of its batches.

    Cost: :math:`O(K \log K)` for K batches, or :math:`K\, 2^K` up to 8.

    Raises:
        ValueError: counts that are no whole numbers >= 0, two shapes, a query without a positive.

    Source: the assumption is that of ROADMAP (NeurIPS 2021); the proof and the orders are ours.

    >>> rb.gap_bound(torch.tensor([3, 3]), torch.tensor([124, 124]))
    tensor(0.4806, dtype=torch.float64)
    """
    p, n = _check_counts({"positives": positives, "negatives": negatives})
    none = p.new_zeros(len(p))
    return _bound(p, _lowest_sum(p, n, none, none), positives)


def calibrated_gap_bound(positives: Tensor, negatives: Tensor, *, bad_positives: Tensor, bad_negatives: Tensor) -> Tensor:
    r"""`gap_bound` if some items also stand on the right side of two thresholds, which all batches share.

    With :math:`\alpha > \beta` a positive is bad if it scores below :math:`\alpha`, a negative if it scores above :math:`\beta`.
    A good positive is beaten by bad negatives only, and of these by those of batches without a bad positive: the others
    stand behind it in their own batch. So the worst ranking has three parts, each of batches end to end:

    1. the good positives, between them the bad negatives of the batches without a bad positive;
    2. the bad positives of batches that have bad negatives, between them these negatives;
    3. behind every other negative the bad positives of the other batches, between them the negatives of these batches.

    Args:
        positives, negatives: ``[..., batches]``, as in `gap_bound`, good and bad ones together.
        bad_positives, bad_negatives: ``[..., batches]``, how many of them are bad.

    Returns: ``[...]`` as `gap_bound`, never above it. It is 0 if nothing is bad, that is, if the query adds nothing to
    `CalibrationLoss` in any of the batches: then perfect batches merge to a perfect ranking.

    Proved, attained and loose as `gap_bound`, part by part, with the same assumption of AP = 1 in each batch. A bad positive may stand
    behind every negative, so the bound is small only if few positives are bad. Cost: three times that of `gap_bound`.

    Raises: as `gap_bound`; ValueError if more are bad than there are.

    Source: thresholds and assumption are those of ROADMAP (NeurIPS 2021); the three parts and their proof are ours.

    >>> both = torch.tensor([3, 3]), torch.tensor([124, 124])
    >>> rb.calibrated_gap_bound(*both, bad_positives=torch.tensor([0, 0]), bad_negatives=torch.tensor([2, 2]))
    tensor(0.1448, dtype=torch.float64)
    """
    counts = {"positives": positives, "negatives": negatives, "bad_positives": bad_positives, "bad_negatives": bad_negatives}
    p, n, bad_p, bad_n = _check_counts(counts)
    for name, bad, of in (("positives", bad_positives, positives), ("negatives", bad_negatives, negatives)):
        if reads_values(bad) and (bad > of).any():
            raise ValueError(f"bad_{name} must be at most {name}, of which they are a part, but bad_{name}[{_at(bad > of)}] is more")
    none = p.new_zeros(len(p))
    free, low = bad_p == 0, (bad_p > 0) & (bad_n == 0)
    middle = ~free & ~low

    def of(batches: Tensor, numbers: Tensor) -> Tensor:
        return torch.where(batches, numbers, 0.0)

    good_p, good_n, above = p - bad_p, n - bad_n, of(free, bad_n)
    lowest = _lowest_sum(good_p, above, none, none)
    before = good_p.sum(-1)
    lowest += _lowest_sum(of(middle, bad_p), of(middle, bad_n), before, above.sum(-1))
    before = before + of(middle, bad_p).sum(-1)
    lowest += _lowest_sum(of(low, bad_p), of(low, good_n), before, (bad_n + of(~low, good_n)).sum(-1))
    return _bound(p, lowest, positives)


def _check_counts(counts: dict[str, Tensor]) -> list[Tensor]:
    """As float64 [lists, batches] on the CPU, where they have all their digits."""
    checked, (name, model) = [], next(iter(counts.items()))
    for other, value in counts.items():
        value = check_tensor(other, value)
        if value.is_floating_point() or value.dtype == torch.bool or value.dim() == 0 or value.shape[-1] == 0:
            raise ValueError(f"{other} must be whole numbers [..., batches], one count a batch, got {value.dtype} {tuple(value.shape)}")
        if checked:
            check_device(other, value, name, model)
            if value.shape != model.shape:
                raise ValueError(f"{other} must have the shape of {name} {tuple(model.shape)}, got {tuple(value.shape)}")
        check_not_negative(other, value, "a count")
        checked.append(value)
    if reads_values(model) and (model.sum(-1) == 0).any():
        at = _at(model.sum(-1) == 0)
        raise ValueError(f"{name} must be above 0 in some batch, or there is no AP, but {name}[{at + ', ' if at else ''}:] are all 0")
    return [value.cpu().double().flatten(0, -2) if value.dim() > 1 else value.cpu().double()[None] for value in checked]


def _at(mask: Tensor) -> str:
    return ", ".join(map(str, first(mask)))


def _bound(p: Tensor, lowest: Tensor, like: Tensor) -> Tensor:
    """From the lowest sums to the bounds, in the shape and on the device of the counts."""
    bound = (1 - lowest / p.sum(-1)).clamp(0, 1)  # from [0, 1] it strays by rounding only
    return bound.reshape(like.shape[:-1]).to(like.device, wide(like.device))


def _lowest_sum(p: Tensor, n: Tensor, p_before: Tensor, n_before: Tensor) -> Tensor:
    """A sum of precisions at the positives that no order of the batches [q, K] goes below; the lowest, if the orders are few.

    Before all of them stand ``p_before`` positives and ``n_before`` negatives [q]. Batches of negatives alone come first, those of
    positives alone last.
    """
    mixed = (p > 0) & (n > 0)
    last = _precisions(p_before + torch.where(mixed, p, 0.0).sum(-1), n_before + n.sum(-1), torch.where(n == 0, p, 0.0).sum(-1))
    start = p_before, n_before + torch.where(p == 0, n, 0.0).sum(-1)
    most = max(mixed.sum(-1).tolist(), default=0)
    places = (~mixed).to(torch.uint8).sort(dim=-1, stable=True).indices[:, :most]
    p, n = (torch.where(mixed, of, 0.0).gather(-1, places) for of in (p, n))
    # the fewest positives with the most negatives: k batches have no fewer of these, and no more of those
    fewest = p.masked_fill(p == 0, torch.inf).sort(-1).values.nan_to_num(posinf=0)
    order = (n / p).nan_to_num(-1).argsort(-1, descending=True)
    lowest = _stacked(fewest, n.sort(-1, descending=True).values, *start)
    unsure = _stacked(p.gather(-1, order), n.gather(-1, order), *start) > lowest  # else the order by n / p is as low
    rows = (unsure & ((p > 0).sum(-1) <= _ORDERED)).nonzero().squeeze(-1)
    for some in rows.split(_ROWS):
        lowest[some] = _lowest_of_all_orders(p[some, :_ORDERED], n[some, :_ORDERED], *(of[some] for of in start))
    return lowest + last


def _lowest_of_all_orders(p: Tensor, n: Tensor, p_before: Tensor, n_before: Tensor) -> Tensor:
    """By the sets of batches: whatever the order within a set, the next batch has the same before it."""
    sets, batches = (torch.arange(count, device=p.device) for count in (1 << p.shape[1], p.shape[1]))
    members = (sets[:, None] >> batches & 1).double()
    start = p_before[:, None] + p @ members.T, n_before[:, None] + n @ members.T
    next_batch = _precisions(start[0][..., None], start[1][..., None], p[:, None])  # [q, sets, K]
    lowest = torch.zeros_like(start[0])
    for this in sets[1:].tolist():
        last = members[this].nonzero().squeeze(1)
        before = this ^ (1 << last)
        lowest[:, this] = (lowest[:, before] + next_batch[:, before, last]).amin(1)
    return lowest[:, -1]


def _stacked(p: Tensor, n: Tensor, p_before: Tensor, n_before: Tensor) -> Tensor:
    """The sum of precisions if the batches stand end to end as they come."""
    return _precisions(p_before[:, None] + p.cumsum(-1) - p, n_before[:, None] + n.cumsum(-1) - n, p).sum(-1)


def _precisions(p_before: Tensor, n_before: Tensor, p: Tensor) -> Tensor:
    r""":math:`\sum_{j=1}^{p} (a + j) / (a + j + m) = p - m\, (\psi(a + m + p + 1) - \psi(a + m + 1))` behind a positives, m negatives."""
    start = p_before + n_before + 1
    return p - n_before * (torch.digamma(start + p) - torch.digamma(start))
