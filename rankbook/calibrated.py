"""Scores that are read as probabilities: a map that calibrates them and keeps the order of every list, and how to judge both."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from rankbook.checks import check_count, check_device, check_finite, check_floating, check_number, check_tensor, first, reads_values
from rankbook.precision import full_precision


class MonotoneCalibration(nn.Module):
    r"""An increasing map of probabilities to probabilities, another one for each query: it repairs calibration and cannot touch the order.

    .. math::
        \begin{aligned}
        g(p; q) &= b_k + (K p - k)\,(b_{k+1} - b_k), \qquad k = \lfloor K p \rfloor \\
        b_k &= \sum_{m \le k} a_m, \qquad a = (1 - \phi)\operatorname{softmax}(\mathrm{MLP}(q)) + \phi / K
        \end{aligned}

    Linear on K pieces, from :math:`g(0) = 0` to :math:`g(1) = 1`, with a slope of at least :math:`\phi`. The features are those of the
    query: an item's own would let the map reorder a list.

    Args:
        query_features: how many features a query has.
        pieces: :math:`K`. More follow a finer curve, and need more data.
        hidden: widths of the layers of the network.
        floor: :math:`\phi`, the smallest slope, between 0 and 1. At 0 pieces may become flat in floating point, and items tie; at 1
            the map is the identity.
        generator: for the first weights; None uses torch's own. The last layer starts at 0, so the map starts as the identity.

    Call with ``(probabilities[n], query[n, query_features])``, a row of features for each item. Neither gets a gradient: the map is
    trained by itself, with ``torch.nn.functional.binary_cross_entropy``, and the ranking by its own loss. Probabilities that are so
    near to 1 that they are equal in their dtype stay equal: compute the sigmoid in float64 where logits exceed 15.

    Cost: that of the network, and :math:`O(n K)`.

    Raises:
        ValueError: probabilities outside of [0, 1] or not finite, a query of another shape, knobs out of range.

    Source: A Self-boosted Framework for Calibrated Ranking (KDD 2024, 2406.08010), in the form that code of an overlapping group of
    authors has (Unconstrained Monotonic Calibration, SIGIR 2025): K = 100. The floor and the start are ours.

    >>> calibrate = rb.MonotoneCalibration(query_features=2, pieces=4)
    >>> query = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> calibrate(torch.tensor([0.3, 0.9]), query)  # untrained: the identity
    tensor([0.3000, 0.9000], grad_fn=<MinimumBackward0>)
    """

    def __init__(
        self,
        query_features: int,
        *,
        pieces: int = 100,
        hidden: tuple[int, ...] = (64, 64),
        floor: float = 1e-3,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.query_features = check_count("query_features", query_features)
        self.pieces = check_count("pieces", pieces)
        self.floor = check_number("floor", floor, at_least=0, at_most=1)
        widths = (self.query_features, *(check_count("hidden", width) for width in hidden))
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layer = nn.Linear(inputs, outputs)
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU()]
        last = nn.Linear(widths[-1], self.pieces)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(*layers, last)

    @full_precision
    def forward(self, probabilities: Tensor, query: Tensor) -> Tensor:
        probabilities = check_probabilities(probabilities).detach()
        query = check_floating("query", query).detach()
        if query.shape != (len(probabilities), self.query_features):
            raise ValueError(
                f"query must be [n, query_features], here {(len(probabilities), self.query_features)}, got {tuple(query.shape)}; "
                "repeat the features of a query for each of its items"
            )
        check_device("query", query, "probabilities", probabilities)
        check_finite("query", query)
        heights = self.network(query.to(self.network[-1].weight.dtype)).softmax(1).to(probabilities.dtype)
        heights = (1 - self.floor) * heights + self.floor / self.pieces
        bounds = nn.functional.pad(heights.cumsum(1), (1, 0)).clamp(max=1)
        place = (probabilities * self.pieces).floor().clamp(max=self.pieces - 1)
        low, high = bounds.gather(1, torch.stack([place, place + 1], 1).long()).unbind(1)
        high = torch.where(place == self.pieces - 1, torch.ones_like(high), high)  # the sum of the heights but for its rounding
        return torch.minimum(low + (self.pieces * probabilities - place) * (high - low), high)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}, floor={self.floor:g}"


def evaluate_probabilities(probabilities: Tensor, labels: Tensor, lists: Tensor | None = None, *, bins: int = 100) -> dict[str, float]:
    r"""How well probabilities rank, and how well they are calibrated.

    - ``AUC``, of all items together, and with ``lists`` ``GAUC``: the mean of the AUC of each list, weighted by its number of items. Only
      lists with both labels count. Pairs that tie count half.
    - ``LogLoss``: :math:`-\frac{1}{n} \sum_i \log p_i(y_i)`, with probabilities kept off 0 and 1 by the precision of their dtype.
    - ``ECE``: :math:`\sum_b \frac{n_b}{n} \lvert \bar y_b - \bar p_b \rvert` over bins of equal width.
    - ``PCOC``: :math:`\sum_i p_i / \sum_i y_i`, predicted over observed: 1 is right on average, more is too sure of clicks.

    Args:
        probabilities: ``[n]``, in [0, 1].
        labels: ``[n]``, 0 or 1.
        lists: ``[n]``, the number of the list of each item, in any order.
        bins: of ECE. More bins see finer faults, and more of the noise of the labels.

    Cost: :math:`O(n \log n)`.

    Raises:
        ValueError: probabilities outside of [0, 1] or not finite, labels other than 0 and 1, no item of one of the labels, no list with
            both, shapes or devices that differ.

    Source: GAUC from Deep Interest Network (KDD 2018), ECE from Naeini et al. (AAAI 2015), both as in the code of Unconstrained
    Monotonic Calibration (SIGIR 2025).

    >>> found = rb.evaluate_probabilities(torch.tensor([0.9, 0.6, 0.2, 0.4]), torch.tensor([1, 0, 0, 1]), torch.tensor([0, 0, 1, 1]))
    >>> {name: round(value, 3) for name, value in found.items()}
    {'AUC': 0.75, 'GAUC': 1.0, 'LogLoss': 0.54, 'ECE': 0.375, 'PCOC': 1.05}
    """
    bins = check_count("bins", bins)
    p = check_probabilities(probabilities).detach().double().cpu()
    y = _one_each("labels", labels, probabilities).cpu().double()
    if not ((y == 0) | (y == 1)).all():
        (at,) = first((y != 0) & (y != 1))
        raise ValueError(f"labels must be 0 or 1, but labels[{at}] is {y[at].item():g}; try (labels > 0)")
    if y.min() == y.max():
        raise ValueError(f"labels must hold both 0 and 1, but all are {y[0].item():g}: no order to judge")
    area, _ = _areas(p, y, torch.zeros(len(p), dtype=torch.long))
    found = {"AUC": float(area)}
    if lists is not None:
        areas, sizes = _areas(p, y, _one_each("lists", lists, probabilities).cpu().unique(return_inverse=True)[1])
        if not areas.isfinite().any():
            raise ValueError("lists must have one with labels of both kinds, but no list has; is it the number of the list of each item?")
        found["GAUC"] = float(areas.nan_to_num().mul(sizes).sum() / sizes[areas.isfinite()].sum())
    tiny = torch.finfo(probabilities.dtype).eps
    found["LogLoss"] = float(nn.functional.binary_cross_entropy(p.clamp(tiny, 1 - tiny), y))
    place = (p * bins).long().clamp(max=bins - 1)
    off = torch.zeros(bins, dtype=p.dtype).index_add_(0, place, y - p)
    return found | {"ECE": float(off.abs().sum() / len(p)), "PCOC": float(p.sum() / y.sum())}


def check_probabilities(probabilities: Tensor) -> Tensor:
    """Return numbers in [0, 1], ``[n]``."""
    probabilities = check_floating("probabilities", probabilities)
    if probabilities.dim() != 1 or len(probabilities) == 0:
        raise ValueError(f"probabilities must be [n], at least one, got {tuple(probabilities.shape)}; try .flatten()")
    check_finite("probabilities", probabilities)
    if reads_values(probabilities):
        outside = (probabilities < 0) | (probabilities > 1)
        if outside.any():
            (at,) = first(outside)
            raise ValueError(
                f"probabilities must be in [0, 1], but probabilities[{at}] is {probabilities[at].item():g}; try torch.sigmoid of the scores"
            )
    return probabilities


def _one_each(name: str, values: Tensor, probabilities: Tensor) -> Tensor:
    values = check_tensor(name, values)
    if values.shape != probabilities.shape:
        raise ValueError(f"{name} must have one entry for each probability, shape {tuple(probabilities.shape)}, got {tuple(values.shape)}")
    check_device(name, values, "probabilities", probabilities)
    if values.is_floating_point():
        check_finite(name, values)
    return values.detach()


def _areas(p: Tensor, y: Tensor, lists: Tensor) -> tuple[Tensor, Tensor]:
    """The AUC of each list, by the mean rank of its positives (NaN where it has one kind of labels), and its number of items."""
    order = p.argsort(stable=True)
    order = order[lists[order].argsort(stable=True)]
    p, y, lists = p[order], y[order], lists[order]
    sizes = lists.bincount()
    starts = sizes.cumsum(0) - sizes
    new = torch.ones(len(p), dtype=torch.bool)
    new[1:] = (p[1:] != p[:-1]) | (lists[1:] != lists[:-1])
    tie = new.cumsum(0) - 1  # items of one list that tie share the mean of their places
    places = torch.arange(len(p), dtype=p.dtype)
    count = tie.bincount().to(p.dtype)
    ranks = torch.zeros_like(count).index_add_(0, tie, places).div_(count)[tie] - starts[lists]
    positives = torch.zeros(len(sizes), dtype=p.dtype).index_add_(0, lists, y)
    total = torch.zeros(len(sizes), dtype=p.dtype).index_add_(0, lists, y * ranks)
    negatives = sizes - positives
    return (total - positives * (positives - 1) / 2) / (positives * negatives), sizes.to(p.dtype)
