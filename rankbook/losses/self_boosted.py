"""A pairwise loss against the scores that an older model gave to the list of a sample: the list need not be in the batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from rankbook.checks import (
    check_choice,
    check_finite,
    check_floating,
    check_not_negative,
    check_relevance,
    check_scores,
    reads_values,
    warn,
)
from rankbook.described import arguments
from rankbook.precision import full_precision


class SelfBoostedLoss(nn.Module):
    r"""Each sample against the list that it was shown in, as an older model scored it.

    .. math:: \mathcal{L} = \frac{1}{|\mathcal{P}|} \sum_{(i, j) \in \mathcal{P}} \log\bigl(1 + e^{-\operatorname{sign}(y_i - \tilde y_j)
        (s_i - \tilde s_j)}\bigr), \qquad \mathcal{P} = \{(i, j) : j \in \text{list of } i,\; \tilde y_j \ne y_i\}

    :math:`s_i` is the score of sample i now, :math:`\tilde s_j` and :math:`\tilde y_j` are the logged scores and labels of its list. So
    samples may be shuffled one by one, where `RankNetLoss` needs whole lists in a batch. If the logged scores are the present ones and
    all items of a list are in the batch, value and gradient are those of `RankNetLoss`.

    Args:
        reduction: ``"mean"`` over all pairs of the batch, ``"sum"``, or ``"none"``: a sum for each sample ``[n]``.

    Call with ``(scores[n], labels[n], list_scores[n, m], list_labels[n, m], *, where=None)``. Scores are logits, on the scale of the
    older model. The sample itself may be in its list: its label is its own, so there is no pair. ``where[n, m]`` marks the items that
    are there. ``list_scores`` get no gradient. Without a pair the loss is 0 with zero gradient, and a warning says so.

    Cost: :math:`O(n\,m)`.

    Raises:
        ValueError: scores or labels that are not finite, negative labels, shapes or devices that differ.

    Source: reconstructed from the prose of A Self-boosted Framework for Calibrated Ranking (KDD 2024, 2406.08010): its equation is not
    at hand, and its code is not public.

    >>> scores, labels = torch.tensor([0.0, 0.5]), torch.tensor([1, 0])
    >>> list_scores, list_labels = torch.tensor([[0.2, 1.0], [2.0, -1.0]]), torch.tensor([[1, 0], [1, 0]])
    >>> rb.SelfBoostedLoss()(scores, labels, list_scores, list_labels)
    tensor(0.7573)
    """

    def __init__(self, *, reduction: str = "mean"):
        super().__init__()
        self.reduction = check_choice("reduction", reduction, ("mean", "sum", "none"))

    @full_precision
    def forward(self, scores: Tensor, labels: Tensor, list_scores: Tensor, list_labels: Tensor, *, where: Tensor | None = None) -> Tensor:
        scores = check_floating("scores", scores)
        if scores.dim() != 1:
            raise ValueError(f"scores must be [n], one for each sample, got {tuple(scores.shape)}")
        check_finite("scores", scores)
        labels = _check_labels("labels", labels, scores, None)
        list_scores = check_floating("list_scores", list_scores)
        if list_scores.dim() != 2 or len(list_scores) != len(scores):
            raise ValueError(f"list_scores must be [n, m], a list for each of {len(scores)} samples, got {tuple(list_scores.shape)}")
        if list_scores.device != scores.device:
            raise ValueError(f"list_scores must be on the device of scores, {scores.device}, got {list_scores.device}")
        list_scores, where = check_scores(list_scores, where, name="list_scores")
        list_labels = _check_labels("list_labels", list_labels, list_scores, where)
        direction = (labels[:, None] - list_labels).sign()
        if where is not None:
            direction = direction * where
        pairs = direction != 0
        losses = torch.where(pairs, softplus(-direction * (scores[:, None] - list_scores.detach().to(scores.dtype))), 0.0).sum(1)
        if self.reduction == "none":
            return losses
        count = pairs.sum()
        if reads_values(count) and count == 0:
            warn("no sample has an item of another label in its list: the loss is 0 and teaches nothing")
        return losses.sum() / count.clamp(min=1) if self.reduction == "mean" else losses.sum()

    extra_repr = arguments


def _check_labels(name: str, labels: Tensor, scores: Tensor, where: Tensor | None) -> Tensor:
    labels = check_relevance(labels, scores, where, name=name, exact=True, shape="one label for each score, shape {}, got {}")
    check_not_negative(name, labels, "0 = no click")
    return labels
