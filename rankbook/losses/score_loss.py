"""What the losses on scores share: one value a list, the lists that count, and how the values become one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_choice, check_device, check_finite, check_lists, check_tensor, first, reads_values, warn
from rankbook.described import arguments
from rankbook.precision import full_precision


class ScoreLoss(nn.Module):
    """A loss of ``(scores[..., n], relevance[..., n], *, where=None, query_weights=None)``: `of_lists` gives one value a list.

    A list counts if it has something to order: two items of different relevance.
    """

    def __init__(self, *, reduction: str = "mean"):
        super().__init__()
        self.reduction = check_choice("reduction", reduction, ("mean", "sum", "none"))

    @full_precision
    def forward(self, scores: Tensor, relevance: Tensor, *, where: Tensor | None = None, query_weights: Tensor | None = None) -> Tensor:
        scores, relevance, where = check_lists(scores, relevance, where, exact=True)
        values = self.of_lists(scores, relevance, where)
        return self.reduce(values, has_order(relevance, where), query_weights, "relevance has no two items of different grades in any list")

    def of_lists(self, scores: Tensor, relevance: Tensor, where: Tensor | None) -> Tensor:
        """The loss of each list ``[...]`` from what is checked already. A list with nothing to order may have any finite value."""
        raise NotImplementedError

    def reduce(self, values: Tensor, defined: Tensor, query_weights: Tensor | None, nothing: str) -> Tensor:
        """The values of the defined lists, weighted, as ``reduction`` says; a warning says ``nothing`` if none is defined."""
        weights = defined.to(values.dtype) * _check_query_weights(query_weights, values)
        losses = torch.where(defined, values, 0.0) * weights
        if self.reduction == "none":
            return losses
        total = weights.sum()
        if reads_values(total) and total == 0:
            no_list = not reads_values(defined) or not defined.any()
            warn(f"{nothing if no_list else 'query_weights are 0 for all lists that count'}: the loss is 0 and teaches nothing")
        return losses.sum() / torch.where(total > 0, total, 1.0) if self.reduction == "mean" else losses.sum()

    extra_repr = arguments  # which a subclass keeps under their names


def has_order(relevance: Tensor, where: Tensor | None) -> Tensor:
    """Whether the present items of a list ``[..., n]`` differ in relevance (>= 0): ``[...]``."""
    if where is None:
        return relevance.amax(-1) > relevance.amin(-1)
    largest = relevance.masked_fill(~where, 0).amax(-1, keepdim=True)
    return (where & (relevance < largest)).any(-1)


def _check_query_weights(weights: Tensor | None, values: Tensor) -> Tensor | float:
    """The weights ``[...]``, one of at least 0 for each list, in the dtype of the values."""
    if weights is None:
        return 1.0
    weights = check_tensor("query_weights", weights)
    if weights.shape != values.shape:
        raise ValueError(f"query_weights must have one weight for each list, shape {tuple(values.shape)}, got {tuple(weights.shape)}")
    check_device("query_weights", weights, "scores", values)
    check_finite("query_weights", weights)
    if reads_values(weights) and (weights < 0).any():
        index = first(weights < 0)
        raise ValueError(f"query_weights must be >= 0, but query_weights[{', '.join(map(str, index))}] is {weights[index].item():g}")
    return weights.to(values.dtype)
